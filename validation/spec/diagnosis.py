"""Says why no rule took a file: the nearest rule, where it failed, and a name that would match."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import regex

from validation.model import Issue
from validation.spec.model import NoMatch, Rule, Spec
from validation.spec.near import FolderNear, NearMiss, TemplateNear
from validation.spec.patterns import DerivaPattern, TemplatePattern
from validation.spec.takers import TIMEOUT_S, Subject

_FAR = 0.3
"""Below this score a rule has nothing in common with the path worth naming."""
_CACHED_FOLDERS = 512


class _Near(Protocol):
    def folder(self, folder: str, subject: Subject) -> FolderNear: ...

    def near(self, subject: Subject, folder: FolderNear) -> NearMiss: ...


class Diagnosis:
    """Explains misses under one spec; the work on folders is done once per folder."""

    def __init__(self, spec: Spec, takes: Callable[[str], bool]) -> None:
        self._takes = takes
        self._rules: tuple[_Near, ...] = tuple(_near(rule) for rule in spec.rules)
        self._folders: dict[str, tuple[FolderNear, ...]] = {}

    def why(self, subject: Subject, issues: tuple[Issue, ...]) -> NoMatch:
        """The reason as a value, with a proposal only if that name really matches."""
        misses = self.near(subject)
        best = misses[0] if misses else None
        if best is None or best.score < _FAR:
            return NoMatch(issues=issues)
        return NoMatch(
            nearest=best.rule,
            matched_part=best.matched_part,
            failed_part=best.failed_part,
            expected=best.expected,
            proposal=self.proposal(subject, misses),
            issues=issues,
        )

    def near(self, subject: Subject) -> tuple[NearMiss, ...]:
        """How far each rule gets, the nearest first; rules of equal score in the spec's order."""
        folder = subject.full.rpartition("/")[0]
        known = self._folders.get(folder)
        if known is None:
            known = tuple(rule.folder(folder, subject) for rule in self._rules)
            if len(self._folders) >= _CACHED_FOLDERS:
                self._folders.clear()
            self._folders[folder] = known
        misses = [rule.near(subject, part) for rule, part in zip(self._rules, known, strict=True)]
        return tuple(sorted(misses, key=lambda miss: -miss.score))

    def proposal(self, subject: Subject, misses: tuple[NearMiss, ...]) -> str:
        """A path that a rule takes, from the nearest rule that can offer one; empty when none can."""
        for miss in misses:
            if miss.score < _FAR:
                break
            if miss.proposal and miss.proposal != subject.plain and self._takes(miss.proposal):
                return miss.proposal
        return ""


def _near(rule: Rule) -> _Near:
    if isinstance(rule.pattern, TemplatePattern):
        return TemplateNear(rule.id, rule.pattern)
    if isinstance(rule.pattern, DerivaPattern):
        return _DerivaNear(rule.id, rule.pattern)
    return _WholeNear(rule.id, rule.pattern.text)


@dataclass(frozen=True, slots=True)
class _WholeNear:
    """An expression for the whole path: it fits or it does not, nothing in between can be told."""

    rule: str
    text: str

    def folder(self, folder: str, subject: Subject) -> FolderNear:
        return FolderNear()

    def near(self, subject: Subject, folder: FolderNear) -> NearMiss:
        return NearMiss(self.rule, 0.0, "", subject.plain, f"a path like the expression {self.text}")


class _DerivaNear:
    """Patterns of an asset mapping: names the first that is not found."""

    def __init__(self, rule: str, pattern: DerivaPattern) -> None:
        self._rule = rule
        self._relative = pattern.relative
        self._parts = tuple(
            (name, text, regex.compile(text, regex.IGNORECASE if name == "ext_pattern" else 0))
            for name, text in pattern.parts
        )

    def folder(self, folder: str, subject: Subject) -> FolderNear:
        return FolderNear()

    def near(self, subject: Subject, folder: FolderNear) -> NearMiss:
        text = subject.plain if self._relative else subject.full
        found = [self._search(expression, text) for _, _, expression in self._parts]
        score = sum(found) / max(1, len(found))
        for (name, pattern, _), hit in zip(self._parts, found, strict=True):
            if not hit:
                name_of_file = subject.plain.rpartition("/")[2]
                part = subject.plain if name == "dir_pattern" else name_of_file
                return NearMiss(self._rule, score, "", part, f"{name} {pattern}")
        return NearMiss(self._rule, score, subject.plain, "", "")

    def _search(self, expression: regex.Pattern[str], text: str) -> bool:
        try:
            return expression.search(text, timeout=TIMEOUT_S) is not None
        except TimeoutError:
            return False
