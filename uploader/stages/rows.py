"""Compares rows: what we would write, what we wrote, what the catalog holds."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from uploader.model.ports import Row

_ENCODED = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode
"""Made once: a survey asks half a dozen times for every file."""


def canonical(value: Any) -> str:
    """JSON with sorted names and no spaces: equal values give equal text."""
    return _ENCODED(value)


def row_digest(row: Row) -> str:
    """SHA-256 (hex) of a row; columns without a value count as absent."""
    present = {column: value for column, value in row.items() if value is not None}
    return hashlib.sha256(canonical(present).encode("utf-8", "surrogatepass")).hexdigest()


def same_value(ours: Any, theirs: Any) -> bool:
    """Whether the server's value is what became of ours: numbers by value, times by instant, text as text."""
    if ours == theirs:
        return True
    if ours is None or theirs is None:
        return False
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return ours.keys() == theirs.keys() and all(same_value(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(same_value, ours, theirs))
    if isinstance(ours, int | float | str) and isinstance(theirs, int | float | str):
        return _same_scalar(ours, theirs)
    return False


def _same_scalar(ours: float | str, theirs: float | str) -> bool:
    a, b = _number(ours), _number(theirs)
    if a is not None and b is not None:
        # float4 columns keep about seven digits.
        return math.isclose(a, b, rel_tol=1e-6)
    if isinstance(ours, str) and isinstance(theirs, str):
        then, there = _instant(ours), _instant(theirs)
        return then is not None and then == there
    return str(ours) == str(theirs)


def _number(value: float | str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _instant(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def differences(wanted: Row, held: Row, columns: Iterable[str] | None = None) -> tuple[str, ...]:
    """Names of the columns (all of `wanted` by default) whose values differ."""
    names = wanted if columns is None else columns
    return tuple(name for name in names if not same_value(wanted.get(name), held.get(name)))
