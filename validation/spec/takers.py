"""One rule ready to run: tests a path against the rule's pattern and gathers what it captures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import regex

from validation.codes import issue
from validation.model import Issue
from validation.spec import placeholders
from validation.spec.model import Rule
from validation.spec.patterns import (
    Anchor,
    Companion,
    DerivaPattern,
    Expression,
    RegexPattern,
    TemplatePattern,
    prefix_of,
    suffix_of,
)
from validation.spec.template import PathTemplate, Segment

_CACHED_VALUES = 4096

TIMEOUT_S = 1.0
"""Longest time one expression may take on one path."""


class PatternTimeout(Exception):
    """An expression did not come to an end in its time."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A path in the form that patterns look at."""

    path: str
    """As the scan gave it, relative to the root."""
    plain: str
    """Relative, in the spec's Unicode form."""
    full: str
    """Absolute."""
    name: str
    """The file's name, in the spec's Unicode form."""
    root_chars: int
    """Length of the root with its slash: where `plain` begins in `full`."""
    above_chars: int
    """Where the root's own name begins in `full`."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a rule got out of a path it takes."""

    rule: str
    captures: Mapping[str, str]
    values: Mapping[str, Any]
    path: str
    dataset: str = ""
    role: str = "primary"
    set_key: str = ""
    issues: tuple[Issue, ...] = ()


class Taker(Protocol):
    """A rule ready to run."""

    @property
    def rule_id(self) -> str:
        """Id of the rule."""

    @property
    def ordered(self) -> bool:
        """Whether order alone decides between rules of its form, so that nobody asks who else would match."""

    def take(self, subject: Subject) -> Taken | None:
        """What the rule gets out of the path; None: it does not take it. May raise PatternTimeout."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A template compiled for its anchor."""

    expression: regex.Pattern[str]
    anchor: Anchor
    depth: int | None
    prefix: str
    """What the file's name must begin with: a cheap first test, as is `suffix`."""
    suffix: str
    timeout_s: float

    def run(self, subject: Subject) -> tuple[regex.Match[str], int] | None:
        """The match and where the text it ran on begins in `subject.full`."""
        if self.prefix and not subject.name.startswith(self.prefix):
            return None
        if self.suffix and not subject.name.endswith(self.suffix):
            return None
        try:
            return self._run(subject)
        except TimeoutError as error:
            raise PatternTimeout from error

    def _run(self, subject: Subject) -> tuple[regex.Match[str], int] | None:
        if self.anchor is Anchor.ANYWHERE:
            if self.depth is None:
                found = self.expression.search(subject.full, timeout=self.timeout_s)
                return (found, 0) if found else None
            # A template of fixed depth can only begin that many parts from the end.
            start = len(subject.full)
            for _ in range(self.depth):
                if start < 0:
                    return None
                start = subject.full.rfind("/", 0, start) if start else -1
            text = subject.full[start + 1 :]
            begin = start + 1
        else:
            begin = subject.root_chars if self.anchor is Anchor.ROOT else subject.above_chars
            text = subject.full[begin:]
        found = self.expression.fullmatch(text, timeout=self.timeout_s)
        return (found, begin) if found else None


def _candidate(pattern: TemplatePattern, segments: tuple[Segment, ...], timeout_s: float) -> _Candidate:
    template = PathTemplate(pattern.text, segments)
    body = Expression().path(segments)
    if pattern.anchor is Anchor.ANYWHERE and template.depth is None:
        # The outermost place where it fits: the same whichever folder was dropped.
        body = rf"(?:^|(?<=/))(?:{body})\Z"
    flags = regex.IGNORECASE if pattern.ignore_case else 0
    return _Candidate(
        regex.compile(body, flags),
        pattern.anchor,
        template.depth,
        "" if pattern.ignore_case else prefix_of(template),
        "" if pattern.ignore_case else suffix_of(template),
        timeout_s,
    )


class TemplateTaker:
    """Runs a path template and the templates of its companions."""

    ordered = False

    def __init__(self, rule: Rule, pattern: TemplatePattern, timeout_s: float) -> None:
        self.rule_id = rule.id
        self._rule = rule
        self._pattern = pattern
        self._types = dict(pattern.fields)
        self._typed = tuple(
            n for n, kind in self._types.items() if kind.name in {"int", "date", "time", "vocab"}
        )
        self._values: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._dataset = _named_in(rule, pattern.fields)
        self._primary = _candidate(pattern, pattern.template.segments, timeout_s)
        self._companions = tuple(
            (companion, _candidate(pattern, companion.template.segments, timeout_s))
            for companion in pattern.companions
        )

    def take(self, subject: Subject) -> Taken | None:
        """The primary if the path is one, else the companion it is, else None."""
        taken = self._take(subject, self._primary, None)
        if taken is not None:
            return taken
        for companion, candidate in self._companions:
            taken = self._take(subject, candidate, companion)
            if taken is not None:
                return taken
        return None

    def _take(self, subject: Subject, candidate: _Candidate, companion: Companion | None) -> Taken | None:
        result = candidate.run(subject)
        if result is None:
            return None
        found, begin = result
        captures = {name: text for name, text in found.groupdict().items() if text is not None}
        values: dict[str, Any] = dict.fromkeys(self._types)
        values.update(captures)
        try:
            for name in self._typed:
                if name in captures:
                    values.update(self._value(name, captures[name]))
        except ValueError:
            return None  # 20110230 has the form of a date and is none
        captures = {name: captures[name] for name in self._types if name in captures}
        dataset = placeholders.fill(self._rule.dataset, values) or "" if self._rule.dataset else ""
        path = object_path(self._dataset, found, begin, subject)
        return Taken(
            rule=self.rule_id,
            captures=captures,
            values=values,
            path=path,
            dataset=dataset,
            role="companion" if companion else "primary",
            set_key=self._set_key(captures, dataset, path, companion),
        )

    def _value(self, name: str, text: str) -> Mapping[str, Any]:
        """The typed value of a field and its details; the same few texts come again and again."""
        known = self._values.get((name, text))
        if known is not None:
            return known
        kind = self._types[name]
        term = kind.value(text)
        found = {name: term, **{f"{name}.{entry}": v for entry, v in kind.details.get(term, {}).items()}}
        if len(self._values) >= _CACHED_VALUES:
            self._values.clear()
        self._values[name, text] = found
        return found

    def _set_key(
        self, captures: Mapping[str, str], dataset: str, path: str, companion: Companion | None
    ) -> str:
        """Rule, dataset, folder of the primary in it, and the fields that all members share."""
        if not self._companions:
            return ""
        folder = path.rpartition("/")[0]
        if companion is not None:
            # A companion may lie in a folder below the primary's.
            for _ in range(len(companion.template.segments) - companion.folder_depth - 1):
                folder = folder.rpartition("/")[0]
        shared = (captures.get(name, "") for name in self._pattern.set_names)
        return "|".join((self.rule_id, dataset, folder, *shared))


def object_path(fields: tuple[str, ...], found: regex.Match[str], begin: int, subject: Subject) -> str:
    """The part below the folder that the last of these dataset fields names (DESIGN 6.2)."""
    last = max((found.end(name) for name in fields), default=-1)
    if last < 0:
        # No field names a folder: everything below the anchor belongs to the one dataset.
        return subject.full[begin + found.start() :]
    slash = subject.full.find("/", begin + last)
    return subject.full[slash + 1 :] if slash >= 0 else subject.full.rpartition("/")[2]


def dataset_fields(template: str) -> frozenset[str]:
    """The names in a dataset template; empty for none."""
    return placeholders.names(template) if template else frozenset()


def _named_in(rule: Rule, groups: Iterable[str]) -> tuple[str, ...]:
    """The fields of the path that the rule's dataset names, `technique.label` counted as `technique`."""
    wanted = {name.partition(".")[0] for name in dataset_fields(rule.dataset)}
    return tuple(name for name in groups if name in wanted)


class RegexTaker:
    """Runs the `regex:` of a rule."""

    ordered = False

    def __init__(self, rule: Rule, pattern: RegexPattern, timeout_s: float) -> None:
        self.rule_id = rule.id
        self._rule = rule
        body = f"(?:{pattern.text})"
        if pattern.anchor is Anchor.ANYWHERE:
            body = rf"(?:^|(?<=/)){body}\Z"
        flags = regex.IGNORECASE if pattern.ignore_case else 0
        self._candidate = _Candidate(regex.compile(body, flags), pattern.anchor, None, "", "", timeout_s)
        self._dataset = _named_in(rule, self._candidate.expression.groupindex)

    def take(self, subject: Subject) -> Taken | None:
        """The named groups when the expression takes the whole path from its anchor."""
        result = self._candidate.run(subject)
        if result is None:
            return None
        found, begin = result
        values = found.groupdict()
        return Taken(
            rule=self.rule_id,
            captures={name: text for name, text in values.items() if text is not None},
            values=values,
            path=object_path(self._dataset, found, begin, subject),
            dataset=placeholders.fill(self._rule.dataset, values) or "" if self._rule.dataset else "",
        )


class DerivaTaker:
    """Searches the patterns of an asset mapping one after the other and merges their groups."""

    ordered = True

    def __init__(self, rule: Rule, pattern: DerivaPattern, timeout_s: float) -> None:
        self.rule_id = rule.id
        self._relative = pattern.relative
        self._timeout_s = timeout_s
        self._expressions = tuple(
            (name, regex.compile(text, regex.IGNORECASE if name == "ext_pattern" else 0))
            for name, text in pattern.parts
        )

    def take(self, subject: Subject) -> Taken | None:
        """The merged groups when every pattern is found; a group that took no part hides none that did."""
        text = subject.plain if self._relative else subject.full
        values: dict[str, Any] = {}
        above: set[str] = set()
        for _, expression in self._expressions:
            try:
                found = expression.search(text, timeout=self._timeout_s)
            except TimeoutError as error:
                raise PatternTimeout from error
            if found is None:
                return None
            for name, value in found.groupdict().items():
                if value is None:
                    values.setdefault(name, None)
                    continue
                values[name] = value
                if not self._relative and found.start(name) < subject.above_chars:
                    above.add(name)
        values["base_path"] = subject.full.rpartition("/")[0] or "/"
        return Taken(
            rule=self.rule_id,
            captures={n: v for n, v in values.items() if v is not None and n != "base_path"},
            values=values,
            path=subject.plain,
            issues=_above_root(subject, above),
        )


def _above_root(subject: Subject, names: set[str]) -> tuple[Issue, ...]:
    if not names:
        return ()
    return (
        issue(
            "path.above_root",
            f"the group {', '.join(sorted(names))} took its value from a folder above the dropped one",
            path=subject.path,
            origin="match",
        ),
    )
