"""What is known of an issue code before any file is seen, and short names for the tables of codes."""

from __future__ import annotations

from dataclasses import dataclass

from validation.model import Scope, Severity

INFO, WARNING, ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR
FILE, GROUP, RECORD, RUN = Scope.FILE, Scope.GROUP, Scope.RECORD, Scope.RUN


@dataclass(frozen=True, slots=True)
class Code:
    """Default severity and scope of a finding, its title, and what a person can do about it."""

    severity: Severity
    scope: Scope
    title: str
    remedy: str
