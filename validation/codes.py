"""Every issue code: default severity, scope, title and remedy. An unknown code is a programming error."""

from __future__ import annotations

from validation.code import Code
from validation.codes_of_files import CODES_OF_FILES
from validation.codes_of_targets import CODES_OF_TARGETS
from validation.model import Issue, Location, Scope, Severity

__all__ = ["CODES", "Code", "UnknownIssueCodeError", "issue"]


class UnknownIssueCodeError(KeyError):
    """A check used a code that the table does not hold: a mistake in the program, not in the data."""


CODES: dict[str, Code] = {**CODES_OF_FILES, **CODES_OF_TARGETS}


def issue(
    code: str,
    message: str,
    *,
    path: str = "",
    field: str = "",
    line: int | None = None,
    column: int | None = None,
    offset_bytes: int | None = None,
    group: str = "",
    origin: str = "",
    severity: Severity | None = None,
    scope: Scope | None = None,
    remedy: str = "",
) -> Issue:
    """A finding with the code's defaults; raises UnknownIssueCodeError for a code not in the table."""
    try:
        known = CODES[code]
    except KeyError:
        raise UnknownIssueCodeError(code) from None
    return Issue(
        code=code,
        severity=severity or known.severity,
        scope=scope or known.scope,
        location=Location(path, field, line, column, offset_bytes),
        message=message,
        remedy=remedy or known.remedy,
        group=group,
        origin=origin,
    )
