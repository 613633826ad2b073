"""Dates and times as vendors write them. Nothing is guessed: no zone, no order of day and month."""

from __future__ import annotations

import re
from datetime import datetime

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan",
            "feb",
            "mar mär mrz",
            "apr",
            "may mai",
            "jun",
            "jul",
            "aug",
            "sep",
            "oct okt",
            "nov",
            "dec dez",
        ),
        start=1,
    )
    for name in names.split()
}
_NAMED_MONTH = re.compile(r"\b([A-Za-zäÄ]{3})[a-z]*\.?(?=[ \-.]\d{4})")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)? ?(Z|[+-]\d\d:?\d\d)?",
)


def local_time(text: str, patterns: tuple[str, ...]) -> tuple[str, str] | None:
    """(ISO 8601 local time to the second, offset as `+02:00` or empty) by the first fitting pattern.

    A pattern is a strptime pattern with numbers only (`%m` also takes an English or German month name), or
    `iso`. strptime's own month names would follow the computer's language.
    """
    text = text.strip()[:64]
    for pattern in patterns:
        if pattern == "iso":
            found = _ISO.fullmatch(text)
            if found is not None and (moment := _parsed(f"{found[1]}T{found[2]}", "%Y-%m-%dT%H:%M:%S")):
                return moment, _offset(found[3] or "")
        elif moment := _parsed(_NAMED_MONTH.sub(_month_number, text), pattern):
            return moment, ""
    return None


def _month_number(found: re.Match[str]) -> str:
    return f"{_MONTHS.get(found[1].lower(), found[1])}"


def _parsed(text: str, pattern: str) -> str:
    try:
        moment = datetime.strptime(text, pattern)  # noqa: DTZ007  # the instrument states no zone
    except ValueError:
        return ""
    return moment.isoformat(timespec="seconds") if moment.year > 1970 else ""


def _offset(text: str) -> str:
    if text == "Z":
        return "+00:00"
    return text if len(text) in {0, 6} else f"{text[:3]}:{text[3:]}"
