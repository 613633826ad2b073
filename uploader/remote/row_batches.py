"""Rows on their way into a table: no key twice, batches of bounded size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uploader.model.errors import BadRequest
from uploader.remote.catalog_facts import SYSTEM_COLUMNS
from validation.facts import TableFacts

# 2,000 small rows take a real server 0.4 s; rows with whole metadata documents are cut by their size.
_MOST_ROWS = 1000
_MOST_BYTES = 8 * 1024 * 1024


def own_keys(table: TableFacts) -> tuple[tuple[str, ...], ...]:
    """The table's keys whose values we choose, unlike RID."""
    return tuple(key for key in table.keys if not any(column in SYSTEM_COLUMNS for column in key))


def first_of_each_key(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[Sequence[str]]
) -> list[Mapping[str, Any]]:
    """The rows without those that repeat the key of an earlier one; ERMrest refuses a batch that holds both.

    A key with a null in it is no key to PostgreSQL: such rows are never the same.
    """
    seen: set[tuple[tuple[str, ...], str]] = set()
    kept: list[Mapping[str, Any]] = []
    for row in rows:
        marks = {
            (tuple(key), json.dumps([row[column] for column in key], sort_keys=True, default=str))
            for key in keys
            if is_whole(row, key)
        }
        if marks & seen:
            continue
        seen |= marks
        kept.append(row)
    return kept


def is_whole(row: Mapping[str, Any], key: Sequence[str]) -> bool:
    """Whether the row has a value in every column of the key."""
    return all(row.get(column) is not None for column in key)


def bodies(rows: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    """JSON lists of at most 1,000 rows and about 8 MiB each, in order."""
    parts: list[bytes] = []
    size_bytes = 0
    for row in rows:
        part = _encoded(row)
        if parts and (len(parts) >= _MOST_ROWS or size_bytes + len(part) > _MOST_BYTES):
            yield b"[" + b",".join(parts) + b"]"
            parts, size_bytes = [], 0
        parts.append(part)
        size_bytes += len(part) + 1
    if parts:
        yield b"[" + b",".join(parts) + b"]"


def _encoded(row: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(dict(row), allow_nan=False, separators=(",", ":")).encode("ascii")
    except ValueError as error:
        raise BadRequest(
            f"A row holds a number that JSON has no word for: {error}.",
            detail="No row was written.",
            remedy="Leave NaN and infinity out of the metadata.",
        ) from error
