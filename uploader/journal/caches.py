"""Headers and digests by source identity: what was read once is not read again while the file stays as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from uploader.journal.codec import from_blob, header_from_blob, header_to_blob, to_blob
from uploader.journal.connection import Database
from uploader.model.files import Digest
from validation.instruments.model import Header

_Key = TypeVar("_Key")

_LENGTHS = (1, 4, 16, 64, 200, 500)

KEYS_PER_QUERY = _LENGTHS[-1]
"""Well under SQLite's limit of variables (999 in old builds)."""

_STALE_DAYS = 30
"""How old the note of the last use may grow before it is written anew: once a month, not at every look."""


def headers(database: Database, identities: Sequence[str], *, today: int) -> Mapping[str, Header]:
    """Cached headers of these source identities."""
    found: dict[str, Header] = {}
    stale: list[bytes] = []
    for keys in batches(identities):
        marks = ", ".join("?" * len(keys))
        sql = f"SELECT identity, header, used_day FROM headers WHERE identity IN ({marks})"  # noqa: S608
        for key, blob, used_day in database.read(sql, keys):
            header = header_from_blob(blob)
            if header is not None:
                found[from_blob(key)] = header
            if used_day < today - _STALE_DAYS:
                stale.append(key)
    _note_use(database, "headers", stale, today)
    return found


def save_headers(database: Database, new: Mapping[str, Header], *, today: int) -> None:
    """Keep headers by source identity; a newer one replaces the older."""
    rows = [(to_blob(identity), header_to_blob(header), today) for identity, header in new.items()]
    if rows:
        with database.write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO headers (identity, header, used_day) VALUES (?, ?, ?)", rows
            )


def digests(database: Database, identities: Sequence[str], *, today: int) -> Mapping[str, Digest]:
    """Cached digests of these source identities."""
    found: dict[str, Digest] = {}
    stale: list[bytes] = []
    for keys in batches(identities):
        marks = ", ".join("?" * len(keys))
        sql = f"SELECT identity, md5, sha256, size_bytes, used_day FROM digests WHERE identity IN ({marks})"  # noqa: S608
        for key, md5, sha256, size_bytes, used_day in database.read(sql, keys):
            found[from_blob(key)] = Digest(md5, sha256, size_bytes)
            if used_day < today - _STALE_DAYS:
                stale.append(key)
    _note_use(database, "digests", stale, today)
    return found


def save_digests(database: Database, digests: Mapping[str, Digest], *, today: int) -> None:
    """Keep digests by source identity, in one transaction."""
    if digests:
        with database.write() as connection:
            keep_digests(connection, digests, today=today)


def keep_digests(connection: sqlite3.Connection, digests: Mapping[str, Digest], *, today: int) -> None:
    """Keep digests by source identity; part of the caller's transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO digests (identity, md5, sha256, size_bytes, used_day) VALUES (?, ?, ?, ?, ?)",
        [
            (to_blob(identity), digest.md5, digest.sha256, digest.size_bytes, today)
            for identity, digest in digests.items()
        ],
    )


def _note_use(database: Database, table: str, keys: Sequence[bytes], today: int) -> None:
    if keys:
        with database.write() as connection:
            connection.executemany(
                f"UPDATE {table} SET used_day = ? WHERE identity = ?",  # noqa: S608 - our own words
                [(today, key) for key in keys],
            )


def batches(texts: Sequence[str]) -> Iterator[list[bytes]]:
    """The keys as BLOBs, as many at a time as one query takes; the last ones may come twice."""
    for start in range(0, len(texts), KEYS_PER_QUERY):
        yield padded([to_blob(text) for text in texts[start : start + KEYS_PER_QUERY]])


def padded(keys: Sequence[_Key]) -> list[_Key]:
    """The keys of an `IN (…)`, filled up to one of a few lengths by the last one again.

    A statement of every length would be prepared, and kept: in a long watch that was megabytes.
    """
    if not keys:
        return []
    length = next(size for size in _LENGTHS if size >= len(keys))
    return [*keys, *[keys[-1]] * (length - len(keys))]
