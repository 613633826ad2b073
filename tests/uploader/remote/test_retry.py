"""Repetition: what, how often, how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from uploader.model.errors import Conflict, QuotaFull, RemoteError, Throttled, Unreachable, UploaderError
from uploader.remote.retry import RetryPolicy, retrying

POLICY = RetryPolicy(attempts=5, first_wait_s=1.0, longest_wait_s=4.0, budget_s=100.0)


def most(low: float, high: float) -> float:
    """A jitter that always draws the longest wait."""
    return high


def failing(*errors: UploaderError) -> Callable[[], str]:
    waiting: Iterator[UploaderError] = iter(errors)

    def call() -> str:
        error = next(waiting, None)
        if error is not None:
            raise error
        return "done"

    return call


def test_a_passing_cause_is_waited_out_with_doubling_waits(clock: Any) -> None:
    call = failing(*[Unreachable("no line")] * 4)
    assert retrying(call, policy=POLICY, clock=clock, jitter=most) == "done"
    assert clock.slept == [1.0, 2.0, 4.0, 4.0]


def test_jitter_covers_the_whole_range(clock: Any) -> None:
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    retrying(failing(*[Throttled("busy")] * 3), policy=POLICY, clock=clock, jitter=draw)
    assert drawn == [(0.0, 1.0), (0.0, 2.0), (0.0, 4.0)]


def test_what_the_server_asked_for_is_the_least_wait(clock: Any) -> None:
    retrying(failing(Throttled("busy", wait_s=7)), policy=POLICY, clock=clock, jitter=lambda low, high: low)
    assert clock.slept == [7.0]


def test_attempts_and_budget_end_it(clock: Any) -> None:
    with pytest.raises(Unreachable):
        retrying(failing(*[Unreachable("no line")] * 9), policy=POLICY, clock=clock, jitter=most)
    assert len(clock.slept) == 4
    with pytest.raises(Throttled):
        retrying(failing(Throttled("busy", wait_s=101)), policy=POLICY, clock=clock)
    assert len(clock.slept) == 4


@pytest.mark.parametrize("error", [Conflict("taken"), QuotaFull("full"), RemoteError("odd")])
def test_what_does_not_pass_by_itself_is_raised_at_once(error: RemoteError, clock: Any) -> None:
    with pytest.raises(type(error)):
        retrying(failing(error), policy=POLICY, clock=clock)
    assert clock.slept == []


def test_a_request_in_doubt_is_left_to_the_caller_when_asked(clock: Any) -> None:
    lost = Unreachable("reply lost")
    lost.in_doubt = True
    with pytest.raises(Unreachable):
        retrying(failing(lost), policy=POLICY, clock=clock, repeat_in_doubt=False)
    assert retrying(failing(lost), policy=POLICY, clock=clock) == "done"


def test_waits_can_be_told_to_a_person(clock: Any) -> None:
    heard: list[str] = []
    retrying(
        failing(Throttled("busy")),
        policy=POLICY,
        clock=clock,
        jitter=most,
        on_wait=lambda error, wait_s: heard.append(f"{error.summary} {wait_s}"),
    )
    assert heard == ["busy 1.0"]
