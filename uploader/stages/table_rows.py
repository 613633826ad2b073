"""Files whose content is rows (`asset_type: table`): reads CSV or JSON and inserts it, at most once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from uploader.model.errors import Conflict, SourceUnreadable
from uploader.model.ports import Catalog
from uploader.stages.batches import batched
from uploader.stages.describe import Candidate
from uploader.stages.digest import read_whole

MOST_BYTES = 64 * 1024 * 1024
"""A table is held in memory while its rows are inserted; larger ones should be split or loaded by the server."""

INSERT_BATCH = 1000


def insert_rows(catalog: Catalog, candidate: Candidate, *, in_doubt: bool) -> int:
    """Insert the rows of the file and return how many were new.

    Raises SourceUnreadable for content that is no table, and Conflict when an earlier run may have inserted the
    rows of a table that has no key to recognise them by.
    """
    rows = read_rows(candidate)
    table = candidate.table
    if in_doubt and rows and not _recognisable(catalog, table, rows[0]):
        raise Conflict(
            f"{table} has no key, and an earlier run may have inserted these rows already.",
            detail="Nothing was inserted now.",
            remedy="Look into the table; delete what is there of this file, or move the file out of the folder.",
        )
    return sum(len(catalog.insert(table, batch)) for batch in batched(rows, INSERT_BATCH))


def read_rows(candidate: Candidate) -> list[dict[str, Any]]:
    """The rows of a CSV file with a header line, a JSON list of objects, or JSON lines."""
    source = candidate.entry.source
    if source.size_bytes > MOST_BYTES:
        raise _no_table(candidate, f"it has {source.size_bytes:,} bytes, more than {MOST_BYTES:,}")
    body, _ = read_whole(candidate.root.path / source.path, source=source)
    try:
        text = bytes(body).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_table(candidate, f"it is not UTF-8 text ({error.reason} at byte {error.start})") from None
    if source.path.lower().endswith((".json", ".jsonl", ".ndjson")):
        return _json_rows(candidate, text)
    return _csv_rows(candidate, text)


def _csv_rows(candidate: Candidate, text: str) -> list[dict[str, Any]]:
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise _no_table(candidate, f"the CSV is malformed: {error}") from None
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise _no_table(candidate, f"line {number} has another number of fields than the header line")
    return [{name: value or None for name, value in row.items()} for row in rows]


def _json_rows(candidate: Candidate, text: str) -> list[dict[str, Any]]:
    try:
        loaded = json.loads(text)
    except json.JSONDecodeError:
        try:
            loaded = [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError as error:
            raise _no_table(candidate, f"the JSON is malformed: {error}") from None
    rows = loaded if isinstance(loaded, list) else [loaded]
    if not all(isinstance(row, dict) for row in rows):
        raise _no_table(candidate, "it is no list of objects")
    return rows


def _recognisable(catalog: Catalog, table: str, row: Mapping[str, Any]) -> bool:
    """Whether a key other than the RID tells these rows apart, so that inserting again skips them."""
    known = catalog.facts().tables.get(table)
    return known is not None and any(key != ("RID",) and set(key) <= row.keys() for key in known.keys)


def _no_table(candidate: Candidate, why: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{candidate.entry.source.path} cannot be read as a table: {why}.",
        detail="None of its rows was inserted.",
        remedy="Correct the file and run again.",
        path=candidate.entry.source.path,
    )
