"""Header values against what is physically plausible, and acquisition times against the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from validation.codes import issue
from validation.instruments.fields import fields
from validation.instruments.model import Header
from validation.model import Issue
from validation.spec.model import Spec
from validation.subjects import CheckedFile

FAR_OFFSET = timedelta(hours=14)
"""A local time without offset may be this far ahead of UTC (Kiribati) without lying in the future."""
CLOCK_SLACK = timedelta(minutes=10)
"""The clocks of an acquisition PC and of this one are never equal."""


NOT_RECORDED = 0.0
"""Many instruments write 0 for a sensor that is off; voltage, distance and current of 0 say nothing."""


def in_range(file: CheckedFile, _spec: Spec, _now: datetime) -> Iterator[Issue]:
    """A finding for each header value outside the range that specs/fields.yaml calls plausible."""
    if file.header is None:
        return
    table = fields()
    for field_id, found in file.header.fields.items():
        entry = table.get(field_id)
        if entry is None or entry.plausible is None:
            continue
        low, high = entry.plausible
        parts = found.value if isinstance(found.value, tuple | list) else (found.value,)
        numbers = [part for part in parts if isinstance(part, int | float) and not isinstance(part, bool)]
        wrong = [number for number in numbers if number != NOT_RECORDED and not low <= number <= high]
        if wrong:
            unit = "" if entry.unit == "1" else f" {entry.unit}"
            yield issue(
                "header.out_of_range",
                f"{field_id} is {wrong[0]:g}, plausible is {low:g} to {high:g}{unit} (tag {found.source})",
                path=file.path,
                field=field_id,
                origin="in_range",
            )


def not_in_the_future(file: CheckedFile, _spec: Spec, now: datetime) -> Iterator[Issue]:
    """A finding when the header's acquisition time has not come yet, whatever the time zone."""
    acquired = _acquired(file.header)
    if acquired is None:
        return
    if acquired.tzinfo is None:
        latest = now.astimezone(UTC).replace(tzinfo=None) + FAR_OFFSET
    else:
        latest = now.astimezone(UTC)
    if acquired > latest + CLOCK_SLACK:
        yield issue(
            "header.future",
            f"acquired is {acquired.isoformat()}, this computer's clock says "
            f"{now.astimezone(UTC).isoformat(timespec='seconds')}",
            path=file.path,
            field="acquired",
            origin="not_in_the_future",
        )


def _acquired(header: Header | None) -> datetime | None:
    value = None if header is None else header.value("acquired")
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
