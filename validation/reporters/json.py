"""Renders a report as JSON (`nanoferry.report/1`, specs/meta/report.schema.json) and reads it back."""

from __future__ import annotations

import json
from typing import Any

from validation.errors import ValidationError
from validation.model import Issue, Report

REPORT_SCHEMA = "nanoferry.report/1"


class ReportUnreadable(ValidationError):
    """The text is not a saved report."""


def render(report: Report) -> str:
    """The report as one JSON document, ASCII only, keys in the documented order, without a final newline."""
    return json.dumps(to_json(report), indent=1, allow_nan=False)


def to_json(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "schema": REPORT_SCHEMA,
        "subject": report.subject,
        "files_checked": report.files_checked,
        "holds": report.holds,
        "counts": {severity.value: count for severity, count in report.counts().items()},
        "checks_not_run": list(report.checks_not_run),
        "notes": dict(report.notes),
        "issues": [issue.to_json() for issue in report.issues],
    }


def read(text: str | bytes) -> Report:
    """The report that `render` wrote; raises ReportUnreadable."""
    try:
        document = json.loads(text)
        if document["schema"] != REPORT_SCHEMA:
            raise ReportUnreadable(
                f"the report is of schema {document['schema']!r}; this version reads {REPORT_SCHEMA}"
            )
        return Report(
            issues=tuple(Issue.from_json(entry) for entry in document["issues"]),
            files_checked=int(document["files_checked"]),
            checks_not_run=tuple(document["checks_not_run"]),
            subject=document["subject"],
            notes=document["notes"],
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReportUnreadable(f"this is not a saved report: {error}") from error
