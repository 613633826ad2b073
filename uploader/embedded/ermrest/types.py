"""Column types: JSON or text to what SQLite stores, and back; refusals worded as PostgreSQL words them."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, TypeAlias

from uploader.embedded.ermrest import jsontext, moments

Stored: TypeAlias = str | int | float | None

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE: dict[str, float | str] = {
    "nan": "NaN",
    "inf": math.inf,
    "infinity": math.inf,
    "-inf": -math.inf,
    "-infinity": -math.inf,
}
_TRUE = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})


class BadValue(ValueError):
    """A value does not fit its column's type; the message is worded as PostgreSQL words it."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type of a column: how its values come in, lie in SQLite and go out."""

    name: str
    """The ERMrest type name."""
    storage: str
    """Declared type of the SQLite column; decides its affinity."""
    store: Callable[[Any], Stored]
    """A JSON value (never None) to what is stored; raises BadValue."""
    store_text: Callable[[str], Stored]
    """The text of a URL or a CSV field to what is stored; raises BadValue."""
    to_json: Callable[[Any], str]
    """What is stored (never None) to JSON text."""
    to_csv: Callable[[Any], str]
    """What is stored (never None) to the text of a CSV field."""
    base: str = ""
    """The type a domain is made of."""
    element: ColumnType | None = None
    """The type of an array's members."""

    @property
    def is_json(self) -> bool:
        """Whether the stored text is JSON itself."""
        return self.name in {"json", "jsonb"}

    def document(self) -> dict[str, Any]:
        """The type as a model document names it."""
        if self.element is not None:
            return {"is_array": True, "typename": self.name, "base_type": self.element.document()}
        if self.base:
            return {"is_domain": True, "typename": self.name, "base_type": {"typename": self.base}}
        return {"typename": self.name}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.plain(value)


def _text(value: Any) -> str:
    text = _as_text(value)
    if "\0" in text:
        raise BadValue('invalid byte sequence for encoding "UTF8": 0x00')
    return text


def _invalid(words: str, text: str) -> BadValue:
    return BadValue(f'invalid input syntax for type {words}: "{text}"')


def _integer(words: str, bits: int) -> Callable[[Any], int]:
    highest = (1 << (bits - 1)) - 1

    def store(value: Any) -> int:
        text = _as_text(value).strip()
        if not _INTEGER.fullmatch(text):
            raise _invalid(words, _as_text(value))
        # 20 digits are beyond every type; Python refuses to convert thousands of them.
        number = int(text) if len(text) <= 20 else highest + 1
        if not -highest - 1 <= number <= highest:
            raise BadValue(f'value "{text}" is out of range for type {words}')
        return number

    return store


def _float(words: str, *, single: bool) -> Callable[[Any], float | str]:
    def store(value: Any) -> float | str:
        text = _as_text(value).strip()
        special = _NOT_FINITE.get(text.lower().lstrip("+"))
        if special is not None:
            return special
        if not _FLOAT.fullmatch(text):
            raise _invalid(words, _as_text(value))
        number = float(text)
        if single and math.isfinite(number):
            try:
                number = float(struct.unpack("<f", struct.pack("<f", number))[0])
            except OverflowError:
                number = math.inf
        if math.isinf(number):
            raise BadValue(f'"{text}" is out of range for type {words}')
        return number

    return store


def _boolean(value: Any) -> int:
    text = _as_text(value).strip().lower()
    if text in _TRUE:
        return 1
    if text in _FALSE:
        return 0
    raise _invalid("boolean", _as_text(value))


def _moment(words: str, convert: Callable[[str], str]) -> Callable[[Any], str]:
    def store(value: Any) -> str:
        text = _as_text(value)
        try:
            return convert(text)
        except moments.OutOfRange as error:
            raise BadValue(f'date/time field value out of range: "{text}"') from error
        except ValueError as error:
            raise _invalid(words, text) from error

    return store


def _json(convert: Callable[[Any], str]) -> Callable[[str], str]:
    def store_text(text: str) -> str:
        try:
            return convert(jsontext.parse(text))
        except jsontext.BadJson as error:
            raise BadValue(str(error)) from error

    return store_text


def _float_text(value: float | str) -> str:
    if isinstance(value, str) or not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")  # type: ignore[arg-type]
    return repr(value).removesuffix(".0")


def _float_json(value: float | str) -> str:
    text = _float_text(value)
    return text if text[-1].isdigit() else f'"{text}"'


def _single_text(value: float | str) -> str:
    if isinstance(value, str) or not math.isfinite(value):
        return _float_text(value)
    for digits in range(6, 10):
        shortest = float(f"{value:.{digits}g}")
        if struct.pack("<f", shortest) == struct.pack("<f", value):
            return _float_text(shortest)
    return _float_text(value)


def _single_json(value: float | str) -> str:
    text = _single_text(value)
    return text if text[-1].isdigit() else f'"{text}"'


def _spaced(text: str) -> str:
    return text.replace("T", " ")


def _make_text(name: str, base: str = "") -> ColumnType:
    return ColumnType(name, "TEXT", _text, _text, encode_basestring, str, base)


def _make_moment(name: str, words: str, convert: Callable[[str], str], base: str = "") -> ColumnType:
    store = _moment(words, convert)
    return ColumnType(name, "TEXT", store, store, encode_basestring, _spaced, base)


def _make_integer(name: str, words: str, bits: int) -> ColumnType:
    store = _integer(words, bits)
    return ColumnType(name, "INTEGER", store, store, str, str)


def _make_types() -> dict[str, ColumnType]:
    double = _float("double precision", single=False)
    single = _float("real", single=True)
    made = [
        _make_text("text"),
        *(_make_text(name, "text") for name in ("markdown", "longtext", "uri", "color_rgb_hex")),
        *(_make_text(name, "text") for name in ("ermrest_rid", "ermrest_rcb", "ermrest_rmb")),
        *(_make_text(name, "text") for name in ("ermrest_uri", "ermrest_curie")),
        _make_integer("int2", "smallint", 16),
        _make_integer("int4", "integer", 32),
        _make_integer("int8", "bigint", 64),
        ColumnType("float4", "REAL", single, single, _single_json, _single_text),
        ColumnType("float8", "REAL", double, double, _float_json, _float_text),
        ColumnType(
            "boolean",
            "INTEGER",
            _boolean,
            _boolean,
            lambda value: "true" if value else "false",
            lambda value: "t" if value else "f",
        ),
        _make_moment("date", "date", moments.date_text),
        _make_moment("timestamp", "timestamp", moments.timestamp_text),
        _make_moment("timestamptz", "timestamp with time zone", moments.timestamptz_text),
        *(
            _make_moment(name, "timestamp with time zone", moments.timestamptz_text, "timestamptz")
            for name in ("ermrest_rct", "ermrest_rmt")
        ),
        ColumnType("json", "TEXT", jsontext.plain, _json(jsontext.plain), str, str),
        ColumnType("jsonb", "TEXT", jsontext.jsonb, _json(jsontext.jsonb), str, str),
    ]
    return {column_type.name: column_type for column_type in made}


_TYPES = _make_types()


def column_type(name: str) -> ColumnType:
    """The type of that name, `NAME[]` for an array; KeyError when the embedded catalog has no such type."""
    if name.endswith("[]"):
        return _array(_TYPES[name[:-2]])
    return _TYPES[name]


def _array(element: ColumnType) -> ColumnType:
    """An array lies in SQLite as the JSON text of its members."""

    def store(value: Any) -> str:
        if not isinstance(value, list):
            raise BadValue(f'malformed array literal: "{_as_text(value)}"')
        members = [None if item is None else element.store(item) for item in value]
        return "[" + ",".join("null" if item is None else element.to_json(item) for item in members) + "]"

    def store_text(text: str) -> str:
        try:
            return store(json.loads(text))
        except json.JSONDecodeError as error:
            raise BadValue(f'malformed array literal: "{text}"') from error

    return ColumnType(f"{element.name}[]", "TEXT", store, store_text, str, str, element=element)
