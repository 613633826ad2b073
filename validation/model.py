"""What a finding is: severity, scope, place, message and remedy, and the report that gathers them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad a finding is. Only an error holds what it is about."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info up to 2 for error, to sort and compare by."""
        return ("info", "warning", "error").index(self.value)


class Scope(StrEnum):
    """What an error holds: exactly this and nothing else (DESIGN 6.1)."""

    FILE = "file"
    GROUP = "group"
    """A companion set, a slice series or a dataset; `Issue.group` names it."""
    RECORD = "record"
    """A row that files refer to; `Issue.group` is its record key."""
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Location:
    """Where in the data a finding is. Empty parts are unknown or do not apply."""

    path: str = ""
    """Relative to the dropped folder, `/` separators; empty: the folder as a whole."""
    field: str = ""
    """A JSON pointer into a document, or a field id of specs/fields.yaml."""
    line: int | None = None
    column: int | None = None
    offset_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding. Make one with `codes.issue`, which knows the defaults of every code."""

    code: str
    severity: Severity
    scope: Scope
    location: Location
    message: str
    """What is wrong, with the values at hand."""
    remedy: str
    """What a person can do about it."""
    group: str = ""
    """Key of the group or record that is held when scope is group or record."""
    origin: str = ""
    """Which check, reader or rule found it."""

    @property
    def holds(self) -> bool:
        """Whether this finding keeps its scope from being sent."""
        return self.severity is Severity.ERROR

    def graded(self, severity: Severity) -> Issue:
        """The same finding at another severity (a spec may re-grade a check)."""
        return replace(self, severity=severity)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary; empty and unknown parts are left out."""
        place = {
            "path": self.location.path,
            "field": self.location.field,
            "line": self.location.line,
            "column": self.location.column,
            "offset_bytes": self.location.offset_bytes,
        }
        document: dict[str, Any] = {
            "code": self.code,
            "severity": self.severity.value,
            "scope": self.scope.value,
            "message": self.message,
            "remedy": self.remedy,
        }
        place = {name: value for name, value in place.items() if value not in ("", None)}
        if place:
            document["location"] = place
        if self.group:
            document["group"] = self.group
        if self.origin:
            document["origin"] = self.origin
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Issue:
        """The finding that `to_json` wrote."""
        return cls(
            code=document["code"],
            severity=Severity(document["severity"]),
            scope=Scope(document["scope"]),
            location=Location(**document.get("location", {})),
            message=document["message"],
            remedy=document["remedy"],
            group=document.get("group", ""),
            origin=document.get("origin", ""),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about one set of files, and which checks did not run (they never count as passed)."""

    issues: tuple[Issue, ...] = ()
    files_checked: int = 0
    checks_not_run: tuple[str, ...] = ()
    subject: str = ""
    """What was checked: the folder or the file as it was given."""
    notes: Mapping[str, Any] = field(default_factory=dict)

    def counts(self) -> dict[Severity, int]:
        """How many findings of each severity, all three always present."""
        found = Counter(issue.severity for issue in self.issues)
        return {severity: found[severity] for severity in Severity}

    @property
    def holds(self) -> bool:
        """Whether any finding holds anything."""
        return any(issue.holds for issue in self.issues)


def worst(issues: Iterable[Issue]) -> Severity | None:
    """The highest severity among the findings, or None when there are none."""
    return max((issue.severity for issue in issues), key=lambda severity: severity.rank, default=None)
