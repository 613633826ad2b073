"""Explains what a spec makes of a path, for `nanoferry explain` and the app's *Why?*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from validation.spec.example import example
from validation.spec.matching import Matcher
from validation.spec.model import Match, NoMatch, Spec
from validation.spec.near import NearMiss
from validation.spec.patterns import TemplatePattern

_NEAR_SHOWN = 2
"""Further rules named in words; `--json` has them all."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a file goes where it goes, or why it goes nowhere."""

    path: str
    """Relative to the root, as it was asked."""
    spec: str
    """Id and version of the spec."""
    result: Match | NoMatch
    pattern: str
    """The pattern of the rule that took it, or of the nearest one; empty when none is near."""
    near: tuple[NearMiss, ...]
    """How far the other rules got, the nearest first."""
    example: str = ""
    """A path that the nearest rule takes; empty when the file matches or has a proposal of its own."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The parts of the path with their values; empty when no rule took the file."""
        return self.result.values if isinstance(self.result, Match) else {}

    @property
    def proposal(self) -> str:
        """A path that would match; empty when the file matches, or no honest guess exists."""
        return "" if isinstance(self.result, Match) else self.result.proposal

    def lines(self) -> list[str]:
        """The explanation as plain lines for a person."""
        if isinstance(self.result, Match):
            return [*self._match_lines(self.result), *self._near_lines("also considered")]
        lines = [f"{self.path}: {self.result.reason}"]
        if self.result.matched_part:
            lines.append(f"  accepted so far: {self.result.matched_part}")
        if self.pattern:
            lines.append(f"  pattern: {self.pattern}")
        if self.proposal:
            lines.append(f"  would match: {self.proposal}")
        if self.example:
            lines.append(f"  takes for example: {self.example}")
        return [*lines, *self._near_lines("further away")]

    def _match_lines(self, match: Match) -> list[str]:
        role = " as a companion" if match.role == "companion" else ""
        lines = [
            f"{self.path}: rule {match.rule} of {self.spec} takes it{role}",
            f"  pattern: {self.pattern}",
        ]
        for name, value in match.values.items():
            if value is None:
                continue
            text = match.captures.get(name)
            written = f" (written {text})" if text is not None and text != str(value) else ""
            lines.append(f"  {name} = {value}{written}")
        if match.dataset:
            lines.append(f"  dataset: {match.dataset}")
        lines.append(f"  path in the dataset: {match.path}")
        lines += [f"  {issue.severity.value}: {issue.message}" for issue in match.issues]
        return lines

    def _near_lines(self, title: str) -> list[str]:
        return [
            f"  {title}: {miss.rule} failed at {miss.failed_part!r}: expected {miss.expected}"
            for miss in self.near[:_NEAR_SHOWN]
            if miss.expected
        ]

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary for `--json`."""
        document: dict[str, Any] = {
            "path": self.path,
            "spec": self.spec,
            "matched": isinstance(self.result, Match),
            "pattern": self.pattern,
            "near": [
                {"rule": miss.rule, "failed_part": miss.failed_part, "expected": miss.expected}
                for miss in self.near
                if miss.expected
            ],
        }
        if isinstance(self.result, Match):
            match = self.result
            document |= {
                "rule": match.rule,
                "role": match.role,
                "values": {name: value for name, value in match.values.items() if value is not None},
                "dataset": match.dataset,
                "object_path": match.path,
                "also": list(match.also),
            }
        else:
            miss = self.result
            document |= {
                "nearest": miss.nearest,
                "matched_part": miss.matched_part,
                "failed_part": miss.failed_part,
                "expected": miss.expected,
                "proposal": miss.proposal,
                "example": self.example,
            }
        document["issues"] = [issue.to_json() for issue in self.result.issues]
        return document


def explain(spec: Spec, root: PurePosixPath | str, path: str) -> Explanation:
    """What the spec makes of a path (relative to the root) and how far each other rule got."""
    matcher = Matcher(spec, root)
    result = matcher.match(path)
    chosen = result.rule if isinstance(result, Match) else result.nearest
    pattern = spec.rule(chosen).pattern.text if chosen else ""
    near = tuple(miss for miss in matcher.near(path) if miss.rule != chosen)
    return Explanation(path, f"{spec.id} {spec.version}", result, pattern, near, _example(spec, result))


def _example(spec: Spec, result: Match | NoMatch) -> str:
    if isinstance(result, Match) or result.proposal or not result.nearest:
        return ""
    pattern = spec.rule(result.nearest).pattern
    return example(pattern.template) if isinstance(pattern, TemplatePattern) else ""
