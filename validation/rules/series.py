"""Numbered series without gaps: slices, frames, tilt steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from validation.codes import issue
from validation.model import Issue, Severity
from validation.record.path_fields import PATH_FIELDS
from validation.rules.completeness import stated_severity
from validation.spec.model import Spec
from validation.subjects import DatasetFiles, Member

SERIES_NAMES = frozenset({"slice", "section", "frame", "series", "image", "index", "tile", "layer", "z"})
"""Captures that number the members of a series. Acquisition numbers are not among them: people skip some."""
MOMENT_NAMES = frozenset({"time", "date", "acquired", "timestamp"})
"""Captures that differ within a series without splitting it."""
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
    for (rule, name, folder), numbers, known in _series(dataset.members, stated):
        entry = stated.get(rule, {})
        severity = _GAP_SEVERITIES.get(entry.get("gaps", ""), stated_severity(entry))
        if entry.get("gaps") == "ignore" or len(numbers) < (1 if entry else FEWEST_MEMBERS):
            continue
        absent = _ranges(sorted(known), excused)
        if absent:
            count = sum(last - first + 1 for first, last in absent)
            where = folder or dataset.folder or dataset.name
            yield issue(
                "group.gap",
                f"{where}: {name} runs from {min(numbers)} to {max(numbers)} (rule {rule}), "
                f"{_ranges_in_words(absent)} {'is' if count == 1 else 'are'} missing",
                path=dataset.folder,
                field=name,
                group=dataset.group,
                remedy="Copy the missing members, or note in nanoferry.yaml `neverAcquired: "
                f"[{_ranges_in_words(absent[:3])}]`.",
                origin="series_without_gaps",
                severity=severity,
            )


def _series(
    members: Sequence[Member], stated: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[tuple[str, str, str], set[int], set[int]]]:
    """(rule, capture, folder), the numbers of one series, and those that are accounted for between its ends.

    Files of a folder that differ in other captures may be series of their own, each counting from its start,
    or one series that counts on from area to area. When no number is there twice, the second is taken to
    hold: a number that another series has is not missing here.
    """
    found: dict[tuple[str, str, str], dict[tuple[Any, ...], set[int]]] = defaultdict(lambda: defaultdict(set))
    for member in members:
        if member.role != "primary":
            continue
        names = {stated[member.rule]["series"]} if member.rule in stated else SERIES_NAMES
        for name in names & member.captures.keys():
            number = _whole(member.captures[name])
            if number is not None:
                folder = member.path.rpartition("/")[0]
                found[member.rule, name, folder][_series_key(member.captures, name)].add(number)
    for place, apart in found.items():
        union = set().union(*apart.values())
        counts_on = len(union) == sum(len(numbers) for numbers in apart.values())
        for numbers in apart.values():
            low, high = min(numbers), max(numbers)
            yield place, numbers, {n for n in union if low <= n <= high} if counts_on else numbers


def _series_key(captures: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    """What the path says besides the number, the moment and the instrument's settings."""
    return tuple(
        (other, str(value))
        for other, value in sorted(captures.items())
        if other != name
        and other not in MOMENT_NAMES
        and other.lower() not in PATH_FIELDS
        and value is not None
    )


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    # Longer digit strings are ids or timestamps, not places in a series.
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
        else None
    )


def _ranges(numbers: Sequence[int], excused: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The gaps between sorted numbers as (first, last), without what is excused; never expands a range."""
    gaps = [(a + 1, b - 1) for a, b in pairwise(numbers) if b - a > 1]
    for low, high in excused:
        left = []
        for first, last in gaps:
            if high < first or low > last:
                left.append((first, last))
                continue
            if first < low:
                left.append((first, low - 1))
            if last > high:
                left.append((high + 1, last))
        gaps = left
    return gaps


def _excused(words: Sequence[Any]) -> list[tuple[int, int]]:
    """`[3, "10-14"]` of the sidecar as ranges; anything else excuses nothing."""
    excused = []
    for word in words:
        first, dash, last = str(word).partition("-")
        start, end = _whole(first.strip()), _whole(last.strip()) if dash else _whole(first.strip())
        if start is not None and end is not None:
            excused.append((start, end))
    return excused


def _ranges_in_words(ranges: Sequence[tuple[int, int]]) -> str:
    words = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:MOST_NAMED]]
    more = len(ranges) - MOST_NAMED
    return ", ".join(words) + (f" and {more} more ranges" if more > 0 else "")
