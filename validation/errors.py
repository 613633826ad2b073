"""Exceptions of the library: the world broke, or the caller asked for the impossible. Bad data is an Issue."""

from __future__ import annotations

from collections.abc import Sequence

from validation.model import Issue


class ValidationError(Exception):
    """Root of everything this package raises on purpose."""


class SpecError(ValidationError):
    """A spec cannot be used; `issues` holds every fault found, each with line and remedy."""

    def __init__(self, subject: str, issues: Sequence[Issue]) -> None:
        faults = "1 fault" if len(issues) == 1 else f"{len(issues)} faults"
        super().__init__(f"{subject}: {faults} in the spec")
        self.subject = subject
        self.issues = tuple(issues)
