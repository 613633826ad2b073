"""Reads the `path:`, `companions:` and `regex:` of a rule into a pattern."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import regex

from validation.spec.patterns import Anchor, Companion, RegexPattern, TemplatePattern
from validation.spec.template import (
    Field,
    Literal,
    Part,
    PathTemplate,
    Segment,
    TemplateError,
    parse,
)
from validation.spec.vocabularies import Vocabulary

_MAX_GROUPS = 100
"""More named groups than any path has parts."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How paths are looked at; stated for the spec or the rule, not in the template."""

    anchor: Anchor = Anchor.ROOT
    ignore_case: bool = False
    nfc: bool = True
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class PathEntry:
    """A path template and the companions read so far."""

    template: PathTemplate
    reading: Reading
    companions: tuple[Companion, ...] = ()

    def with_companion(self, text: str, vocabularies: Mapping[str, Vocabulary]) -> PathEntry:
        """The same with one more companion; raises TemplateError."""
        folder, file = self.template.segments[:-1], self.template.segments[-1]
        known = self.template.fields()
        insert = {"file_name": file.parts}
        stem = _stem(file.parts)
        if stem is not None:
            insert["base_name"] = stem
        own = parse(text, vocabularies, known=known, insert=insert)
        if own.depth is None:
            raise TemplateError("a companion's place is fixed: ** is not allowed in it")
        joined = PathTemplate(text, _without_groups_twice(folder, own.segments))
        return replace(self, companions=(*self.companions, Companion(text, joined, len(folder))))

    def pattern(self) -> TemplatePattern:
        """The pattern of the rule; raises TemplateError when its companions share no field."""
        shared: tuple[str, ...] = ()
        if self.companions:
            folder = PathTemplate("", self.template.segments[:-1]).fields()
            file = [name for name in self.template.fields() if name not in folder]
            shared = tuple(
                name
                for name in file
                if all(name in companion.template.fields() for companion in self.companions)
            )
            varying = any(companion.template.fields().keys() - folder.keys() for companion in self.companions)
            if varying and not shared:
                raise TemplateError(
                    "the companions share no field of the file's name",
                    remedy="Let every companion name one field that they have in common, or use {base_name}.",
                )
        reading = self.reading
        return TemplatePattern(
            text=self.template.text,
            template=self.template,
            anchor=reading.anchor,
            ignore_case=reading.ignore_case,
            nfc=reading.nfc,
            companions=self.companions,
            set_names=shared,
            fallback=reading.fallback,
        )


def read_path(text: str, reading: Reading, vocabularies: Mapping[str, Vocabulary]) -> PathEntry:
    """The path template of a rule; raises TemplateError."""
    template = parse(text, vocabularies)
    if reading.anchor is Anchor.ANYWHERE:
        _refuse_floating(template)
    return PathEntry(template, reading)


def _refuse_floating(template: PathTemplate) -> None:
    """Under `anywhere` something with a form of its own must stand before `**`: else it begins anywhere."""
    if template.segments[0].deep:
        raise TemplateError(
            "a template under `anchor: anywhere` begins with **",
            code="spec.ambiguous",
            remedy="Begin with a folder name, or use `anchor: root`.",
        )
    for segment in template.segments:
        if segment.deep:
            raise TemplateError(
                "under `anchor: anywhere` only free text stands before **",
                code="spec.ambiguous",
                remedy="Put a folder with a fixed or typed part before **, or use `anchor: root`.",
            )
        if not all(isinstance(part, Field) and part.type.open_ended for part in segment.parts):
            return


def _stem(parts: tuple[Part, ...]) -> tuple[Part, ...] | None:
    """The file's name before its last dot, where that dot is literal; None when it is not."""
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if isinstance(part, Literal) and "." in part.text:
            before = part.text.rpartition(".")[0]
            return (*parts[:index], Literal(before)) if before else parts[:index]
    return None


def _without_groups_twice(folder: tuple[Segment, ...], own: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Folder of the primary, then the companion's own segments; a field named in both is taken from the folder.

    The regular expression would accept two different texts for the one name.
    """
    known = PathTemplate("", folder).fields()
    for segment in own:
        for part in segment.parts:
            if isinstance(part, Field) and part.name in known:
                raise TemplateError(
                    f"the companion names {part.name}, which the folder already fixes",
                    remedy="Leave it out: a companion lies in the folder of its file.",
                )
    return (*folder, *own)


def read_regex(text: str, reading: Reading) -> RegexPattern:
    """The `regex:` of a rule; raises regex.error."""
    compile_checked(text)
    return RegexPattern(
        text=text,
        anchor=reading.anchor,
        ignore_case=reading.ignore_case,
        nfc=reading.nfc,
        fallback=reading.fallback,
    )


def compile_checked(text: str) -> regex.Pattern[str]:
    """The compiled expression; raises regex.error, also for what compiles only with a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = regex.compile(text)
    if compiled.groups > _MAX_GROUPS:
        raise regex.error(f"more than {_MAX_GROUPS} groups", text, 0)
    return compiled
