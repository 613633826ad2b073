"""One host and many callers: they park together, one looks, all go on; on a clock where an hour takes no time."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from health_stage import Stage, Told, health_on
from staged_host import CALLERS, SELDOM, TAKES_S, Host, away_until

from uploader.engine.health.breaker import LookTimes
from uploader.model.errors import (
    Cancelled,
    NotSignedIn,
    QuotaFull,
    Throttled,
    Unreachable,
    UploaderError,
)
from uploader.remote.retry import RetryPolicy


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def told() -> Told:
    return Told()


# Many callers


@pytest.mark.parametrize("seed", range(4))
def test_a_server_away_for_ten_minutes_is_asked_a_few_dozen_times(
    stage: Stage, told: Told, seed: int
) -> None:
    host = Host(stage, away_until(stage.now_s + 600.0))
    health = health_on(stage, probe=host.probe, told=told, seed=seed, looks=SELDOM)
    assert stage.play([lambda: health.call(host.request)] * CALLERS) == ["done"] * CALLERS
    in_vain = [at_s for at_s in host.asked if at_s < 1600.0]
    # Those that were under way when it went, and the two or three that noticed.
    assert len(in_vain) <= CALLERS + 3
    assert 10 <= len(host.looked) <= 60
    assert stage.now_s <= 1600.0 + 60.0 + 5.0
    assert told.kinds == ["parked", "resumed"]
    assert told.words[-1][1] == pytest.approx(stage.now_s - 1000.0, abs=5.0)


def test_callers_go_on_one_after_another(stage: Stage) -> None:
    host = Host(stage, away_until(stage.now_s + 100.0))
    health = health_on(stage, probe=host.probe, looks=LookTimes(poll_s=0.5))
    stage.play([lambda: health.call(host.request)] * CALLERS)
    back = sorted(at_s for at_s in host.asked if at_s > 1100.0)
    busiest = max(sum(at_s <= other_s < at_s + 0.1 for other_s in back) for at_s in back)
    assert busiest < CALLERS / 2


@pytest.mark.parametrize("seed", range(12))
def test_nobody_waits_for_ever_whatever_fails_and_comes_back(stage: Stage, told: Told, seed: int) -> None:
    draw = random.Random(seed)
    spells = [
        draw.choice([None, Unreachable("away"), QuotaFull("full"), NotSignedIn("out")]) for _ in range(20)
    ]
    over_s = stage.now_s + 20 * 30.0

    def trouble(now_s: float) -> UploaderError | None:
        return None if now_s >= over_s else spells[int((now_s - 1000.0) // 30.0)]

    host = Host(stage, trouble)
    health = health_on(
        stage,
        probe=host.probe,
        sign_in_probe=host.probe,
        told=told,
        seed=seed,
        looks=SELDOM,
        login_patience_s=math.inf,
    )

    def work() -> list[str]:
        return [health.call(host.request, RetryPolicy(attempts=1000, budget_s=1e9)) for _ in range(10)]

    assert stage.play([work] * 16, longest_s=3600.0) == [["done"] * 10] * 16
    assert health.parked is None
    # Told in turns, and at last that it goes on.
    assert told.kinds.count("resumed") <= told.kinds.count("parked")
    assert not told.kinds or told.kinds[-1] == "resumed"


@pytest.mark.parametrize("error", [Unreachable("away"), QuotaFull("full"), NotSignedIn("out")])
def test_a_stop_reaches_everybody_within_a_tenth_of_a_second(stage: Stage, error: UploaderError) -> None:
    stop_s = stage.now_s + 5.0
    host = Host(stage, lambda _now_s: error)
    health = health_on(
        stage,
        probe=host.probe,
        sign_in_probe=host.probe,
        stop=lambda: stage.now_s >= stop_s,
        login_patience_s=math.inf,
    )
    ends = stage.play([lambda: health.call(host.request)] * CALLERS)
    assert {type(end) for end in ends} == {Cancelled}
    assert stage.now_s <= stop_s + 0.1


def test_when_patience_is_over_it_is_over_for_all(stage: Stage, told: Told) -> None:
    host = Host(stage, lambda _now_s: Unreachable("Nothing listens."))
    health = health_on(stage, probe=host.probe, told=told, looks=SELDOM, patience_s=600.0)
    ends = stage.play([lambda: health.call(host.request)] * CALLERS)
    assert {type(end) for end in ends} == {Unreachable}
    assert 1600.0 <= stage.now_s <= 1602.0
    assert isinstance(health.given_up, Unreachable)
    assert told.kinds == ["parked"]


def test_without_patience_nothing_is_looked_at_again_and_nobody_is_told_to_wait(
    stage: Stage, told: Told
) -> None:
    host = Host(stage, lambda _now_s: Unreachable("away"))
    health = health_on(stage, probe=host.probe, told=told, patience_s=0.0)
    stage.play([lambda: health.call(host.request)] * CALLERS)
    assert (host.looked, told.words) == ([], [])
    assert stage.now_s < 1010.0


def test_a_full_disk_is_tried_by_one_caller_at_a_time(stage: Stage, told: Told) -> None:
    over_s = stage.now_s + 600.0
    host = Host(stage, lambda now_s: QuotaFull("No room.", remedy="Make room.") if now_s < over_s else None)
    health = health_on(stage, told=told, looks=SELDOM)
    assert stage.play([lambda: health.call(host.request)] * CALLERS) == ["done"] * CALLERS
    tries = [at_s for at_s in host.asked[CALLERS:] if at_s < over_s]
    assert 10 <= len(tries) <= 20
    assert all(later_s - at_s >= 30.0 for at_s, later_s in itertools.pairwise(tries))
    assert told.kinds == ["parked", "resumed"]
    assert "Make room." in told.words[0][2]


def test_a_file_too_large_for_the_room_left_ends_alone_and_holds_nobody(stage: Stage) -> None:
    host = Host(stage)
    health = health_on(stage, looks=SELDOM)

    def large() -> str:
        stage.sleep(TAKES_S)
        raise QuotaFull("No room for this one.")

    def small() -> int:
        for _ in range(100):
            health.call(host.request)
            stage.sleep(10.0)
        return 100

    ends = stage.play([lambda: health.call(large), small, small])
    assert isinstance(ends[0], QuotaFull)
    assert ends[1:] == [100, 100]
    assert health.given_up is None


def test_where_every_third_request_fails_a_fifth_more_is_sent_and_a_trickle(stage: Stage) -> None:
    count = itertools.count(1)
    host = Host(stage, lambda _now_s: Throttled("busy") if next(count) % 3 == 0 else None)
    health = health_on(stage, looks=SELDOM)
    ends = stage.play([lambda: [health.call(host.request) for _ in range(20)]] * CALLERS)
    assert [len(end) for end in ends] == [20] * CALLERS
    done = CALLERS * 20
    assert len(host.asked) - done <= 0.2 * done + 20 + (stage.now_s - 1000.0) + 1
