"""Tells quickly whether a value keeps a JSON Schema, for the common case that it does.

jsonschema can also say what is wrong, and takes longer to import than anything else that a start needs. So a value
is looked at here first, and only one that does not surely keep its schema is given to jsonschema: whatever this
module does not know counts as a breach.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

Schema = Mapping[str, Any] | bool

_SAYS_NOTHING: Final = frozenset(
    {"$schema", "$id", "$defs", "$comment", "title", "description", "default", "examples"}
)
"""Keywords by which no value is judged. `format` is not among them: it is judged by those who ask for it."""


class Unknown(Exception):
    """The schema uses a word that is not known here."""


def is_sound(value: Any, schema: Schema) -> bool:
    """Whether the value surely keeps the schema (Draft 2020-12); False may mean that it cannot be told here."""
    try:
        return _Judge(schema).keeps(value, schema)
    except (Unknown, RecursionError):
        return False


class _Judge:
    """Judges by one schema document; its references lead into the document itself."""

    def __init__(self, document: Schema) -> None:
        self._document = document

    def keeps(self, value: Any, schema: Any) -> bool:
        """Whether the value keeps this part of the schema; raises Unknown where that cannot be told."""
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise Unknown
        return all(self._keeps_word(value, word, schema) for word in schema if word not in _SAYS_NOTHING)

    def _keeps_word(self, value: Any, word: str, schema: Mapping[str, Any]) -> bool:
        wanted = schema[word]
        if (judged := _PLAIN.get(word)) is not None:
            return judged(value, wanted)
        match word:
            case "$ref":
                kept = self._keeps_reference(value, wanted)
            case "properties" | "additionalProperties" | "propertyNames":
                kept = not isinstance(value, dict) or self._keeps_names(value, word, schema)
            case "items" if "prefixItems" not in schema:
                kept = not isinstance(value, list) or all(self.keeps(item, wanted) for item in value)
            case "anyOf":
                kept = any(self.keeps(value, part) for part in wanted)
            case "allOf":
                kept = all(self.keeps(value, part) for part in wanted)
            case "not":
                kept = not self.keeps(value, wanted)
            case "if":
                kept = self.keeps(value, schema.get("then" if self.keeps(value, wanted) else "else", True))
            case "then" | "else":
                # They say something by their `if` alone.
                kept = True
            case _:
                raise Unknown
        return kept

    def _keeps_reference(self, value: Any, wanted: Any) -> bool:
        # Only `#/a/b`: other references, and keys that need escapes, are for others.
        if not isinstance(wanted, str) or not wanted.startswith("#/") or "~" in wanted or "%" in wanted:
            raise Unknown
        part: Any = self._document
        for key in wanted[2:].split("/"):
            if not isinstance(part, Mapping) or key not in part:
                raise Unknown
            part = part[key]
        return self.keeps(value, part)

    def _keeps_names(self, value: dict[str, Any], word: str, schema: Mapping[str, Any]) -> bool:
        wanted = schema[word]
        if word == "properties":
            return all(self.keeps(value[name], part) for name, part in wanted.items() if name in value)
        if word == "propertyNames":
            return all(self.keeps(name, wanted) for name in value)
        if "patternProperties" in schema:
            raise Unknown
        known = schema.get("properties", {})
        return all(self.keeps(part, wanted) for name, part in value.items() if name not in known)


def _is_type(value: Any, wanted: Any) -> bool:
    names = [wanted] if isinstance(wanted, str) else wanted
    return any(_TYPES[name](value) if name in _TYPES else _unknown() for name in names)


def _unknown() -> bool:
    raise Unknown


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": _is_integer,
}


def _equal(value: Any, wanted: Any) -> bool:
    # Lists and mappings would have to be compared part by part: in Python True == 1, in JSON it does not.
    if isinstance(value, list | dict) or isinstance(wanted, list | dict):
        raise Unknown
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)


def _has_pattern(value: Any, wanted: str) -> bool:
    return not isinstance(value, str) or _compiled(wanted).search(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error:
        raise Unknown from None


def _is_unique(value: Any, wanted: Any) -> bool:
    if not isinstance(value, list) or wanted is False:
        return True
    if not all(isinstance(item, str) for item in value):
        raise Unknown
    return len(set(value)) == len(value)


def _at_least(value: Any, wanted: Any) -> bool:
    return not _is_number(value) or (_is_certain(value) and value >= wanted)


def _at_most(value: Any, wanted: Any) -> bool:
    return not _is_number(value) or (_is_certain(value) and value <= wanted)


def _is_certain(value: Any) -> bool:
    if isinstance(value, float) and math.isnan(value):
        raise Unknown
    return True


_PLAIN: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "type": _is_type,
    "const": _equal,
    "enum": lambda value, wanted: any(_equal(value, one) for one in wanted),
    "required": lambda value, wanted: not isinstance(value, dict) or all(name in value for name in wanted),
    "minItems": lambda value, wanted: not isinstance(value, list) or len(value) >= wanted,
    "maxItems": lambda value, wanted: not isinstance(value, list) or len(value) <= wanted,
    "uniqueItems": _is_unique,
    "minLength": lambda value, wanted: not isinstance(value, str) or len(value) >= wanted,
    "maxLength": lambda value, wanted: not isinstance(value, str) or len(value) <= wanted,
    "pattern": _has_pattern,
    "minProperties": lambda value, wanted: not isinstance(value, dict) or len(value) >= wanted,
    "minimum": _at_least,
    "maximum": _at_most,
}
"""Keywords that judge the value by themselves."""
