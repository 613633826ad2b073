"""JSON in and out: bodies read with PostgreSQL's complaints, jsonb in its canonical form."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_CONTEXT_CHARS = 50
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_SURROGATE = re.compile(r"\\u[dD]")
_TOKEN = re.compile(r"-?[A-Za-z0-9_.+]+|\S")
_CONSTANTS = re.compile(r'"(?:[^"\\]|\\.)*"|(-?(?:NaN|Infinity))')


class BadJson(ValueError):
    """The text is no JSON that PostgreSQL takes; the message is worded as PostgreSQL words it."""


def parse(text: str) -> Any:
    """The value of a JSON text; raises BadJson."""
    nul = _NUL.search(text)
    if nul is not None:
        raise BadJson(
            "unsupported Unicode escape sequence\nDETAIL:  \\u0000 cannot be converted to text.\n"
            + _context(text, nul.end())
        )
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if _SURROGATE.search(text):
            plain(value).encode()
        return value
    except UnicodeEncodeError as error:
        raise BadJson(
            "invalid input syntax for type json\nDETAIL:  Unicode low surrogate must follow a high surrogate."
        ) from error
    except json.JSONDecodeError as error:
        raise BadJson(_syntax_error(text, error.pos)) from error
    except _ConstantFound as error:
        raise BadJson(_constant_error(text, str(error))) from error
    except RecursionError as error:
        raise BadJson("stack depth limit exceeded") from error
    except ValueError as error:  # an integer of more digits than Python converts
        raise BadJson("value overflows numeric format") from error


def jsonb(value: Any) -> str:
    """The canonical text of a jsonb value: keys by length and bytes, one space after `,` and `:`."""
    return json.dumps(_ordered(value), ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> str:
    """The JSON text of a value as it came, keys in their order (type json, and objects put into text columns)."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def compact(value: Any) -> str:
    """JSON without spaces, as rows and model documents are sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value


class _ConstantFound(ValueError):
    """Python would read NaN and Infinity; JSON has neither."""


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):  # 1e999, which could not be written as JSON again
        raise ValueError(text)
    return value


def _refuse_constant(name: str) -> float:
    raise _ConstantFound(name)


def _constant_error(text: str, name: str) -> str:
    for found in _CONSTANTS.finditer(text):
        if found[1] == name:
            return _token_error(text, found.start(1), found.end(1))
    return f'invalid input syntax for type json\nDETAIL:  Token "{name}" is invalid.'


def _syntax_error(text: str, position: int) -> str:
    rest = _TOKEN.match(text, position)
    if rest is None or not text[position:].strip():
        return (
            "invalid input syntax for type json\nDETAIL:  The input string ended unexpectedly.\n"
            + _context(text.rstrip(), len(text.rstrip()))
        )
    return _token_error(text, rest.start(), rest.end())


def _token_error(text: str, start: int, end: int) -> str:
    return f'invalid input syntax for type json\nDETAIL:  Token "{text[start:end]}" is invalid.\n' + _context(
        text, end
    )


def _context(text: str, end: int) -> str:
    """The line up to the fault, cut on the left to about 50 characters, as psql shows it."""
    line_start = text.rfind("\n", 0, end) + 1
    line_number = text.count("\n", 0, line_start) + 1
    start = max(line_start, end - _CONTEXT_CHARS + 1)
    if start - line_start <= 3:
        start = line_start
    before = "..." if start > line_start else ""
    after = "..." if end < len(text) and text[end] not in "\r\n" else ""
    return f"CONTEXT:  JSON data, line {line_number}: {before}{text[start:end]}{after}"
