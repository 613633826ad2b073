"""Gives findings the severity that the spec and its form ask for (DESIGN 6.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from validation.model import Issue, Severity
from validation.spec.model import Rule, Spec, SpecForm

DERIVA_ERRORS = frozenset(
    {
        "source.unreadable",
        "source.folder_unreadable",
        "catalog.record_missing",
        "catalog.table_missing",
        "catalog.column_missing",
        "catalog.column_required",
        "catalog.no_right",
    }
)
"""All that may hold anything under a DERIVA bulk-upload document; a missing table is every column unknown."""


def grade(issues: Iterable[Issue], spec: Spec, rules: Sequence[Rule] = ()) -> tuple[Issue, ...]:
    """The findings at the severity the rules give their code; those switched off are left out.

    Of several rules the first that names a code decides. A code that none names keeps the severity of
    the code table, where every check is at most a warning. Under a DERIVA document the fixed list decides.
    """
    named = _named(rules)
    graded = []
    for issue in issues:
        if issue.code in named:
            severity = named[issue.code]
            if severity is None:
                continue
            issue = issue if issue.severity is severity else issue.graded(severity)  # noqa: PLW2901
        if spec.form is SpecForm.DERIVA and issue.holds and issue.code not in DERIVA_ERRORS:
            issue = issue.graded(Severity.WARNING)  # noqa: PLW2901
        graded.append(issue)
    return tuple(graded)


def _named(rules: Sequence[Rule]) -> Mapping[str, Severity | None]:
    named: dict[str, Severity | None] = {}
    for rule in rules:
        for code, severity in rule.checks.items():
            named.setdefault(code, severity)
    return named
