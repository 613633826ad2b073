"""Numbered series without gaps: slices, frames, tilt steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from validation.codes import issue
from validation.model import Issue, Severity
from validation.number_series import whole_number
from validation.rules.completeness import stated_severity
from validation.spec.model import Spec
from validation.subjects import DatasetFiles

FEWEST_MEMBERS = 3
"""Two files are no series."""
MOST_NAMED = 10
"""Missing numbers or files that a message names before it only counts."""


_GAP_SEVERITIES: Mapping[str, Severity | None] = {
    "info": Severity.INFO,
    "warn": Severity.WARNING,
    "hold": Severity.ERROR,
    "ignore": None,
}
"""What `gaps:` of a completeness rule means; None: say nothing."""


def series_without_gaps(dataset: DatasetFiles, spec: Spec) -> Iterator[Issue]:
    """A finding for each numbered series with numbers missing between its first and its last.

    Which capture numbers a series is what the spec states for the rule, else the usual names.
    """
    excused = _excused(dataset.typed.get("neverAcquired") or ())
    stated = {entry["rule"]: entry for entry in spec.required if "series" in entry and "rule" in entry}
    for one in dataset.members.series:
        entry = stated.get(one.rule, {})
        severity = _GAP_SEVERITIES.get(entry.get("gaps", ""), stated_severity(entry))
        if entry.get("gaps") == "ignore" or one.count < (1 if entry else FEWEST_MEMBERS):
            continue
        absent = _left_out(one.gaps, excused)
        if absent:
            count = sum(last - first + 1 for first, last in absent)
            where = one.folder or dataset.folder or dataset.name
            yield issue(
                "group.gap",
                f"{where}: {one.capture} runs from {one.low} to {one.high} (rule {one.rule}), "
                f"{_ranges_in_words(absent)} {'is' if count == 1 else 'are'} missing",
                path=dataset.folder,
                field=one.capture,
                group=dataset.group,
                remedy="Copy the missing members, or note in nanoferry.yaml `neverAcquired: "
                f"[{_ranges_in_words(absent[:3])}]`.",
                origin="series_without_gaps",
                severity=severity,
            )


def _left_out(gaps: Sequence[tuple[int, int]], excused: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The gaps as (first, last), without what is excused; never expands a range."""
    found = list(gaps)
    for low, high in excused:
        left = []
        for first, last in found:
            if high < first or low > last:
                left.append((first, last))
                continue
            if first < low:
                left.append((first, low - 1))
            if last > high:
                left.append((high + 1, last))
        found = left
    return found


def _excused(words: Sequence[Any]) -> list[tuple[int, int]]:
    """`[3, "10-14"]` of the sidecar as ranges; anything else excuses nothing."""
    excused = []
    for word in words:
        first, dash, last = str(word).partition("-")
        start, end = (
            whole_number(first.strip()),
            whole_number(last.strip()) if dash else whole_number(first.strip()),
        )
        if start is not None and end is not None:
            excused.append((start, end))
    return excused


def _ranges_in_words(ranges: Sequence[tuple[int, int]]) -> str:
    words = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:MOST_NAMED]]
    more = len(ranges) - MOST_NAMED
    return ", ".join(words) + (f" and {more} more ranges" if more > 0 else "")
