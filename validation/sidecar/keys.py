"""The keys of `nanoferry.yaml`: their shapes, their shorthand, and what a misspelt one probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias

from validation.codes import issue
from validation.model import Issue

Lines: TypeAlias = Mapping[tuple[str | int, ...], tuple[int, int]]


class Shape(StrEnum):
    """What the value of a key may look like."""

    TEXT = "text"
    FLAG = "true or false"
    WORDS = "a word or a list of words"
    NAMED = "a name, or a mapping with a name"
    NAMED_LIST = "a list of names or of mappings with a name"
    PLACES = "numbers or ranges such as 10-14"
    OPEN = "a mapping"


KEYS: Mapping[str, Shape] = {
    "title": Shape.TEXT,
    "description": Shape.TEXT,
    "notes": Shape.TEXT,
    "project": Shape.NAMED,
    "study": Shape.NAMED,
    "proposal": Shape.NAMED,
    "facility": Shape.NAMED,
    "laboratory": Shape.NAMED,
    "instrument": Shape.NAMED,
    "operator": Shape.NAMED,
    "people": Shape.NAMED_LIST,
    "sample": Shape.NAMED,
    "samples": Shape.NAMED_LIST,
    "noSampleReason": Shape.TEXT,
    "purpose": Shape.TEXT,
    "accessType": Shape.TEXT,
    "technique": Shape.WORDS,
    "dataLevel": Shape.TEXT,
    "complete": Shape.FLAG,
    "software": Shape.NAMED,
    "startTime": Shape.TEXT,
    "endTime": Shape.TEXT,
    "policy": Shape.OPEN,
    "keywords": Shape.WORDS,
    "settings": Shape.OPEN,
    "neverAcquired": Shape.PLACES,
    "extensions": Shape.OPEN,
}
"""Every key a sidecar may hold; docs/validation.md explains each."""


def normalise(loaded: Mapping[str, Any], lines: Lines) -> tuple[dict[str, Any], tuple[Issue, ...]]:
    """The values with every shorthand written out, and findings about unknown keys and wrong shapes.

    A key without a value and a key of the wrong shape are left out.
    """
    values: dict[str, Any] = {}
    issues: list[Issue] = []
    for key, value in loaded.items():
        line, column = lines.get((key,), (None, None))
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            issues.append(
                issue(
                    "sidecar.unknown_key",
                    f"the key `{_short(key)}` is not known and was left out{hint}",
                    field=f"/{key}",
                    line=line,
                    column=column,
                    origin="sidecar",
                )
            )
        elif value is None:
            continue
        else:
            ready = _shaped(value, KEYS[key])
            if ready is None:
                issues.append(
                    issue(
                        "metadata.invalid",
                        f"`{key}` must be {KEYS[key].value}, not {_kind(value)}; it was left out",
                        field=f"/{key}",
                        line=line,
                        column=column,
                        origin="sidecar",
                    )
                )
            else:
                values[key] = ready
    return values, tuple(issues)


def _shaped(value: Any, shape: Shape) -> Any:
    """The value in the shape's normal form, or None when it does not fit."""
    match shape:
        case Shape.TEXT:
            return _text(value)
        case Shape.FLAG:
            return value if isinstance(value, bool) else None
        case Shape.WORDS | Shape.PLACES:
            items = value if _is_list(value) else [value]
            words = [_text(item) for item in items]
            return None if None in words else words
        case Shape.NAMED:
            return _named(value)
        case Shape.NAMED_LIST:
            items = value if _is_list(value) else [value]
            named = [_named(item) for item in items]
            return None if None in named else named
        case Shape.OPEN:
            return dict(value) if isinstance(value, Mapping) else None


def _named(value: Any) -> dict[str, Any] | None:
    if isinstance(value, Mapping):
        return {str(key): part for key, part in value.items() if part is not None}
    name = _text(value)
    return None if name is None else {"name": name}


def _text(value: Any) -> str | None:
    """Text as it is; a number becomes its text, since `sample: 42` names a sample."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if _is_list(value):
        return "a list"
    return f"`{_short(str(value))}`" if str(value).strip() else "empty"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
