"""How often a call is repeated, and how much repetition a host has to bear."""

from __future__ import annotations

import pytest
from health_stage import least, most
from hypothesis import given
from hypothesis import strategies as st

from uploader.engine.health.breaker import Jitter
from uploader.engine.health.budget import DENIALS, RESENDS, CallBudget, RetryBudget
from uploader.model.errors import (
    Aborted,
    ChecksumMismatch,
    Conflict,
    QuotaFull,
    RemoteError,
    Throttled,
    Unreachable,
)
from uploader.remote.retry import CATALOG_RETRY, RetryPolicy

POLICY = RetryPolicy(attempts=5, first_wait_s=1.0, longest_wait_s=4.0, budget_s=100.0)


def budget(jitter: Jitter = most, *, policy: RetryPolicy = POLICY) -> CallBudget:
    return CallBudget(policy, 0.0, jitter)


def repetitions(one: CallBudget, error: RemoteError, *, now_s: float = 0.0) -> int:
    """How often the call may be repeated, if it fails in the same way each time."""
    for count in range(1000):
        try:
            one.wait_s(error, now_s)
        except type(error):
            return count
    raise AssertionError("it is repeated without end")


def lost() -> Unreachable:
    error = Unreachable("the reply is lost")
    error.in_doubt = True
    return error


def test_waits_double_up_to_the_longest() -> None:
    one = budget()
    assert [one.wait_s(Unreachable("away"), 0.0) for _ in range(4)] == [1.0, 2.0, 4.0, 4.0]
    with pytest.raises(Unreachable):
        one.wait_s(Unreachable("away"), 0.0)


@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_jitter_is_full(source: object, attempt: int) -> None:
    one = budget(source.uniform)  # type: ignore[attr-defined]
    waits_s = [one.wait_s(Unreachable("away"), 0.0) for _ in range(attempt)]
    assert 0.0 <= waits_s[-1] <= min(2.0 ** (attempt - 1), 4.0)


def test_what_the_server_asked_for_is_the_least_wait() -> None:
    assert budget(least).wait_s(Throttled("busy", wait_s=30.0), 0.0) == 30.0
    assert budget(most).wait_s(Throttled("busy", wait_s=30.0), 0.0) == 31.0


def test_no_wait_begins_that_ends_after_the_budget() -> None:
    with pytest.raises(Throttled):
        budget().wait_s(Throttled("busy", wait_s=100.0), 0.0)
    with pytest.raises(Unreachable):
        budget().wait_s(Unreachable("away"), 99.5)


def test_what_the_host_was_away_for_costs_a_call_nothing() -> None:
    one = budget()
    for day in range(1, 20):
        one.parked(86400.0)
        for _ in range(4):
            one.wait_s(Unreachable("away"), 86400.0 * day)


def test_whoever_looked_has_had_its_try() -> None:
    one = budget()
    for look in range(1, 5):
        one.looked(100.0)
        one.wait_s(Unreachable("away"), 100.0 * look)
    with pytest.raises(Unreachable):
        one.wait_s(Unreachable("away"), 400.0)


def test_after_a_lost_reply_what_was_done_has_time_to_appear() -> None:
    assert budget(least).wait_s(lost(), 0.0) == POLICY.settle_s


def test_bytes_that_arrived_changed_are_sent_again_at_once_but_not_for_ever() -> None:
    one = budget()
    assert one.wait_s(ChecksumMismatch("changed"), 0.0) == 0.0
    assert repetitions(budget(), ChecksumMismatch("changed")) == RESENDS


def test_an_aborted_transaction_is_repeated_soon_and_often() -> None:
    one = budget(most)
    assert [one.wait_s(Aborted("writer"), 0.0) for _ in range(3)] == [0.02, 0.04, 0.08]
    assert repetitions(budget(), Aborted("writer")) == CATALOG_RETRY.attempts + POLICY.attempts - 1


def test_a_refusal_is_final() -> None:
    assert repetitions(budget(), Conflict("a row")) == 0


def test_a_full_disk_is_waited_for_however_often_this_call_is_the_one_that_looks() -> None:
    one = budget()
    for _ in range(1000):
        one.looked(45.0)
        assert one.wait_s(QuotaFull("full"), 0.0) == 0.0


def test_a_file_too_large_for_the_room_that_others_find_is_not_tried_for_ever() -> None:
    one = budget()
    one.wait_s(QuotaFull("full"), 0.0)
    for _ in range(DENIALS - 1):
        one.parked(45.0)
        one.wait_s(QuotaFull("full"), 0.0)
    one.parked(45.0)
    with pytest.raises(QuotaFull):
        one.wait_s(QuotaFull("full"), 0.0)


@given(st.lists(st.booleans(), max_size=400), st.floats(0.0, 0.5))
def test_a_host_bears_a_fifth_more_requests_a_burst_and_a_trickle(answers: list[bool], step_s: float) -> None:
    one = RetryBudget()
    now_s, due_s = 0.0, [0.0]
    for is_good in answers:
        now_s += step_s
        if is_good:
            one.succeeded()
        else:
            due_s.append(now_s + one.take(now_s))
    good = sum(answers)
    for at_s in due_s:
        done = sum(other_s <= at_s for other_s in due_s[1:])
        # One may always be rounded up: a wait ends in the middle of a token.
        assert done <= one.burst + one.share * good + one.per_s * at_s + 1
