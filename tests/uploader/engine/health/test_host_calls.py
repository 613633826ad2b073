"""One caller of a host: what is repeated, what is left to others, and whose login it reads with."""

from __future__ import annotations

import itertools
import math
import threading
from typing import Any

import pytest
from health_stage import Stage, StillClock, Told, health_on, least, most
from staged_host import CALLERS, SELDOM, Host, away_until, failing

from uploader.engine.health.breaker import LookTimes, Trouble
from uploader.engine.health.host import SURE_S, HostHealth
from uploader.model.errors import (
    Aborted,
    Conflict,
    NotSignedIn,
    QuotaFull,
    Throttled,
    Unreachable,
    Untrusted,
)
from uploader.remote.retry import RetryPolicy


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def told() -> Told:
    return Told()


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
