"""Turns vendor values into plain JSON values: no bytes, no NaN, no infinity, no endless text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

TEXT_LIMIT = 1 << 20
LIST_LIMIT = 256
DEPTH_LIMIT = 64


def decoded(data: bytes) -> str:
    """Vendor text as text: UTF-8 where it is, else Windows-1252; ends at the first NUL."""
    data = data.split(b"\0", 1)[0]
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def plain(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911  # one line per kind of value
    """The value as JSON can hold it; bytes and long lists become a short account of themselves."""
    if depth > DEPTH_LIMIT:
        return "… (nested too deeply)"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return _account_of_bytes(value)
    if isinstance(value, Mapping):
        return {str(name): plain(part, depth + 1) for name, part in value.items()}
    if isinstance(value, Sequence):
        kept = [plain(part, depth + 1) for part in value[:LIST_LIMIT]]
        return kept if len(value) <= LIST_LIMIT else {"count": len(value), "first": kept[:16]}
    return value if value is None or isinstance(value, int) else str(value)


def _text(value: str) -> str:
    # Lone surrogates cannot be written as UTF-8; a header has no use for them.
    clean = value.encode("utf-8", "replace").decode("utf-8") if not value.isascii() else value
    return clean if len(clean) <= TEXT_LIMIT else clean[:TEXT_LIMIT] + "…"


def _account_of_bytes(value: bytes) -> Any:
    text = value.rstrip(b"\0")
    if text and len(text) <= TEXT_LIMIT:
        try:
            readable = text.decode("utf-8")
        except UnicodeDecodeError:
            readable = ""
        if readable and all(char.isprintable() or char in "\r\n\t\ufeff" for char in readable):
            return readable
    return {"bytes": len(value)}
