"""What the path and the directory entry say: a rule takes the file, only one does, and it is not empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from validation.codes import issue
from validation.model import Issue
from validation.sidecar import SIDECAR_NAME
from validation.spec.model import NoMatch, Spec, UnmatchedPolicy
from validation.subjects import CheckedFile


def rule_took_it(file: CheckedFile, spec: Spec, _now: datetime) -> Iterator[Issue]:
    """The findings of the match, and one when no rule takes the file and the spec does not ignore that.

    Whether unmatched files hold the folder is decided once for the run, not for each file.
    """
    for found in file.match.issues:
        yield replace(found, location=replace(found.location, path=found.location.path or file.path))
    if not isinstance(file.match, NoMatch) or spec.unmatched is UnmatchedPolicy.IGNORE:
        return
    if file.path.rpartition("/")[2] == SIDECAR_NAME:
        return
    if any(found.code == "path.unmatched" for found in file.match.issues):
        return
    proposal = file.match.proposal
    yield issue(
        "path.unmatched",
        file.match.reason,
        path=file.path,
        remedy=f"Rename it to {proposal!r}, or extend the spec." if proposal else "",
        origin="rule_took_it",
    )


def one_rule_only(file: CheckedFile, _spec: Spec, _now: datetime) -> Iterator[Issue]:
    """A finding when later rules of the spec would have taken the file too."""
    if isinstance(file.match, NoMatch) or not file.match.also:
        return
    if any(found.code == "path.ambiguous" for found in file.match.issues):
        return
    others = ", ".join(file.match.also)
    yield issue(
        "path.ambiguous",
        f"rule {file.match.rule} took it; {others} would have taken it too",
        path=file.path,
        origin="one_rule_only",
    )


def not_empty(file: CheckedFile, _spec: Spec, _now: datetime) -> Iterator[Issue]:
    """A finding when the file has no bytes."""
    if file.size_bytes == 0:
        yield issue("source.empty", "the file has 0 bytes", path=file.path, origin="not_empty")
