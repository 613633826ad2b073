"""Measures how far a path template gets on a path and what name it would have taken instead."""

from __future__ import annotations

from dataclasses import dataclass, field

import regex

from validation.spec.patterns import Anchor, Expression, TemplatePattern, marker
from validation.spec.takers import TIMEOUT_S, Subject
from validation.spec.template import Field, Group, Literal, Part, Segment

_FREE = 0.1
"""Weight of a segment that is one free-text field: that it fits says little."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """How far one rule got on a path."""

    rule: str
    score: float
    """0: nothing in common; 1: all parts fit."""
    matched_part: str
    failed_part: str
    expected: str
    proposal: str = ""
    """A path it might take; not tried yet."""


@dataclass(frozen=True, slots=True)
class FolderNear:
    """What a template makes of a folder, whatever the file in it is called."""

    weight: float = 0.0
    """Weight of the folder parts that fit."""
    total: float = 0.0
    failed: str = ""
    """The first folder part that does not fit; empty when all do."""
    matched: str = ""
    """The path before it."""
    expected: str = ""
    renamed: tuple[str, ...] | None = field(default=())
    """Folder parts below the root as the template wants them; None: they cannot be guessed."""


class SegmentNear:
    """One segment of a template, with its loose form and the forms of its beginnings."""

    def __init__(self, segment: Segment, *, ignore_case: bool) -> None:
        self._parts = segment.parts
        flags = regex.IGNORECASE if ignore_case else 0
        strict = Expression()
        self._strict = regex.compile(strict.parts(segment.parts), flags)
        self._loose = regex.compile(Expression(loose=True, markers=True).parts(segment.parts), flags)
        self._beginnings = tuple(
            regex.compile(strict.parts(segment.parts[:count]), flags)
            for count in range(len(segment.parts) + 1)
        )
        self._ending = regex.compile(f"(?:{strict.parts(_ending(segment.parts))})\\Z", flags)
        free = len(segment.parts) == 1 and isinstance(segment.parts[0], Field)
        self.weight = _FREE if free and segment.parts[0].type.open_ended else 1.0  # type: ignore[union-attr]

    def fits(self, text: str) -> bool:
        """Whether the segment takes the text."""
        try:
            if self._strict.fullmatch(text, timeout=TIMEOUT_S) is None:
                return False
        except TimeoutError:
            return False
        return True

    def failure(self, text: str) -> tuple[float, str, str]:
        """(how well the text fits, the part of it that was taken, what was expected behind that).

        Half the fit is the ending: a picture with a bad name is nearer to the rule for pictures than to one for
        other kinds of file, however much of the name that one would take.
        """
        try:
            share, taken, expected = self._failure(text)
            ends_well = self._ending.search(text, timeout=TIMEOUT_S) is not None
        except TimeoutError:
            return 0.0, "", _wanted(self._parts)
        return (share + ends_well) / 2, taken, expected

    def _failure(self, text: str) -> tuple[float, str, str]:
        count, taken = 0, ""
        last: Part | None = None
        # A beginning fits only if every shorter one does: the first that does not ends the search.
        for beginning in self._beginnings[1:]:
            found = beginning.match(text, timeout=TIMEOUT_S)
            if found is None:
                break
            last = self._parts[count]
            count += 1
            # A free text at the end takes one character only: what counts is what stands before it.
            open_ended = isinstance(last, Field) and last.type.open_ended
            taken = (
                text[: found.start(last.name)] if open_ended and isinstance(last, Field) else found.group()
            )
        if count == len(self._parts):
            return 0.9, taken, "the end of the name"
        before = [repr(taken)] if taken else []
        if isinstance(last, Field) and last.type.open_ended:
            before.append(last.name)
        behind = f" after {' and '.join(before)}" if before else ""
        return count / (len(self._parts) + 1), taken, f"{_wanted(self._parts[count:])}{behind}"

    def renamed(self, text: str) -> str | None:
        """The name this segment would take in place of the text; None: it cannot be guessed."""
        if self.fits(text):
            return text
        try:
            found = self._loose.fullmatch(text, timeout=TIMEOUT_S)
            return None if found is None else _rewritten(self._parts, found)
        except (TimeoutError, ValueError):
            return None

    @property
    def wanted(self) -> str:
        """What it takes, in words."""
        return _wanted(self._parts)


def _ending(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The last literal and what follows it: the suffix of a file's name; nothing when the end is free text."""
    last = parts[-1]
    if isinstance(last, Literal):
        return (last,)
    if isinstance(last, Field) and last.type.open_ended:
        return ()
    return parts[-2:]


class TemplateNear:
    """A path template laid against paths part by part."""

    def __init__(self, rule: str, pattern: TemplatePattern) -> None:
        self._rule = rule
        self._anchor = pattern.anchor
        segments = pattern.template.segments
        deep = [index for index, segment in enumerate(segments) if segment.deep]
        near = [None if s.deep else SegmentNear(s, ignore_case=pattern.ignore_case) for s in segments]
        cut = deep[0] if deep else len(near) - 1
        self._head = tuple(segment for segment in near[:cut] if segment)
        # Behind the first `**` only what stands between the last one and the file can be laid from the end.
        last_deep = deep[-1] if deep else cut - 1
        self._tail = tuple(segment for segment in near[last_deep + 1 : -1] if segment)
        self._deep = bool(deep)
        file = near[-1]
        assert file is not None  # noqa: S101 - the parser refuses a template that ends with **
        self._file = file

    def folder(self, folder: str, subject: Subject) -> FolderNear:
        """What the template makes of this folder."""
        parts = [part for part in folder.split("/") if part]
        inside = len([part for part in subject.full[: subject.root_chars].split("/") if part])
        first = {Anchor.ROOT: inside, Anchor.ROOT_NAME: max(0, inside - 1)}.get(self._anchor)
        if first is not None:
            return self._laid(parts, first, inside)
        if not self._deep:
            return self._laid(parts, len(parts) - len(self._head), inside)
        starts = range(max(1, len(parts) - len(self._head) - len(self._tail) + 1))
        # Of equal ones the innermost: what fails is sooner a folder of the dropped tree than one above it.
        laid = [self._laid(parts, start, inside) for start in reversed(starts)]
        return max(laid, key=lambda near: near.weight)

    def _laid(self, parts: list[str], first: int, inside: int) -> FolderNear:
        """Head from `first` on, tail up to the end."""
        total = sum(segment.weight for segment in (*self._head, *self._tail))
        places = [(first + offset, segment) for offset, segment in enumerate(self._head)]
        tail_start = max(len(parts) - len(self._tail), first + len(self._head))
        places += [(tail_start + offset, segment) for offset, segment in enumerate(self._tail)]
        weight = 0.0
        failed = expected = ""
        matched_to = len(parts)
        renamed: list[str] | None = parts[:]
        for index, segment in places:
            if not 0 <= index < len(parts):
                if not expected:
                    failed, expected = "the file's name", f"a folder with {segment.wanted}"
                    matched_to = min(matched_to, max(index, 0))
                renamed = None
                continue
            if segment.fits(parts[index]):
                weight += segment.weight
                continue
            if not expected:
                failed, matched_to = parts[index], index
                expected = segment.failure(parts[index])[2]
            better = segment.renamed(parts[index]) if index >= inside else None
            if better is None or renamed is None:
                renamed = None
            else:
                renamed[index] = better
        surplus = len(parts) - first - len(self._head)
        if not self._deep and surplus > 0:
            renamed = None
            if not expected:
                matched_to = len(parts) - surplus
                failed, expected = parts[matched_to], f"a file with {self._file.wanted}"
        return FolderNear(
            weight=weight,
            total=total,
            failed=failed,
            matched="/".join(parts[max(first, inside, 0) : matched_to]),
            expected=expected,
            renamed=None if renamed is None else tuple(renamed[inside:]),
        )

    def near(self, subject: Subject, folder: FolderNear) -> NearMiss:
        """How far the template gets on the file, given what it made of its folder."""
        name = subject.full.rpartition("/")[2]
        total = folder.total + self._file.weight
        better = self._file.renamed(name)
        proposal = ""
        if better is not None and folder.renamed is not None:
            proposal = "/".join((*folder.renamed, better))
        if self._file.fits(name):
            score = (folder.weight + self._file.weight) / total
            return NearMiss(
                self._rule,
                score,
                folder.matched,
                folder.failed or name,
                folder.expected or "a real date",
                proposal,
            )
        share, taken, expected = self._file.failure(name)
        score = (folder.weight + (0.95 if better is not None else share) * self._file.weight) / total
        if folder.expected:
            return NearMiss(self._rule, score, folder.matched, folder.failed, folder.expected, proposal)
        matched = "/".join(part for part in (folder.matched, taken) if part)
        return NearMiss(self._rule, score, matched, name, expected, proposal)


def _rewritten(parts: tuple[Part, ...], found: regex.Match[str]) -> str:
    """The text of the parts with what the loose form captured; ValueError when a value cannot be guessed."""
    out: list[str] = []
    for part in parts:
        match part:
            case Literal(text):
                out.append(text)
            case Field(name, kind):
                captured = found.group(name)
                if captured is None:
                    raise ValueError(name)
                out.append(kind.rewritten(captured))
            case Group():
                for index, branch in enumerate(part.branches):
                    if found.group(marker(part, index)) is not None:
                        out.append(_rewritten(branch, found))
                        break
    return "".join(out)


def _wanted(parts: tuple[Part, ...]) -> str:
    """What may come next, in words: optional parts, then the first that must be there."""
    words: list[str] = []
    for part in parts:
        match part:
            case Literal(text):
                words.append(repr(text))
            case Field(name, kind):
                words.append(f"{name} ({kind.words})")
            case Group():
                words += [_wanted(branch) for branch in part.branches]
        if not (isinstance(part, Group) and part.optional):
            break
    return " or ".join(words) if words else "the end of the name"
