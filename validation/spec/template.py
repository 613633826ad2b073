"""Path templates: the text of a `path:` entry parsed into segments of literals, fields and groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import regex

from validation.spec.fieldtypes import FieldType, FieldTypeError, field_type
from validation.spec.vocabularies import Vocabulary

_NAME = regex.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FIELD = regex.compile(r"([^{}:]*)(?::([a-z]+)(?:\(([^{}]*)\))?)?")
_SPECIAL = frozenset("{}[]()|*\\")


class TemplateError(ValueError):
    """A template is not part of the language. `code` is the issue code to report it under."""

    def __init__(
        self, message: str, *, column: int = 0, code: str = "spec.pattern", remedy: str = ""
    ) -> None:
        super().__init__(message)
        self.column = column
        """Index of the character in the template at which it goes wrong."""
        self.code = code
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands for itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """A named part of a path."""

    name: str
    type: FieldType


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives, of which one (or, when optional, none) stands at this place."""

    branches: tuple[tuple[Part, ...], ...]
    optional: bool
    number: int
    """Unique in the template: names the marker groups of the regular expression."""


Part: TypeAlias = Literal | Field | Group


@dataclass(frozen=True, slots=True)
class Segment:
    """What stands between two `/`; `deep` is `**`: any number of folders, also none."""

    parts: tuple[Part, ...] = ()
    deep: bool = False


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A parsed path template."""

    text: str
    segments: tuple[Segment, ...]

    def fields(self) -> dict[str, FieldType]:
        """Field name -> type, in the order of the path."""
        return {
            part.name: part.type
            for segment in self.segments
            for part in walk(segment.parts)
            if isinstance(part, Field)
        }

    @property
    def depth(self) -> int | None:
        """How many path parts it takes; None when `**` leaves that open."""
        return None if any(segment.deep for segment in self.segments) else len(self.segments)


def walk(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Every part, and every part inside the groups."""
    for part in parts:
        yield part
        if isinstance(part, Group):
            for branch in part.branches:
                yield from walk(branch)


def parse(
    text: str,
    vocabularies: Mapping[str, Vocabulary],
    *,
    known: Mapping[str, FieldType] | None = None,
    insert: Mapping[str, tuple[Part, ...]] | None = None,
) -> PathTemplate:
    """The template that `text` writes; raises TemplateError.

    With `known` (companion templates) a field takes the type it has there and may not state another;
    `insert` gives names that stand for parts of the primary's template.
    """
    return _Parser(text, vocabularies, known, insert or {}).template()


class _Parser:
    """Recursive descent over one template; lives for one call of `parse`."""

    def __init__(
        self,
        text: str,
        vocabularies: Mapping[str, Vocabulary],
        known: Mapping[str, FieldType] | None,
        insert: Mapping[str, tuple[Part, ...]],
    ) -> None:
        self.text = text
        self.at = 0
        self.vocabularies = vocabularies
        self.known = known
        self.insert = insert
        self.groups = 0
        self.seen: set[str] = set()

    def template(self) -> PathTemplate:
        if not self.text or self.text.startswith("/") or self.text.endswith("/"):
            raise TemplateError("a path template begins and ends with a name, not with /")
        segments: list[Segment] = []
        while True:
            segments.append(self.segment())
            if self.at >= len(self.text):
                break
            self.at += 1  # the slash that ended the segment
        for first, second in pairwise(segments):
            if first.deep and second.deep:
                raise TemplateError(
                    "two ** follow each other", remedy="Write ** once.", code="spec.ambiguous"
                )
        if segments[-1].deep:
            raise TemplateError("a template ends with the file's name, not with **")
        for segment in segments:
            _refuse_ambiguous(segment.parts)
        return PathTemplate(self.text, tuple(segments))

    def segment(self) -> Segment:
        start = self.at
        if self.text.startswith("**", start) and self.text[start + 2 : start + 3] in ("", "/"):
            self.at += 2
            return Segment(deep=True)
        branches = self.branches(closing="/")
        if len(branches) > 1:
            self.groups += 1
            return Segment((Group(branches, optional=False, number=self.groups),))
        if not branches[0]:
            raise TemplateError("a path part is empty (two / in a row)", column=start)
        return Segment(branches[0])

    def branches(self, closing: str) -> tuple[tuple[Part, ...], ...]:
        found: list[tuple[Part, ...]] = []
        before = set(self.seen)
        after = set(before)
        while True:
            # The same name may stand once in each alternative, but only once on any way through.
            self.seen = set(before)
            found.append(self.parts(closing))
            after |= self.seen
            if self.text[self.at : self.at + 1] != "|":
                break
            self.at += 1
        self.seen = after
        if len(found) > 1 and any(not branch for branch in found):
            raise TemplateError(
                "an alternative is empty", column=self.at, remedy="Write [...] for a part that may be absent."
            )
        return tuple(found)

    def parts(self, closing: str) -> tuple[Part, ...]:
        parts: list[Part] = []
        literal = ""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in (closing, "|"):
                break
            if char not in _SPECIAL and char != "/":
                literal += char
                self.at += 1
                continue
            if char == "\\" or self.text[self.at : self.at + 2] in ("{{", "}}"):
                if self.at + 1 >= len(self.text) or self.text[self.at + 1] == "/":
                    raise TemplateError("a backslash stands before nothing", column=self.at)
                literal += self.text[self.at + 1]
                self.at += 2
                continue
            if literal:
                parts.append(Literal(literal))
                literal = ""
            parts.extend(self.special(char))
        if literal:
            parts.append(Literal(literal))
        return tuple(parts)

    def special(self, char: str) -> tuple[Part, ...]:
        match char:
            case "{":
                return self.field()
            case "[" | "(":
                return (self.group(char),)
            case "/":
                raise TemplateError(
                    "a group spans folders",
                    column=self.at,
                    remedy="Keep [...] and (...) inside one path part; use ** or a second rule for folders.",
                )
            case "*":
                raise TemplateError(
                    "* stands alone",
                    column=self.at,
                    remedy="Name the part, as in {name}, or write ** between two / for any folders.",
                )
            case _:
                raise TemplateError(
                    f"{char} closes nothing",
                    column=self.at,
                    remedy=f"Write \\{char} for the character itself.",
                )

    def group(self, opening: str) -> Group:
        start, closing = self.at, "]" if opening == "[" else ")"
        self.groups += 1
        number = self.groups
        self.at += 1
        branches = self.branches(closing)
        if self.at >= len(self.text):
            raise TemplateError(f"{opening} is never closed", column=start, remedy=f"Add the {closing}.")
        self.at += 1
        if not branches[0]:
            raise TemplateError("a group is empty", column=start)
        return Group(branches, optional=opening == "[", number=number)

    def field(self) -> tuple[Part, ...]:
        start = self.at
        end = self.text.find("}", start)
        if end < 0:
            raise TemplateError("{ is never closed", column=start, remedy="Add the }.")
        written = self.text[start + 1 : end]
        self.at = end + 1
        found = _FIELD.fullmatch(written)
        name = found.group(1) if found else ""
        if found is None or not _NAME.fullmatch(name):
            raise TemplateError(
                f"{{{written}}} is no field",
                column=start,
                remedy="Write {name} or {name:type}; a name is letters, digits and _, a letter first.",
            )
        if name in self.seen:
            raise TemplateError(
                f"the field {name} stands twice", column=start, remedy="Give the second one another name."
            )
        self.seen.add(name)
        if self.known is not None:
            return self.reference(name, typed=found.group(2) is not None, column=start)
        try:
            kind = field_type(found.group(2) or "text", found.group(3) or "", self.vocabularies)
        except FieldTypeError as error:
            raise TemplateError(str(error), column=start) from error
        return (Field(name, kind),)

    def reference(self, name: str, *, typed: bool, column: int) -> tuple[Part, ...]:
        """A field of a companion template: it means what it means in the rule's path."""
        if typed:
            raise TemplateError(
                f"{name} states a type in a companion",
                column=column,
                remedy="Leave the type out: the rule's path gives it.",
            )
        if name in self.insert:
            return self.insert[name]
        known = self.known or {}
        if name not in known:
            raise TemplateError(
                f"the rule's path has no field {name}",
                column=column,
                code="spec.unknown_name",
                remedy=f"Use one of: {', '.join(sorted({*known, *self.insert}))}.",
            )
        return (Field(name, known[name]),)


def _refuse_ambiguous(parts: tuple[Part, ...]) -> None:
    """Raise when two open-ended fields can touch: nothing would say where one ends."""
    _touching(parts, {""})


def _touching(parts: tuple[Part, ...], before: set[str]) -> set[str]:
    """Names of open fields that may stand right before what follows ('' for none), after checking inside."""
    for part in parts:
        match part:
            case Literal(text):
                ints = sorted(name for name in before if name.endswith(":int"))
                if ints and text[0].isdigit():
                    raise TemplateError(
                        f"a digit follows the number {ints[0].partition(':')[0]}", code="spec.ambiguous"
                    )
                before = {""}
            case Field():
                before = {_after_field(part, before)}
            case Group():
                ends = set(before) if part.optional else set()
                for branch in part.branches:
                    ends |= _touching(branch, before)
                before = ends
    return before


def _after_field(part: Field, before: set[str]) -> str:
    kind = part.type.name
    for neighbour in sorted(before - {""}):
        name, _, other = neighbour.partition(":")
        clash = (kind == other == "text") or (other == "int" and kind in {"int", "digits", "date", "time"})
        if clash:
            raise TemplateError(f"nothing separates the fields {name} and {part.name}", code="spec.ambiguous")
    return f"{part.name}:{kind}" if kind in {"text", "int"} else ""
