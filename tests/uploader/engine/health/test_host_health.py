"""One host and many callers: they park together, one looks, all go on; on a clock where an hour takes no time."""

from __future__ import annotations

import itertools
import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from health_stage import Stage, StillClock, Told, health_on, least, most

from uploader.engine.health.breaker import LookTimes, Trouble
from uploader.engine.health.host import SURE_S, HostHealth
from uploader.model.errors import (
    Aborted,
    Cancelled,
    Conflict,
    NotSignedIn,
    QuotaFull,
    Throttled,
    Unreachable,
    Untrusted,
    UploaderError,
)
from uploader.remote.retry import RetryPolicy

CALLERS = 64
TAKES_S = 0.05
SELDOM = LookTimes(poll_s=1.0)
"""Callers that wait look up once a second: an hour of 64 callers is then no long play."""


@dataclass
class Host:
    """Answers after a moment, and by its state at that time."""

    clock: Any
    trouble: Callable[[float], UploaderError | None] = lambda _now_s: None
    asked: list[float] = field(default_factory=list)
    looked: list[float] = field(default_factory=list)

    def request(self) -> str:
        self.asked.append(self.clock.monotonic())
        return self._answered()

    def probe(self) -> None:
        self.looked.append(self.clock.monotonic())
        self._answered()

    def _answered(self) -> str:
        self.clock.sleep(TAKES_S)
        error = self.trouble(self.clock.monotonic())
        if error is not None:
            raise error
        return "done"


def away_until(end_s: float) -> Callable[[float], UploaderError | None]:
    return lambda now_s: Unreachable("Nothing listens.") if now_s < end_s else None


def failing(*errors: UploaderError) -> Callable[[], str]:
    """A request that fails in these ways, one after another, and then does not."""
    waiting = list(errors)

    def request() -> str:
        if waiting:
            raise waiting.pop(0)
        return "done"

    return request


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


# The login


def test_a_login_that_comes_back_lets_all_go_on(stage: Stage, told: Told) -> None:
    back_s = stage.now_s + 3600.0
    host = Host(stage, lambda now_s: NotSignedIn("Signed out.") if now_s < back_s else None)
    health = health_on(
        stage, sign_in_probe=host.probe, told=told, looks=LookTimes(poll_s=5.0), login_patience_s=math.inf
    )
    assert stage.play([lambda: health.call(host.request)] * CALLERS) == ["done"] * CALLERS
    assert len([at_s for at_s in host.asked if at_s < back_s]) == CALLERS
    assert told.kinds == ["parked", "resumed"]
    assert "Sign in again" in told.words[0][2]


def test_a_fixed_token_is_not_waited_for(told: Told) -> None:
    clock = StillClock()
    health = health_on(clock, told=told)
    with pytest.raises(NotSignedIn):
        health.call(failing(NotSignedIn("Signed out.")))
    assert isinstance(health.given_up, NotSignedIn)
    assert clock.now_s - 1000.0 < 0.2


def test_while_somebody_else_is_signed_in_it_stays_parked_and_says_so(stage: Stage, told: Told) -> None:
    ours_again_s = stage.now_s + 300.0

    def who_is_it() -> None:
        if stage.now_s < ours_again_s:
            raise NotSignedIn("Somebody else has signed in: Eva.")

    host = Host(stage, away_until(stage.now_s + 60.0))
    health = health_on(
        stage,
        probe=host.probe,
        sign_in_probe=who_is_it,
        told=told,
        looks=SELDOM,
        login_patience_s=math.inf,
    )
    assert stage.play([lambda: health.call(host.request)] * 8) == ["done"] * 8
    assert not [at_s for at_s in host.asked if 1060.0 <= at_s < ours_again_s]
    assert [word[1] for word in told.words[:2]] == ["Nothing listens.", "Somebody else has signed in: Eva."]
    assert told.kinds == ["parked", "parked", "resumed"]


def test_what_was_read_with_a_dead_login_is_read_again() -> None:
    clock, is_alive, reads = StillClock(), True, 0

    def ask() -> None:
        if not is_alive:
            sign_in()
            raise NotSignedIn("Signed out.")

    def sign_in() -> None:
        nonlocal is_alive
        is_alive = True

    def read() -> list[str]:
        nonlocal reads
        reads += 1
        return ["row"] if is_alive else []

    health = health_on(clock, sign_in_probe=ask, login_patience_s=math.inf)
    assert health.trusted(read) == ["row"]
    clock.sleep(SURE_S)
    is_alive = False
    assert health.trusted(read) == ["row"]
    assert (reads, health.lapses) == (3, 1)


def test_a_read_soon_after_the_session_was_asked_costs_no_request() -> None:
    asked: list[int] = []
    clock = StillClock()
    health = health_on(clock, sign_in_probe=lambda: asked.append(1))
    for _ in range(50):
        health.trusted(list)
        clock.sleep(1.0)
    assert 4 <= len(asked) <= 5


# One caller


def test_a_server_that_asks_for_time_gets_it() -> None:
    clock = StillClock()
    health = health_on(clock, jitter=least)
    health.call(failing(Throttled("busy", wait_s=30.0), Throttled("busy", wait_s=30.0)))
    assert clock.now_s == pytest.approx(1060.0)


def test_a_hiccup_is_nothing_that_a_person_hears_of(told: Told) -> None:
    health = health_on(StillClock(), told=told)
    assert health.call(failing(*[Unreachable("away")] * 3)) == "done"
    assert told.words == []


def test_an_aborted_transaction_is_repeated_at_once_and_parks_nobody() -> None:
    clock = StillClock()
    health = health_on(clock, jitter=most)
    assert health.call(failing(*[Aborted("writer")] * 8)) == "done"
    assert clock.now_s - 1000.0 < 6.0
    assert health.parked is None


def test_refusals_are_answers() -> None:
    health = health_on(StillClock())
    for _ in range(9):
        with pytest.raises(Conflict):
            health.call(failing(Conflict("a row")))
    assert health.parked is None


def test_what_may_have_been_carried_out_is_left_to_who_knows() -> None:
    clock, error = StillClock(), Unreachable("the reply is lost")
    error.in_doubt = True
    with pytest.raises(Unreachable):
        health_on(clock).call(failing(error), repeat_in_doubt=False)
    assert clock.now_s - 1000.0 == pytest.approx(RetryPolicy().settle_s)


def test_who_reads_waits_for_a_bad_certificate_as_everybody_does() -> None:
    clock = StillClock()
    bad = [Untrusted("The certificate does not hold.")] * 5
    health = health_on(clock, looks=LookTimes(poll_s=1.0))
    assert health.call(failing(*bad), writes=False) == "done"
    assert clock.now_s - 1000.0 >= 5 * 30.0


def test_who_reads_beside_a_full_disk_rests_between_repetitions(stage: Stage) -> None:
    health = health_on(stage, jitter=most)
    asked_s: list[float] = []

    def read() -> str:
        asked_s.append(stage.now_s)
        if len(asked_s) < 4:
            raise Unreachable("away")
        return "done"

    def late_read() -> str:
        stage.sleep(1.0)
        assert health.parked is not None
        return health.call(read, writes=False)

    stage.play([lambda: health.call(failing(QuotaFull("full"))), late_read])
    rests_s = [later_s - at_s for at_s, later_s in itertools.pairwise(asked_s)]
    assert rests_s == pytest.approx([0.5, 1.0, 2.0])


def test_what_a_person_can_ask_for(stage: Stage) -> None:
    host = Host(stage, lambda _now_s: Unreachable("Nothing listens."))
    health = health_on(stage, probe=host.probe, patience_s=600.0)
    seen: list[Any] = []

    def ask() -> None:
        stage.sleep(30.0)
        seen.append(health.parked)

    stage.play([lambda: health.call(host.request), ask])
    parked = seen[0]
    assert (parked.trouble, parked.cause) == (Trouble.SERVER, "Nothing listens.")
    assert "gives up after 10 min;" in parked.remedy
    assert 0.0 <= parked.next_look_s <= 60.0


def test_a_look_that_breaks_does_not_keep_others_from_looking(stage: Stage) -> None:
    host = Host(stage, away_until(stage.now_s + 60.0))
    surprises = [RuntimeError("a bug in a probe")]

    def probe() -> None:
        if surprises:
            raise surprises.pop()
        host.probe()

    health = health_on(stage, probe=probe, looks=SELDOM)

    def call() -> str:
        try:
            return health.call(host.request)
        except RuntimeError:
            return "broke"

    assert sorted(stage.play([call] * 4)) == ["broke", "done", "done", "done"]


def test_the_end_of_an_outage_is_never_told_before_its_beginning() -> None:
    words: list[str] = []
    other = threading.Thread(target=lambda: health.call(lambda: "done"))

    def slow_park(*_: object) -> None:
        # While a person is told, another caller finds the server back.
        other.start()
        other.join(timeout=0.2)
        words.append("parked")

    health = HostHealth(
        StillClock(),
        patience_s=math.inf,
        on_park=slow_park,
        on_resume=lambda _after_s: words.append("resumed"),
    )
    health.call(failing(*[Unreachable("away")] * 4))
    other.join(timeout=10)
    assert words == ["parked", "resumed"]


def test_nobody_waits_for_a_looker_whose_bytes_are_paused() -> None:
    clock = StillClock()
    health = health_on(clock, stop=lambda: clock.monotonic() > 10_000.0, is_held=lambda: True)
    failures = failing(*[Unreachable("Nothing listens.")] * 3)

    def waits_at_the_gate() -> str:
        failures()
        # It stands at the closed gate now, and here comes the writer of rows.
        return health.call(lambda: "row written")

    assert health.call(waits_at_the_gate) == "row written"
    assert health.parked is None
