"""What reached a catalog, kept when its entry is long surveyed anew: `have I sent this file?`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from uploader.journal.codec import from_blob, to_blob
from uploader.journal.connection import Database, SqlRow
from uploader.model.control import SentFile
from uploader.model.files import FileResult, Outcome, Proof

_ARRIVED = frozenset({Outcome.NEW, Outcome.UPDATED, Outcome.SAME})

# A file that is found the same again keeps the time at which it was sent.
_NOTE = """
INSERT INTO sent (target_id, root_id, path, run_no, size_bytes, mtime_ns, finished, outcome, md5, sha256,
                  object_url, preview_url, proof, rid, table_name)
SELECT target_id, root_id, path, run_no, size_bytes, mtime_ns, ?, ?, ?, ?, ?, ?, ?, ?, ?
  FROM entries WHERE entry_id = ?
ON CONFLICT (root_id, path, target_id, sha256) DO UPDATE SET
  run_no = excluded.run_no, finished = excluded.finished, outcome = excluded.outcome,
  object_url = excluded.object_url, preview_url = excluded.preview_url, proof = excluded.proof,
  rid = excluded.rid, table_name = excluded.table_name
WHERE excluded.outcome <> 'same'
"""

_LOOK = """
SELECT roots.path, sent.path, run, sent.finished, server, catalog, outcome, size_bytes, mtime_ns, md5, sha256,
       object_url, preview_url, proof, rid, table_name
  FROM sent JOIN roots USING (root_id) JOIN runs USING (run_no) JOIN targets ON targets.target_id = sent.target_id
"""


def note_sent(
    connection: sqlite3.Connection, finished: Sequence[tuple[int, FileResult]], *, now: str
) -> None:
    """Keep those that are in the catalog now; part of the caller's transaction."""
    rows = [
        (
            now,
            result.outcome.value,
            result.md5,
            result.sha256,
            result.object_url,
            result.preview_url,
            result.proof.value,
            result.rid,
            result.table,
            entry_id,
        )
        for entry_id, result in finished
        if result.outcome in _ARRIVED
    ]
    connection.executemany(_NOTE, rows)


def sent(database: Database, *, sha256: str, path: str, name: str, limit: int) -> list[SentFile]:
    """Registered files that answer to all that is asked, the latest sent first."""
    conditions: list[str] = []
    values: list[Any] = []
    if sha256:
        conditions.append("sha256 = ? AND sha256 <> ''")
        values.append(sha256.lower())
    if name:
        # The dropped folder is part of the path: its name is often all a person remembers of a session.
        conditions.append(
            "instr(lower(CAST(roots.path AS TEXT) || '/' || CAST(sent.path AS TEXT)),"
            " lower(CAST(? AS TEXT))) > 0"
        )
        values.append(to_blob(name))
    if not path:
        return _found(database, conditions, values, limit)
    found: list[SentFile] = []
    for where, more in _places(database, path):
        found += _found(database, [*conditions, where], [*values, *more], limit)
    return sorted(found, key=lambda one: one.when, reverse=True)[:limit]


def events_after(database: Database, run: str, event_id: int, limit: int) -> list[tuple[int, str]]:
    """(Number, JSON) of the next events of a run behind `event_id` (0: from the start)."""
    return database.read(
        "SELECT event_id, body FROM events WHERE run = ? AND event_id > ? ORDER BY event_id LIMIT ?",
        (run, event_id, limit),
    )


def _places(database: Database, path: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Conditions for every dropped folder that holds this absolute path or lies below it."""
    wanted = PurePosixPath(Path(path).as_posix())
    for root_id, blob in database.read("SELECT root_id, path FROM roots"):
        root = PurePosixPath(from_blob(blob))
        if root.is_relative_to(wanted):
            yield "root_id = ?", (root_id,)
        elif wanted.is_relative_to(root):
            inside = wanted.relative_to(root).as_posix()
            yield "root_id = ? AND sent.path = ?", (root_id, to_blob(inside))
            # What lies below, as a range of the index; "0" is the character behind "/".
            between = (to_blob(f"{inside}/"), to_blob(f"{inside}0"))
            yield "root_id = ? AND sent.path >= ? AND sent.path < ?", (root_id, *between)


def _found(
    database: Database, conditions: Sequence[str], values: Sequence[Any], limit: int
) -> list[SentFile]:
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = database.read(
        f"{_LOOK} {where} ORDER BY sent.finished DESC, sent_id DESC LIMIT ?",
        (*values, limit),
    )
    return [_sent_file(row) for row in rows]


def _sent_file(row: SqlRow) -> SentFile:
    root_blob, path_blob, run, when, server, catalog, outcome, size_bytes, mtime_ns, *rest = row
    md5, sha256, object_url, preview_url, proof, rid, table = rest
    root, path = from_blob(root_blob), from_blob(path_blob)
    return SentFile(
        path=str(Path(root) / path),
        run=run,
        when=when,
        server=server,
        catalog=catalog,
        result=FileResult(
            path=path,
            size_bytes=size_bytes,
            outcome=Outcome(outcome),
            md5=md5,
            sha256=sha256,
            object_url=object_url,
            rid=rid,
            preview_url=preview_url,
            proof=Proof(proof),
            mtime_ns=mtime_ns,
            root=str(Path(root)),
            table=table,
        ),
    )
