"""The folder against the spec: companions, and members that a dataset must have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from validation.codes import issue
from validation.model import Issue, Severity
from validation.spec.model import Rule, Spec
from validation.subjects import DatasetFiles, Member


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
                f"{primaries[0].path!r}{others} has no {_name(template, primaries[0])!r} beside it",
                path=primaries[0].path,
                group=f"set:{set_key}",
                origin="companions",
                severity=stated_severity(entry),
            )


def _name(template: str, primary: Member) -> str:
    """The companion's name as far as the primary's own name tells it; other fields keep their braces."""
    name = primary.path.rpartition("/")[2]
    base = name.rpartition(".")[0] or name
    return template.replace("{base_name}", base).replace("{file_name}", name)


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


def _absent(rule: Rule, partners: Sequence[Member]) -> Iterator[str]:
    """The companion templates of the rule that no member stands for, told apart by how their names end."""
    for template in rule.companions:
        tail = template.rpartition("}")[2].casefold()
        if not any(member.path.casefold().endswith(tail) for member in partners):
            yield template
