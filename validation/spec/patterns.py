"""Compiled forms of path patterns: what the loader makes and the matcher runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import regex

from validation.spec.fieldtypes import FieldType
from validation.spec.template import Field, Group, Literal, Part, PathTemplate, Segment

DEEP = r"(?:[^/]+/)*?"


class Anchor(StrEnum):
    """Where a pattern of our YAML begins (DESIGN 6.2)."""

    ROOT = "root"
    """Below the dropped folder."""
    ROOT_NAME = "root-name"
    """At the dropped folder's own name."""
    ANYWHERE = "anywhere"
    """At any folder boundary, also above the dropped folder."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A companion template of a rule: the rule's folder part, then the companion's own name."""

    text: str
    template: PathTemplate
    folder_depth: int
    """How many leading segments of `template` are the folder of the primary."""


@dataclass(frozen=True, slots=True)
class TemplatePattern:
    """A path template with its anchor and companions."""

    text: str
    template: PathTemplate
    anchor: Anchor
    ignore_case: bool = False
    nfc: bool = True
    companions: tuple[Companion, ...] = ()
    set_names: tuple[str, ...] = ()
    """Fields that every companion shares with the primary: they name the set."""
    fallback: bool = False
    """Takes only what no other rule takes."""

    @property
    def fields(self) -> Mapping[str, FieldType]:
        """Field name -> type."""
        return self.template.fields()


@dataclass(frozen=True, slots=True)
class RegexPattern:
    """The escape hatch `regex:`, one expression for the whole path from its anchor."""

    text: str
    anchor: Anchor
    ignore_case: bool = False
    nfc: bool = True
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class DerivaPattern:
    """dir_pattern, ext_pattern and file_pattern of an asset mapping, each searched in the path."""

    directory: str = ""
    extension: str = ""
    file: str = ""
    relative: bool = False
    """Search the path below the dropped folder instead of the absolute one."""

    @property
    def text(self) -> str:
        """The patterns in the order they are tried."""
        return "  ".join(pattern for _, pattern in self.parts)

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """(name of the entry, pattern) of those given, in the order they are tried."""
        given = (
            ("dir_pattern", self.directory),
            ("ext_pattern", self.extension),
            ("file_pattern", self.file),
        )
        return tuple((name, pattern) for name, pattern in given if pattern)


@dataclass(frozen=True, slots=True)
class Expression:
    """Builds regular expressions from template parts; `loose` accepts what people write instead."""

    loose: bool = False
    markers: bool = False
    """Give each alternative a named group, to see which one was taken."""

    def path(self, segments: tuple[Segment, ...]) -> str:
        """The expression of whole segments, `**` taking its own slashes."""
        last = len(segments) - 1
        return "".join(
            DEEP if segment.deep else self.parts(segment.parts) + ("/" if index < last else "")
            for index, segment in enumerate(segments)
        )

    def parts(self, parts: tuple[Part, ...]) -> str:
        """The expression of parts of one segment."""
        return "".join(self._part(part) for part in parts)

    def _part(self, part: Part) -> str:
        match part:
            case Literal(text):
                return self._literal(text)
            case Field(name, kind):
                return f"(?P<{name}>{kind.loose if self.loose else kind.pattern})"
            case Group():
                branches = "|".join(
                    f"(?P<{marker(part, index)}>{self.parts(branch)})" if self.markers else self.parts(branch)
                    for index, branch in enumerate(part.branches)
                )
                return f"(?:{branches})" + ("?" if part.optional else "")

    def _literal(self, text: str) -> str:
        if not self.loose:
            return regex.escape(text)
        pieces = regex.split(r"([-_. ]+)", text)
        return "".join(
            r"[-_. ]+" if index % 2 else (f"(?i:{regex.escape(piece)})" if piece else "")
            for index, piece in enumerate(pieces)
        )


def marker(group: Group, branch: int) -> str:
    """Name of the group that an expression with markers puts around an alternative."""
    return f"_g{group.number}_{branch}"


def prefix_of(template: PathTemplate) -> str:
    """The literal beginning of every file name the template takes, empty when it has none."""
    parts = template.segments[-1].parts
    return parts[0].text if parts and isinstance(parts[0], Literal) else ""


def suffix_of(template: PathTemplate) -> str:
    """The literal end of every file name the template takes, empty when it has none."""
    parts = template.segments[-1].parts
    return parts[-1].text if parts and isinstance(parts[-1], Literal) else ""
