"""When requests may go out: after which failures they stop, who looks, when they go on, when it is given up."""

from __future__ import annotations

import math
import random

import pytest
from health_stage import least, most
from hypothesis import given
from hypothesis import strategies as st

from uploader.engine.health.breaker import (
    FAILURES_IN_A_ROW,
    Breaker,
    Jitter,
    LookTimes,
    Ticket,
    Trouble,
    trouble_of,
)
from uploader.model.errors import (
    Aborted,
    BadReply,
    ChecksumMismatch,
    Conflict,
    JournalFull,
    NotSignedIn,
    QuotaFull,
    Throttled,
    Unreachable,
    Untrusted,
    UploaderError,
)

AWAY = Unreachable("away")
FULL = QuotaFull("full")
LOGGED_OUT = NotSignedIn("no login")


def breaker(
    *, patience_s: float = math.inf, login_patience_s: float = math.inf, jitter: Jitter = most
) -> Breaker:
    return Breaker(patience_s=patience_s, login_patience_s=login_patience_s, jitter=jitter)


def admitted(one: Breaker, now_s: float, *, writes: bool = True) -> Ticket:
    ticket = one.admit(now_s, writes=writes)
    assert ticket is not None
    return ticket


def opened(one: Breaker, error: UploaderError = AWAY, now_s: float = 0.0) -> Breaker:
    for _ in range(FAILURES_IN_A_ROW):
        one.failed(Ticket(0), error, now_s)
    assert one.outage is not None
    return one


def next_look_s(one: Breaker) -> float:
    assert one.outage is not None
    return one.outage.next_look_s


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (AWAY, Trouble.SERVER),
        (Throttled("busy"), Trouble.SERVER),
        (BadReply("a page"), Trouble.SERVER),
        (LOGGED_OUT, Trouble.LOGIN),
        (FULL, Trouble.FIX),
        (Untrusted("a certificate"), Trouble.FIX),
        (JournalFull("no room here"), Trouble.FIX),
        (ChecksumMismatch("changed on the way"), None),
        (Aborted("another writer"), None),
        (Conflict("a row"), None),
    ],
)
def test_what_an_error_says_of_the_server_as_a_whole(error: UploaderError, trouble: Trouble | None) -> None:
    assert trouble_of(error) is trouble


def test_three_failures_in_a_row_hold_everybody() -> None:
    one = breaker()
    for _ in range(2):
        one.failed(admitted(one, 0.0), AWAY, 0.0)
    assert one.outage is None
    one.failed(admitted(one, 0.0), AWAY, 0.0)
    assert one.admit(0.0, writes=False) is None


def test_an_answer_between_failures_starts_the_count_again() -> None:
    one = breaker()
    for _ in range(10):
        one.failed(admitted(one, 0.0), AWAY, 0.0)
        one.failed(admitted(one, 0.0), AWAY, 0.0)
        one.answered(admitted(one, 0.0))
    assert one.outage is None


@pytest.mark.parametrize("error", [FULL, LOGGED_OUT])
def test_what_only_a_person_can_mend_holds_everybody_at_once(error: UploaderError) -> None:
    one = breaker()
    one.failed(admitted(one, 0.0), error, 0.0)
    assert one.admit(0.0, writes=True) is None


def test_a_full_disk_keeps_nobody_from_reading() -> None:
    one = opened(breaker(), FULL)
    assert admitted(one, 0.0, writes=False) == Ticket(0)
    assert one.admit(0.0, writes=True) is None


def test_one_looks_and_the_others_wait_for_it() -> None:
    one = opened(breaker())
    at_s = next_look_s(one)
    assert one.admit(at_s - 0.01, writes=True) is None
    look = admitted(one, at_s)
    assert look.is_look
    assert one.admit(at_s + 1000, writes=True) is None
    assert one.answered(look) is not None
    assert not admitted(one, at_s).is_look


def test_a_look_that_was_broken_off_is_taken_over() -> None:
    one = opened(breaker())
    one.dropped(admitted(one, 100.0))
    assert admitted(one, 100.0).is_look


def test_looks_come_less_and_less_often_up_to_a_minute() -> None:
    one, now_s, waits_s = opened(breaker()), 0.0, []
    for _ in range(9):
        waits_s.append(next_look_s(one) - now_s)
        now_s = next_look_s(one)
        one.failed(admitted(one, now_s), AWAY, now_s)
    assert waits_s == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@given(st.randoms(use_true_random=False), st.integers(0, 40))
def test_waits_are_spread_over_the_whole_range(source: random.Random, looks: int) -> None:
    one, now_s = opened(breaker(jitter=source.uniform)), 0.0
    for _ in range(looks):
        now_s = next_look_s(one)
        one.failed(admitted(one, now_s), AWAY, now_s)
    assert 0.0 <= next_look_s(one) - now_s <= min(2.0**looks, 60.0) + 1e-9


@pytest.mark.parametrize(("jitter", "wait_s"), [(least, 30.0), (most, 60.0)])
def test_a_full_disk_is_tried_every_half_minute_or_minute(jitter: Jitter, wait_s: float) -> None:
    one, now_s = opened(breaker(jitter=jitter), FULL), 0.0
    for _ in range(9):
        assert next_look_s(one) - now_s == wait_s
        now_s += wait_s
        one.failed(admitted(one, now_s), FULL, now_s)


def test_what_the_server_asked_for_is_the_least_wait() -> None:
    one = opened(breaker(jitter=least), Throttled("busy", wait_s=90.0))
    assert next_look_s(one) == 90.0
    one.failed(admitted(one, 90.0), Throttled("busy", wait_s=5.0), 90.0)
    assert next_look_s(one) == 95.0


def test_answers_to_what_was_sent_before_say_nothing_of_now() -> None:
    one = breaker()
    early = [admitted(one, 0.0) for _ in range(64)]
    opened(one)
    for ticket in early[:32]:
        assert one.answered(ticket) is None
    assert one.outage is not None
    one.answered(admitted(one, 100.0))
    for ticket in early[32:]:
        one.failed(ticket, AWAY, 101.0)
    assert one.outage is None


def test_no_patience_ends_it_at_once() -> None:
    one = opened(breaker(patience_s=0.0))
    with pytest.raises(Unreachable, match="away"):
        one.admit(0.0, writes=True)
    assert isinstance(one.given_up, Unreachable)


def test_patience_counts_from_the_first_failure() -> None:
    one = breaker(patience_s=600.0)
    one.failed(Ticket(0), AWAY, 0.0)
    one.failed(Ticket(0), AWAY, 100.0)
    one.failed(Ticket(0), AWAY, 100.0)
    one.failed(admitted(one, 599.0), AWAY, 599.0)
    with pytest.raises(Unreachable):
        one.admit(600.0, writes=True)


def test_a_server_that_asks_for_more_than_our_patience_does_not_get_it() -> None:
    one = opened(breaker(patience_s=600.0), Throttled("busy", wait_s=86400.0))
    with pytest.raises(Throttled):
        one.admit(600.0, writes=True)


def test_what_is_given_up_is_given_up_for_all() -> None:
    one = opened(breaker(patience_s=0.0), FULL)
    raised = []
    for writes in (True, False, True):
        with pytest.raises(QuotaFull) as caught:
            one.admit(9e9, writes=True) if writes else one.admit(9e9, writes=False)
        raised.append(caught.value)
    # Each caller has its own: a traceback grows with every thread that raises the same error.
    assert len(set(map(id, raised))) == len(raised)


def test_endless_patience_waits_for_weeks() -> None:
    one, now_s = opened(breaker()), 0.0
    while now_s < 14 * 86400:
        now_s = next_look_s(one)
        one.failed(admitted(one, now_s), AWAY, now_s)
    assert one.given_up is None


def test_a_login_has_a_patience_of_its_own() -> None:
    one = breaker(patience_s=600.0, login_patience_s=3600.0)
    one.failed(Ticket(0), LOGGED_OUT, 0.0)
    one.failed(admitted(one, 3599.0), LOGGED_OUT, 3599.0)
    with pytest.raises(NotSignedIn):
        one.admit(3600.0, writes=True)


def test_a_login_that_died_with_the_server_has_its_patience_from_when_it_is_found() -> None:
    one = opened(breaker(patience_s=600.0, login_patience_s=60.0))
    one.failed(admitted(one, 590.0), LOGGED_OUT, 590.0)
    one.failed(admitted(one, 600.0), LOGGED_OUT, 600.0)
    assert one.lapses == 1
    with pytest.raises(NotSignedIn):
        one.admit(650.0, writes=True)


def test_a_server_away_and_full_by_turns_is_not_waited_for_without_end() -> None:
    one, now_s = opened(breaker(patience_s=600.0)), 0.0
    for error in [AWAY, FULL] * 20:
        if next_look_s(one) >= 600.0:
            break
        now_s = next_look_s(one)
        one.failed(admitted(one, now_s), error, now_s)
    with pytest.raises((Unreachable, QuotaFull)):
        one.admit(600.0, writes=True)


def test_a_person_who_says_so_lets_it_look_at_once_and_anew() -> None:
    one = opened(breaker(patience_s=600.0))
    with pytest.raises(Unreachable):
        one.admit(700.0, writes=True)
    one.look_now(700.0)
    assert admitted(one, 700.0).is_look


def test_a_hiccup_is_not_told() -> None:
    one = opened(breaker())
    assert one.to_tell() is None
    ended = one.answered(admitted(one, 1.0))
    assert ended is not None
    assert not ended.was_told


def test_an_outage_is_told_once_after_the_first_look_in_vain() -> None:
    one = opened(breaker())
    told = []
    for now_s in (100.0, 200.0, 300.0):
        one.failed(admitted(one, now_s), AWAY, now_s)
        told.append(one.to_tell())
    assert [outage is not None for outage in told] == [True, False, False]


@pytest.mark.parametrize("error", [FULL, LOGGED_OUT, Throttled("busy", wait_s=60.0)])
def test_what_will_take_long_is_told_at_once(error: UploaderError) -> None:
    assert opened(breaker(), error).to_tell() is not None


def test_whoever_heard_of_a_dead_login_hears_that_the_server_went_and_that_it_goes_on() -> None:
    one = opened(breaker(), LOGGED_OUT)
    assert one.to_tell() is not None
    one.failed(admitted(one, 100.0), AWAY, 100.0)
    told = one.to_tell()
    assert told is not None
    assert told.trouble is Trouble.SERVER
    ended = one.answered(admitted(one, 200.0))
    assert ended is not None
    assert ended.was_told


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["admit", "answer", "away", "full", "login", "drop", "wait"]), st.integers(0, 5)
        ),
        max_size=80,
    )
)
def test_whatever_happens_one_looks_at_most_and_nothing_else_goes_out(steps: list[tuple[str, int]]) -> None:
    one = Breaker(patience_s=math.inf, login_patience_s=math.inf, looks=LookTimes(), jitter=most)
    errors: dict[str, UploaderError] = {"away": AWAY, "full": FULL, "login": LOGGED_OUT}
    held: list[Ticket] = []
    now_s = 0.0
    for step, which in steps:
        if step == "wait":
            now_s += 20.0 * which
        elif step == "admit":
            was_open = one.outage is not None
            ticket = one.admit(now_s, writes=True)
            if ticket is not None:
                assert ticket.is_look == was_open
                held.append(ticket)
        elif held:
            ticket = held.pop(which % len(held))
            if step == "answer":
                one.answered(ticket)
            elif step == "drop":
                one.dropped(ticket)
            else:
                one.failed(ticket, errors[step], now_s)
        assert sum(ticket.is_look for ticket in held) <= 1
    # Whatever came before: once those under way are over and the server answers, all go on.
    for ticket in held:
        one.dropped(ticket)
    if one.outage is not None:
        one.answered(admitted(one, now_s + 60.0))
    assert admitted(one, now_s) is not None
    assert one.outage is None
