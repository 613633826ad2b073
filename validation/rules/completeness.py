"""The folder against the spec: companions, and members that a dataset must have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from validation.codes import issue
from validation.model import Issue, Severity
from validation.spec.model import Spec
from validation.subjects import DatasetFiles


def companions(dataset: DatasetFiles, spec: Spec) -> Iterator[Issue]:
    """A finding for each companion set that lacks a member, and for each companion without a primary."""
    rules = {rule.id for rule in spec.rules}
    stated = {entry["rule"]: entry for entry in spec.required if "companions" in entry}
    for found in dataset.members.sets.unfinished():
        entry = stated.get(found.rule, {})
        if not found.primary:
            yield issue(
                "group.companion_orphan",
                f"{found.partner!r} belongs to a file of rule {found.rule} that is not in the folder",
                path=found.partner,
                group=f"set:{found.set_key}",
                origin="companions",
            )
        if found.rule not in rules or not found.primary or entry.get("companions") == "optional":
            continue
        for template in found.absent:
            others = "" if found.primaries == 1 else f" and {found.primaries - 1} more"
            yield issue(
                "group.companion_missing",
                f"{found.primary!r}{others} has no {_name(template, found.primary)!r} beside it",
                path=found.primary,
                group=f"set:{found.set_key}",
                origin="companions",
                severity=stated_severity(entry),
            )


def _name(template: str, path: str) -> str:
    """The companion's name as far as the primary's own name tells it; other fields keep their braces."""
    name = path.rpartition("/")[2]
    base = name.rpartition(".")[0] or name
    return template.replace("{base_name}", base).replace("{file_name}", name)


def required_members(dataset: DatasetFiles, spec: Spec) -> Iterator[Issue]:
    """A finding for each of the spec's completeness rules that the dataset's files do not meet."""
    for entry in spec.required:
        for shortfall in _shortfalls(entry, dataset.members.primaries):
            yield issue(
                "group.incomplete",
                f"dataset {dataset.name!r} has {shortfall}",
                path=dataset.folder,
                group=dataset.group,
                origin="required_members",
                severity=stated_severity(entry),
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


def stated_severity(entry: Mapping[str, Any]) -> Severity | None:
    """The severity that a completeness rule states; None: that of the code."""
    return Severity(entry["severity"]) if "severity" in entry else None
