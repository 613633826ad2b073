"""Judges `version_compatibility`: ranges of client versions that a bulk-upload document was written for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import regex

from validation.model import Severity
from validation.spec.faults import Faults

FOLLOWED_VERSION = (1, 7)
"""Version of the DERIVA client whose reading of the form we follow."""
_CONSTRAINT = regex.compile(r"\s*(>=|<=|==|!=|~=|>|<)\s*v?([0-9]+(?:\.[0-9]+)*)(?:[-.+]?[0-9A-Za-z.+-]*)\s*")


def check_versions(faults: Faults, document: Mapping[str, Any]) -> None:
    """Warn when no range covers the version we follow: other programs than DERIVA's number themselves, too."""
    ranges = document.get("version_compatibility")
    if not isinstance(ranges, list) or not ranges:
        return
    fits = False
    for index, constraints in enumerate(ranges):
        if not isinstance(constraints, list):
            continue
        judged = [_holds(text) for text in constraints if isinstance(text, str)]
        if None in judged:
            faults.add(
                "spec.version",
                ("version_compatibility", index),
                "a version range is not readable",
                remedy="Write it as in >=1.0.0.",
                severity=Severity.WARNING,
            )
            continue
        fits = fits or all(judged)
    if not fits:
        followed = ".".join(str(part) for part in FOLLOWED_VERSION)
        faults.add(
            "spec.version",
            ("version_compatibility",),
            f"the spec is for other versions of its client than {followed}, which Nanoferry follows",
            remedy="Ask the catalog's owner whether the spec works with DERIVA clients of that version.",
            severity=Severity.WARNING,
        )


def _holds(text: str) -> bool | None:
    """Whether the version we follow keeps the constraint; None: it is not readable."""
    found = _CONSTRAINT.fullmatch(text)
    if found is None:
        return None
    wanted = tuple(int(part) for part in found.group(2).split("."))
    size = max(len(wanted), len(FOLLOWED_VERSION))
    ours = FOLLOWED_VERSION + (0,) * (size - len(FOLLOWED_VERSION))
    theirs = wanted + (0,) * (size - len(wanted))
    prefix = max(1, len(wanted) - 1)
    judged: dict[str, bool] = {
        ">=": ours >= theirs,
        "<=": ours <= theirs,
        ">": ours > theirs,
        "<": ours < theirs,
        "!=": ours != theirs,
        "==": ours == theirs,
        "~=": ours >= theirs and ours[:prefix] == theirs[:prefix],
    }
    return judged[found.group(1)]
