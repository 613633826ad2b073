"""Limits by the time of day: `mon-fri 08:00-18:00 2MB/s; else full`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time

from uploader.engine.pacing.bandwidth import UNLIMITED, parse_rate
from uploader.model.errors import SettingsError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EVERY_DAY = frozenset(range(7))
_DAY_MINUTES = 24 * 60
_TIMES = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_DAY = rf"(?:{'|'.join(_DAYS)})"
_DAY_LIST = re.compile(rf"{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*")
_EXAMPLE = "`20:00-06:00 full; else 2MB/s` or `mon-fri 08:00-18:00 2MB/s; else full`"


@dataclass(frozen=True, slots=True)
class Span:
    """A limit for some hours of some days."""

    limit_bytes_per_s: int
    days: frozenset[int] = _EVERY_DAY
    """0 is Monday; a span past midnight belongs to the day it begins on."""
    begin: int = 0
    """Minutes after midnight."""
    end: int = _DAY_MINUTES
    """Minutes after midnight; not after `begin`: of the next day."""

    def covers(self, day: int, minute: int) -> bool:
        """Whether it holds at this minute of this weekday."""
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        began_today = day in self.days and minute >= self.begin
        began_yesterday = (day - 1) % 7 in self.days and minute < self.end
        return began_today or began_yesterday


@dataclass(frozen=True, slots=True)
class Schedule:
    """Spans in order of precedence; outside them all, `otherwise` holds.

    Goes by the clock on the wall: an hour that daylight saving skips or repeats is skipped or repeated here too.
    """

    spans: tuple[Span, ...] = ()
    otherwise: int = UNLIMITED

    def limit_at(self, local: datetime) -> int:
        """Bytes per second at this local time; 0: no limit."""
        day, minute = local.weekday(), _minute(local.time())
        for span in self.spans:
            if span.covers(day, minute):
                return span.limit_bytes_per_s
        return self.otherwise

    @staticmethod
    def parse(text: str) -> Schedule:
        """Read `[days] [HH:MM-HH:MM] rate; …; else rate`. Raises SettingsError with an example."""
        spans: list[Span] = []
        otherwise: int | None = None
        for part in _parts(text):
            if otherwise is not None:
                raise _wrong(text, "`else` comes last, and once.")
            words = part.split(maxsplit=1)
            if words[0].lower() == "else":
                otherwise = parse_rate(_rest(text, words))
            else:
                spans.append(_span(text, part))
        return Schedule(tuple(spans), UNLIMITED if otherwise is None else otherwise)


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


def _parts(text: str) -> list[str]:
    # Dashes of all lengths are pasted from mails; `=` before the rate is a habit from settings files.
    plain = text.replace("–", "-").replace("—", "-").replace("=", " ")
    plain = re.sub(r"\s*([-,])\s*", r"\1", plain)
    parts = [part.strip() for part in plain.split(";")]
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    if not all(parts):
        raise _wrong(text, "A part of it is empty.")
    return parts


def _span(text: str, part: str) -> Span:
    days, begin, end = _EVERY_DAY, 0, _DAY_MINUTES
    words = part.split(maxsplit=1)
    is_timed = False
    if _DAY_LIST.fullmatch(words[0].lower()):
        days, is_timed = _days(words[0].lower()), True
        words = _rest(text, words).split(maxsplit=1)
    if times := _TIMES.fullmatch(words[0]):
        (begin, end), is_timed = _minutes(text, times), True
        words = ["", _rest(text, words)]
        return Span(parse_rate(words[1]), days, begin, end)
    if not is_timed:
        raise _wrong(text, f"{part!r} begins with neither days, a time of day nor `else`.")
    return Span(parse_rate(" ".join(words)), days, begin, end)


def _rest(text: str, words: list[str]) -> str:
    if len(words) < 2:
        raise _wrong(text, f"After {words[0]!r} a rate is missing.")
    return words[1]


def _days(words: str) -> frozenset[int]:
    days: set[int] = set()
    for word in words.split(","):
        first, _, last = word.partition("-")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(days)


def _minutes(text: str, match: re.Match[str]) -> tuple[int, int]:
    hours = [int(match[1]), int(match[3])]
    minutes = [int(match[2]), int(match[4])]
    begin, end = (hour * 60 + minute for hour, minute in zip(hours, minutes, strict=True))
    if max(minutes) > 59 or begin >= _DAY_MINUTES or end > _DAY_MINUTES:
        raise _wrong(text, f"{match[0]!r} is not a time of day.")
    if begin == end:
        raise _wrong(text, f"{match[0]!r} lasts no time; a whole day is 00:00-24:00.")
    return begin, end


def _wrong(text: str, why: str) -> SettingsError:
    return SettingsError(
        f"The schedule {text!r} can't be read: {why}",
        detail="No limit was changed.",
        remedy=f"Write for example {_EXAMPLE}.",
    )
