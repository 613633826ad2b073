"""The folder against the spec: companions, series without gaps, members that a dataset must have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from validation.codes import issue
from validation.model import Issue, Severity
from validation.spec.model import Rule, Spec
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


def companions(dataset: DatasetFiles, spec: Spec) -> Iterator[Issue]:
    """A finding for each companion set that lacks a member, and for each companion without a primary."""
    sets: dict[str, list[Member]] = defaultdict(list)
    for member in dataset.members:
        if member.set_key:
            sets[member.set_key].append(member)
    rules = {rule.id: rule for rule in spec.rules}
    stated = {entry["rule"]: entry for entry in spec.required if "companions" in entry}
    for set_key, members in sets.items():
        primaries = [member for member in members if member.role == "primary"]
        partners = [member for member in members if member.role == "companion"]
        rule = rules.get(members[0].rule)
        entry = stated.get(members[0].rule, {})
        if not primaries:
            yield issue(
                "group.companion_orphan",
                f"{partners[0].path!r} belongs to a file of rule {partners[0].rule} that is not in the folder",
                path=partners[0].path,
                group=f"set:{set_key}",
                origin="companions",
            )
        if rule is None or not primaries or entry.get("companions") == "optional":
            continue
        for template in _absent(rule, partners):
            others = "" if len(primaries) == 1 else f" and {len(primaries) - 1} more"
            yield issue(
                "group.companion_missing",
                f"{primaries[0].path!r}{others} has no {template!r} beside it",
                path=primaries[0].path,
                group=f"set:{set_key}",
                origin="companions",
                severity=_severity(entry),
            )


def series_without_gaps(dataset: DatasetFiles, spec: Spec) -> Iterator[Issue]:
    """A finding for each numbered series with numbers missing between its first and its last.

    Which capture numbers a series is what the spec states for the rule, else the usual names.
    """
    excused = _excused(dataset.typed.get("neverAcquired") or ())
    stated = {entry["rule"]: entry for entry in spec.required if "series" in entry and "rule" in entry}
    for (rule, name, folder, _), numbers in _series(dataset.members, stated).items():
        entry = stated.get(rule, {})
        severity = _GAP_SEVERITIES.get(entry.get("gaps", ""), _severity(entry))
        if entry.get("gaps") == "ignore" or len(numbers) < (1 if entry else FEWEST_MEMBERS):
            continue
        absent = _ranges(sorted(numbers), excused)
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


def required_members(dataset: DatasetFiles, spec: Spec) -> Iterator[Issue]:
    """A finding for each of the spec's completeness rules that the dataset's files do not meet."""
    counts = Counter(member.rule for member in dataset.members if member.role == "primary")
    for entry in spec.required:
        for shortfall in _shortfalls(entry, counts):
            yield issue(
                "group.incomplete",
                f"dataset {dataset.name!r} has {shortfall}",
                path=dataset.folder,
                group=dataset.group,
                origin="required_members",
                severity=_severity(entry),
            )


def _shortfalls(entry: Mapping[str, Any], counts: Mapping[str, int]) -> Iterator[str]:
    """What a completeness rule finds wrong, as the end of a sentence."""
    if "all_of" in entry:
        for rule in entry["all_of"]:
            if not counts.get(rule):
                yield f"no file of rule {rule}; files of {', '.join(entry['all_of'])} are required"
    elif "any_of" in entry:
        have, want = sum(counts.get(rule, 0) for rule in entry["any_of"]), entry.get("min", 1)
        if have < want:
            yield f"{have} files of rules {', '.join(entry['any_of'])}; at least {want} required"
    elif "rule" in entry:
        have = counts.get(entry["rule"], 0)
        if have < entry.get("min", 0):
            yield f"{have} files of rule {entry['rule']}; at least {entry['min']} required"
        if "max" in entry and have > entry["max"]:
            yield f"{have} files of rule {entry['rule']}; at most {entry['max']} allowed"


def _severity(entry: Mapping[str, Any]) -> Severity | None:
    """The severity that a completeness rule states; None: that of the code."""
    return Severity(entry["severity"]) if "severity" in entry else None


def _absent(rule: Rule, partners: Sequence[Member]) -> Iterator[str]:
    """The companion templates of the rule that no member stands for, told apart by how their names end."""
    for template in rule.companions:
        tail = template.rpartition("}")[2].casefold()
        if not any(member.path.casefold().endswith(tail) for member in partners):
            yield template


def _series(
    members: Sequence[Member], stated: Mapping[str, Mapping[str, Any]]
) -> Mapping[tuple[str, str, str, tuple[Any, ...]], set[int]]:
    """(rule, capture, folder, what else the path says) -> the numbers of that series."""
    found: dict[tuple[str, str, str, tuple[Any, ...]], set[int]] = defaultdict(set)
    for member in members:
        if member.role != "primary":
            continue
        names = {stated[member.rule]["series"]} if member.rule in stated else SERIES_NAMES
        for name in names & member.captures.keys():
            number = _whole(member.captures[name])
            if number is not None:
                rest = tuple(
                    (other, str(value))
                    for other, value in sorted(member.captures.items())
                    if other != name and other not in MOMENT_NAMES and value is not None
                )
                found[member.rule, name, member.path.rpartition("/")[0], rest].add(number)
    return found


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
