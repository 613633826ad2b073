"""Value templates (`{sample} {date}`): parsing them, naming what they need, filling them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import regex

_PLACEHOLDER = regex.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
# A bounded format specification: no nesting, no attribute access, no megabytes of padding.
_FORMAT = regex.compile(r"(?:.?[<>=^])?[-+ ]?#?0?[0-9]{0,3}[,_]?(?:\.[0-9]{1,2})?[bcdeEfFgGnosxX%]?")


class PlaceholderError(ValueError):
    """A value template is malformed; the text says how."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A name to be replaced, with the format to write its value in."""

    name: str
    format: str = ""


Piece: TypeAlias = str | Placeholder


@lru_cache(maxsize=4096)
def parse(template: str) -> tuple[Piece, ...]:
    """Literal text and placeholders of the template, in order; raises PlaceholderError."""
    pieces: list[Piece] = []
    literal = ""
    at = 0
    for found in _PLACEHOLDER.finditer(template):
        literal += template[at : found.start()]
        at = found.end()
        if found.group(1) is None:
            if found.group() not in ("{{", "}}"):
                raise PlaceholderError(f"a {found.group()} stands alone; write it twice for the character")
            literal += found.group()[0]
            continue
        if literal:
            pieces.append(literal)
            literal = ""
        pieces.append(_placeholder(found.group(1)))
    literal += template[at:]
    if literal:
        pieces.append(literal)
    return tuple(pieces)


def _placeholder(written: str) -> Placeholder:
    name, _, form = written.partition(":")
    name, _, conversion = name.partition("!")
    if not name or name != name.strip() or conversion not in ("", "s"):
        raise PlaceholderError(f"{{{written}}} names no value")
    if "[" in name or "]" in name:
        raise PlaceholderError(f"{{{written}}} reaches inside a value; name the value itself")
    if not _FORMAT.fullmatch(form):
        raise PlaceholderError(f"{{{written}}} has no plain number or text format")
    return Placeholder(name, form)


def names(template: str) -> frozenset[str]:
    """The names a template needs; raises PlaceholderError."""
    return frozenset(piece.name for piece in parse(template) if isinstance(piece, Placeholder))


@lru_cache(maxsize=4096)
def only(template: str) -> str | None:
    """The name when the whole template is one unformatted placeholder, else None."""
    pieces = parse(template)
    if len(pieces) == 1 and isinstance(pieces[0], Placeholder) and not pieces[0].format:
        return pieces[0].name
    return None


def written(value: Any, form: str = "") -> str | None:
    """A value as text in that format; None when it has none (never the text "None")."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if form:
        try:
            return format(value, form)
        except ValueError:
            # Regular expressions give text; a number format on it is meant for the number.
            pass
        try:
            return format(int(value), form)
        except (TypeError, ValueError):
            return None
    return str(value)


def fill(template: str, values: Mapping[str, Any]) -> str | None:
    """The template with its names replaced; None when a needed value is missing."""
    out: list[str] = []
    for piece in parse(template):
        if isinstance(piece, str):
            out.append(piece)
            continue
        text = written(values.get(piece.name), piece.format)
        if text is None:
            return None
        out.append(text)
    return "".join(out)
