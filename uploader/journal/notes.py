"""What one run must know of very many things, for as long as it lasts: scratch paper of one engine, not memory.

A temporary table, as for claims: SQLite keeps it outside the journal's file and, beyond a few megabytes, out of
memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from uploader.journal.caches import KEYS_PER_QUERY, padded
from uploader.journal.codec import from_blob, to_blob, to_json
from uploader.journal.connection import Database

AT_A_TIME = 1000
"""Notes per transaction: what is being noted need not be in memory at once, and other threads wait some 5 ms."""

_TABLE = """
CREATE TEMP TABLE notes (
  run  TEXT NOT NULL,
  kind TEXT NOT NULL,
  key  BLOB NOT NULL,
  body TEXT NOT NULL
)
"""


def prepare(database: Database) -> None:
    """Make the table, for as long as this connection lasts."""
    database.change(_TABLE)
    database.change("CREATE INDEX temp.notes_by_key ON notes (run, kind, key)")


def note(database: Database, run: str, kind: str, notes: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Keep these values under their keys; a key may have several."""
    coming = iter(notes)
    while some := [(run, kind, to_blob(key), to_json(dict(body))) for key, body in islice(coming, AT_A_TIME)]:
        with database.scratch() as connection:
            connection.executemany("INSERT INTO temp.notes (run, kind, key, body) VALUES (?, ?, ?, ?)", some)


def noted(
    database: Database, run: str, kind: str, keys: Sequence[str]
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Key -> the values kept under it, in the order they came; keys without any are not in it."""
    asked = [to_blob(key) for key in dict.fromkeys(keys)]
    found: dict[str, list[Mapping[str, Any]]] = {}
    for start in range(0, len(asked), KEYS_PER_QUERY):
        some = padded(asked[start : start + KEYS_PER_QUERY])
        marks = ", ".join("?" * len(some))
        rows = database.read(
            f"SELECT key, body FROM temp.notes WHERE run = ? AND kind = ? AND key IN ({marks}) ORDER BY rowid",  # noqa: S608
            (run, kind, *some),
        )
        for key, body in rows:
            found.setdefault(from_blob(key), []).append(json.loads(body))
    return found


def drop(database: Database, run: str, kind: str) -> None:
    """Forget what was noted of this kind."""
    _delete(database, "run = ? AND kind = ?", (run, kind))


def forget(database: Database, run: str) -> None:
    """The run has ended: its notes are void."""
    _delete(database, "run = ?", (run,))


def _delete(database: Database, where: str, values: tuple[str, ...]) -> None:
    # Little by little: what a transaction would have to undo is held in memory.
    some = f"SELECT rowid FROM temp.notes WHERE {where} LIMIT {AT_A_TIME}"  # noqa: S608 - our own words
    while database.change(f"DELETE FROM temp.notes WHERE rowid IN ({some})", values):  # noqa: S608
        pass
