"""The ordered lists of checks, and the one way to run them: per file, per dataset, per target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeAlias

from validation.codes import issue
from validation.facts import CatalogFacts
from validation.grading import grade
from validation.members import Members
from validation.model import Issue
from validation.rules import (
    completeness,
    consistency,
    duplicates,
    metadata,
    naming,
    plausibility,
    series,
    target,
)
from validation.spec.model import Rule, Spec
from validation.subjects import CheckedFile, DatasetFiles, Depth, FieldSummary, HeaderSummary, Member

__all__ = [
    "CheckedFile",
    "DatasetFiles",
    "Depth",
    "FieldSummary",
    "HeaderSummary",
    "Member",
    "Members",
    "check_dataset",
    "check_file",
    "check_member",
    "check_target",
    "grade",
]

FileCheck: TypeAlias = Callable[[CheckedFile, Spec, datetime], Iterable[Issue]]
DatasetCheck: TypeAlias = Callable[[DatasetFiles, Spec], Iterable[Issue]]
TargetCheck: TypeAlias = Callable[[Spec, CatalogFacts], Iterable[Issue]]

FILE_CHECKS: tuple[tuple[Depth, FileCheck], ...] = (
    (Depth.NAMES, naming.rule_took_it),
    (Depth.NAMES, naming.one_rule_only),
    (Depth.NAMES, naming.not_empty),
    (Depth.HEADERS, consistency.header_findings),
    (Depth.HEADERS, consistency.path_against_header),
    (Depth.HEADERS, consistency.path_operator),
    (Depth.HEADERS, consistency.typed_against_header),
    (Depth.HEADERS, consistency.expected_fields),
    (Depth.HEADERS, plausibility.in_range),
    (Depth.HEADERS, plausibility.not_in_the_future),
)
"""Run for every file, cheap before dear."""

DATASET_CHECKS: tuple[tuple[Depth, DatasetCheck], ...] = (
    (Depth.NAMES, completeness.companions),
    (Depth.NAMES, series.series_without_gaps),
    (Depth.NAMES, completeness.required_members),
    (Depth.HEADERS, metadata.one_instrument),
    (Depth.HEADERS, metadata.document_at_level),
)
"""Run once for each dataset, after its files; `duplicates.one_file_per_target` runs while they pass by."""

TARGET_CHECKS: tuple[TargetCheck, ...] = (
    target.tables_exist,
    target.columns_exist,
    target.required_columns_filled,
    target.rights,
)
"""Run once for a spec and the catalog it is to write to."""


def check_file(file: CheckedFile, spec: Spec, depth: Depth, now: datetime) -> tuple[Issue, ...]:
    """Every finding about one file, graded as the spec says.

    Takes in the findings that the match and the header already carry, with the file's path filled in.
    """
    found: list[Issue] = []
    for least, check in FILE_CHECKS:
        if least.rank <= depth.rank:
            found += _guarded(check.__name__, file.path, "", lambda: check(file, spec, now))  # noqa: B023
    return grade(found, spec, () if file.rule is None else (file.rule,))


def check_member(dataset: DatasetFiles, member: Member, spec: Spec) -> tuple[Issue, ...]:
    """Take one more file into the dataset; the findings about that file beside those before it."""
    holder = dataset.members.add(member)
    if not holder:
        return ()
    found = duplicates.one_file_per_target(dataset, member, holder)
    return grade(found, spec, tuple(rule for rule in spec.rules if rule.id == member.rule))


def check_dataset(dataset: DatasetFiles, spec: Spec, depth: Depth) -> tuple[Issue, ...]:
    """Every finding about a dataset as a whole: members, series, companions and its metadata document."""
    found: list[Issue] = []
    for least, check in DATASET_CHECKS:
        if least.rank <= depth.rank:
            found += _guarded(
                check.__name__,
                dataset.folder,
                dataset.group,
                lambda: check(dataset, spec),  # noqa: B023
            )
    return grade(found, spec, _rules_of(dataset, spec))


def check_target(spec: Spec, facts: CatalogFacts) -> tuple[Issue, ...]:
    """Every finding about the spec against the live catalog: tables, columns, not-null, rights."""
    found: list[Issue] = []
    for check in TARGET_CHECKS:
        found += _guarded(check.__name__, "", "", lambda: check(spec, facts))  # noqa: B023
    return grade(found, spec)


def _rules_of(dataset: DatasetFiles, spec: Spec) -> tuple[Rule, ...]:
    """The rules that took the dataset's members, in the order of the spec."""
    return tuple(rule for rule in spec.rules if rule.id in dataset.members.rules)


def _guarded(name: str, path: str, group: str, run: Callable[[], Iterable[Issue]]) -> list[Issue]:
    """What a check finds; a check that crashes becomes a finding itself, and the run goes on."""
    try:
        return list(run())
    except Exception as error:  # noqa: BLE001  any fault of a check must not cost the run
        return [
            issue(
                "check.crashed",
                f"the check {name} crashed: {type(error).__name__}: {error}",
                path=path,
                group=group,
                origin=name,
            )
        ]
