"""Dates and times: text as people send it to the text that is stored, sorted and sent back."""

from __future__ import annotations

import datetime as dt
import re

# Stored as sent back: UTC, trailing zeros of the fraction dropped. In this form text order is time order,
# because `+` sorts before `.` and digits after both.
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_MOMENT = re.compile(
    r"(?P<date>\d{4}-\d{1,2}-\d{1,2})"
    r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<zone>Z|z|UTC|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?)?)?"
)


class OutOfRange(ValueError):
    """Well formed, but no such day or time."""


def date_text(text: str) -> str:
    """A calendar date as `2024-01-02`; a time after it is dropped, as PostgreSQL does."""
    moment = _parse(text)
    return moment.date().isoformat()


def timestamp_text(text: str) -> str:
    """A time without zone as `2024-01-02T03:04:05.6`; a zone in the input is ignored, as PostgreSQL does."""
    return _format(_parse(text).replace(tzinfo=None))


def timestamptz_text(text: str) -> str:
    """A time with zone as `2024-01-02T03:04:05.6+00:00`; without a zone UTC is meant."""
    moment = _parse(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    try:
        return _format(moment.astimezone(dt.UTC).replace(tzinfo=None)) + "+00:00"
    except OverflowError as error:
        raise OutOfRange(text) from error


def utc_text(moment: dt.datetime) -> str:
    """A UTC time as timestamptz columns hold it."""
    return _format(moment.astimezone(dt.UTC).replace(tzinfo=None)) + "+00:00"


def _format(moment: dt.datetime) -> str:
    text = moment.isoformat(timespec="microseconds")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _parse(text: str) -> dt.datetime:
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    date = _DATE.fullmatch(found["date"])
    assert date is not None  # noqa: S101 - the outer pattern has just matched it
    micros = round(int((found["fraction"] or "0").ljust(9, "0")) / 1000)
    try:
        moment = dt.datetime(
            int(date[1]),
            int(date[2]),
            int(date[3]),
            int(found["hour"] or 0),
            int(found["minute"] or 0),
            int(found["second"] or 0),
            tzinfo=_zone(found["zone"]),
        )
        return moment + dt.timedelta(microseconds=micros)
    except (ValueError, OverflowError) as error:
        raise OutOfRange(text) from error


def _zone(text: str | None) -> dt.tzinfo | None:
    if text is None:
        return None
    if text in {"Z", "z", "UTC"}:
        return dt.UTC
    digits = text[1:].replace(":", "")
    offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:4] or 0), seconds=int(digits[4:6] or 0))
    return dt.timezone(-offset if text[0] == "-" else offset)
