"""Decides which rule of a spec takes a file, and with which values."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

from validation.codes import issue
from validation.model import Issue
from validation.sidecar import SIDECAR_NAME
from validation.spec.diagnosis import Diagnosis
from validation.spec.model import Match, NoMatch, Rule, Spec, SpecForm
from validation.spec.near import NearMiss
from validation.spec.patterns import DerivaPattern, RegexPattern, TemplatePattern
from validation.spec.takers import (
    TIMEOUT_S,
    DerivaTaker,
    PatternTimeout,
    RegexTaker,
    Subject,
    Taken,
    Taker,
    TemplateTaker,
)


def is_sidecar(path: str) -> bool:
    """Whether the file is typed metadata rather than data."""
    return path.rpartition("/")[2] == SIDECAR_NAME


class Matcher:
    """Matches paths below one dropped folder against one spec; safe to share between threads."""

    def __init__(self, spec: Spec, root: PurePosixPath | str, *, timeout_s: float = TIMEOUT_S) -> None:
        # DERIVA's client knows no sidecars: there the file is one like any other.
        self._has_sidecars = spec.form is SpecForm.NANOFERRY
        fallbacks = [rule for rule in spec.rules if _is_fallback(rule)]
        firsts = [rule for rule in spec.rules if not _is_fallback(rule)]
        self._firsts = tuple(_taker(rule, timeout_s) for rule in firsts)
        self._fallbacks = tuple(_taker(rule, timeout_s) for rule in fallbacks)
        self._nfc = any(getattr(rule.pattern, "nfc", False) for rule in spec.rules)
        self._diagnosis = Diagnosis(spec, self._takes)
        prefix = self._normal(PurePosixPath(root).as_posix().rstrip("/") + "/")
        self._prefix = prefix
        self._above = prefix.rstrip("/").rfind("/") + 1

    def match(self, path: str) -> Match | NoMatch:
        """The first rule that takes the file (path relative to the root), or why none does."""
        if self._has_sidecars and is_sidecar(path):
            return NoMatch(expected="typed metadata is read, not sent")
        subject = self.subject(path)
        found, also, issues = self._first(self._firsts, subject)
        if found is None:
            found, _, more = self._first(self._fallbacks, subject)
            issues += more
        if found is None:
            return self._diagnosis.why(subject, issues)
        if also:
            issues += (
                issue(
                    "path.ambiguous",
                    f"rule {found.rule} took it, but {', '.join(also)} would have, too",
                    path=path,
                    origin="match",
                ),
            )
        return Match(
            rule=found.rule,
            captures=found.captures,
            values=found.values,
            path=found.path,
            dataset=found.dataset,
            role=found.role,
            set_key=found.set_key,
            also=also,
            issues=(*found.issues, *issues),
        )

    def subject(self, path: str) -> Subject:
        """The path in the form the rules look at."""
        plain = self._normal(path)
        name = plain.rpartition("/")[2]
        return Subject(path, plain, self._prefix + plain, name, len(self._prefix), self._above)

    def near(self, path: str) -> tuple[NearMiss, ...]:
        """How far each rule gets on the path, the nearest first; proposals are not yet tried."""
        return self._diagnosis.near(self.subject(path))

    def _takes(self, path: str) -> bool:
        subject = self.subject(path)
        return any(self._first(takers, subject)[0] is not None for takers in (self._firsts, self._fallbacks))

    def _normal(self, text: str) -> str:
        return unicodedata.normalize("NFC", text) if self._nfc and not text.isascii() else text

    def _first(
        self, takers: tuple[Taker, ...], subject: Subject
    ) -> tuple[Taken | None, tuple[str, ...], tuple[Issue, ...]]:
        found: Taken | None = None
        also: list[str] = []
        slow: list[Issue] = []
        for taker in takers:
            if found is not None and taker.ordered:
                continue
            try:
                taken = taker.take(subject)
            except PatternTimeout:
                slow.append(
                    issue(
                        "path.pattern_timeout",
                        f"rule {taker.rule_id} gave no answer within its time limit",
                        path=subject.path,
                        origin="match",
                    )
                )
                continue
            if taken is None:
                continue
            if found is None:
                found = taken
            else:
                also.append(taker.rule_id)
        return found, tuple(also), tuple(slow)


def _is_fallback(rule: Rule) -> bool:
    return bool(getattr(rule.pattern, "fallback", False))


def _taker(rule: Rule, timeout_s: float) -> Taker:
    match rule.pattern:
        case TemplatePattern() as pattern:
            return TemplateTaker(rule, pattern, timeout_s)
        case RegexPattern() as pattern:
            return RegexTaker(rule, pattern, timeout_s)
        case DerivaPattern() as pattern:
            return DerivaTaker(rule, pattern, timeout_s)
        case other:
            raise TypeError(f"rule {rule.id} has a pattern of an unknown kind: {type(other).__name__}")
