"""Schedules as a person types them, at every edge of a day."""

from contextlib import suppress
from datetime import datetime
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.engine.pacing.schedule import Schedule
from uploader.model.errors import SettingsError

SLOW = 2_000_000
# 2 March 2026 is a Monday.
MON, TUE, FRI, SAT, SUN = 2, 3, 6, 7, 8


def at(day: int, clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{day:02d}T{clock}")


@pytest.mark.parametrize(
    ("text", "day", "clock", "limit"),
    [
        ("20:00-06:00 full; else 2MB/s", MON, "19:59:59", SLOW),
        ("20:00-06:00 full; else 2MB/s", MON, "20:00", 0),
        ("20:00-06:00 full; else 2MB/s", TUE, "05:59:59", 0),
        ("20:00-06:00 full; else 2MB/s", TUE, "06:00", SLOW),
        ("20:00–06:00=full; else=2MB/s", TUE, "23:30", 0),
        ("mon-fri 08:00-18:00 2MB/s; else full", FRI, "17:59", SLOW),
        ("mon-fri 08:00-18:00 2MB/s; else full", SAT, "12:00", 0),
        ("mon-fri 08:00-18:00 2MB/s", SAT, "12:00", 0),
        # A span past midnight belongs to the day it begins on.
        ("fri 20:00-06:00 2MB/s", SAT, "05:00", SLOW),
        ("fri 20:00-06:00 2MB/s", FRI, "05:00", 0),
        ("sun 22:00-04:00 2MB/s", MON, "03:00", SLOW),
        # Days without times are whole days; ranges may pass Sunday; the first span that fits counts.
        ("sat,sun full; else 2MB/s", SUN, "00:00", 0),
        ("sat-mon full; else 2MB/s", MON, "23:59", 0),
        ("sat-mon full; else 2MB/s", TUE, "00:00", SLOW),
        ("12:00-13:00 full; 08:00-18:00 2MB/s; else 1MB/s", MON, "12:30", 0),
        ("12:00-13:00 full; 08:00-18:00 2MB/s; else 1MB/s", MON, "13:00", SLOW),
        ("12:00-13:00 full; 08:00-18:00 2MB/s; else 1MB/s", MON, "18:00", 1_000_000),
        ("00:00-24:00 2MB/s", MON, "23:59:59", SLOW),
        ("18:00-00:00 2MB/s", MON, "23:59", SLOW),
        ("18:00-00:00 2MB/s", MON, "00:00", 0),
        ("Mon - Fri 8:00 - 18:00 16 Mbit/s;", MON, "08:00", SLOW),
        ("else 2MB/s", MON, "08:00", SLOW),
    ],
)
def test_the_limit_at_a_moment(text: str, day: int, clock: str, limit: int) -> None:
    assert Schedule.parse(text).limit_at(at(day, clock)) == limit


def test_the_night_the_clocks_change_goes_by_the_clock_on_the_wall() -> None:
    schedule = Schedule.parse("02:00-04:00 2MB/s; else full")
    zone = ZoneInfo("Europe/Berlin")
    # 02:30 does not exist on 29 March 2026; an hour and a half after 01:30 it is 04:00.
    spring = datetime.fromisoformat("2026-03-29T01:30+01:00").timestamp()
    limits = [schedule.limit_at(datetime.fromtimestamp(spring + s, zone)) for s in (0, 1800, 3600, 5400)]
    assert limits == [0, SLOW, SLOW, 0]
    # 02:30 comes twice on 25 October 2026: the span lasts three hours.
    autumn = datetime.fromisoformat("2026-10-25T01:30+02:00").timestamp()
    hours = [schedule.limit_at(datetime.fromtimestamp(autumn + 3600 * h, zone)) for h in range(5)]
    assert hours == [0, SLOW, SLOW, SLOW, 0]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("full", "begins with neither"),
        ("20:00-06:00", "rate is missing"),
        ("mon-fri", "rate is missing"),
        ("else", "rate is missing"),
        ("25:00-06:00 full", "not a time of day"),
        ("20:00-06:61 full", "not a time of day"),
        ("24:00-06:00 full", "not a time of day"),
        ("20:00-24:01 full", "not a time of day"),
        ("08:00-08:00 full", "lasts no time"),
        ("else full; 20:00-06:00 full", "comes last"),
        ("else full; else 2MB/s", "comes last"),
        ("20:00-06:00 full;; else 2MB/s", "empty"),
        ("8-18 2MB/s", "begins with neither"),
        ("monday 2MB/s", "begins with neither"),
        ("20:00-06:00 fast", "not a rate"),
        ("mon 20:00 full", "not a"),
    ],
)
def test_what_cannot_be_read_is_answered_with_an_example(text: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word) as told:
        Schedule.parse(text)
    assert told.value.remedy


TIMES = st.tuples(st.integers(0, 23), st.integers(0, 59))


@given(TIMES, TIMES)
def test_a_span_and_its_complement_cover_every_minute_once(
    begin: tuple[int, int], end: tuple[int, int]
) -> None:
    if begin == end:
        return
    first, last = ("{:02d}:{:02d}".format(*each) for each in (begin, end))
    inside, outside = Schedule.parse(f"{first}-{last} 2MB/s"), Schedule.parse(f"{last}-{first} 2MB/s")
    for hour, minute in product(range(24), (0, begin[1], end[1], 59)):
        moment = at(MON, f"{hour:02d}:{minute:02d}")
        assert sorted((inside.limit_at(moment), outside.limit_at(moment))) == [0, SLOW]


@given(st.text(alphabet="mon-fri,;: 0123456789elsfuMB/", max_size=40))
def test_any_text_is_a_schedule_or_a_settings_error(text: str) -> None:
    with suppress(SettingsError):
        assert Schedule.parse(text).limit_at(at(MON, "12:00")) >= 0
