"""How values look inside the journal: names as bytes, findings, headers, results and rows as JSON."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from uploader.model.files import FileResult
from validation.instruments.model import Header
from validation.model import Issue

_ENCODED: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode
_SMALL_HEADER_BYTES: Final = 2048
_DECODED: Final = json.JSONDecoder().decode


def to_blob(text: str) -> bytes:
    """Any string, lone surrogates of undecodable names among them, in an order equal to the string's."""
    return text.encode("utf-8", "surrogatepass")


def from_blob(blob: bytes) -> str:
    """The string that `to_blob` was given."""
    return blob.decode("utf-8", "surrogatepass")


def to_json(value: Any) -> str:
    """Compact ASCII JSON; anything JSON has no word for becomes its text."""
    return _ENCODED(value)


def mapping_from_json(text: str | None) -> Mapping[str, Any]:
    """The mapping that was written; empty for None."""
    if not text:
        return {}
    loaded: dict[str, Any] = _DECODED(text)
    return loaded


def issues_to_json(issues: Sequence[Issue]) -> str | None:
    """The findings, or None when there are none, which is the common case."""
    return to_json([issue.to_json() for issue in issues]) if issues else None


def issues_from_json(text: str | None) -> tuple[Issue, ...]:
    """The findings that were written."""
    return _issues(json.loads(text)) if text else ()


def header_to_blob(header: Header) -> bytes:
    """A header, packed: vendor tags are long and repeat themselves."""
    return zlib.compress(to_json(header.to_json()).encode("ascii"), 1)


def header_from_blob(blob: bytes) -> Header | None:
    """The header that was written (lists for sequences among its raw tags), or None for one of another form."""
    return _unpacked_small(blob) if len(blob) <= _SMALL_HEADER_BYTES else _unpacked(blob)


def _unpacked(blob: bytes) -> Header | None:
    try:
        return Header.from_json(json.loads(zlib.decompress(blob)))
    except (zlib.error, ValueError, KeyError, TypeError):
        # A cache: what an older program wrote is read from the file anew.
        return None


# Files that say nothing of themselves have all the same header, and each pass of a survey asks for it.
_unpacked_small = lru_cache(maxsize=64)(_unpacked)


def result_to_json(result: FileResult) -> str:
    """What became of a file."""
    return to_json(result.to_json())


def result_from_json(text: str) -> FileResult:
    """The result that was written."""
    return FileResult.from_json(json.loads(text))


def _issues(documents: Iterable[Mapping[str, Any]]) -> tuple[Issue, ...]:
    return tuple(Issue.from_json(document) for document in documents)
