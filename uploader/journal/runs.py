"""Targets, dropped roots, runs and their event log."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uploader.journal.codec import from_blob, mapping_from_json, to_blob, to_json
from uploader.journal.connection import Database, SqlRow
from uploader.model.entries import Purpose, RunRecord
from uploader.model.errors import JournalError
from uploader.model.events import Event
from uploader.model.files import Root

RUNS_WITH_EVENTS = 50
"""Older runs keep their record, but not every event: a watched folder would fill the disk with them."""


def target_id(database: Database, server: str, catalog: str) -> int:
    """Id of the target, made when new."""
    return _made_or_found(
        database,
        "SELECT target_id FROM targets WHERE server = ? AND catalog = ?",
        "INSERT INTO targets (server, catalog) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (server, catalog),
    )


def root_id(database: Database, root: Root) -> int:
    """Id of the dropped root, made when new; a volume mounted elsewhere keeps its id and gets its new path."""
    path = to_blob(root.path.as_posix())
    key = to_blob(root.key)
    with database.write() as connection:
        connection.execute(
            "INSERT INTO roots (key, path, volume_id) VALUES (?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET path = excluded.path WHERE path <> excluded.path",
            (key, path, root.volume_id),
        )
        found = connection.execute("SELECT root_id FROM roots WHERE key = ?", (key,)).fetchone()
    return int(found[0])


def _made_or_found(database: Database, find: str, make: str, values: tuple[Any, ...]) -> int:
    with database.write() as connection:
        connection.execute(make, values)
        return int(connection.execute(find, values).fetchone()[0])


def start_run(
    database: Database,
    run: str,
    *,
    target: int,
    roots: Sequence[int],
    spec_id: str,
    spec_version: str,
    spec_digest: str,
    purpose: Purpose,
    started: str,
) -> None:
    """Note that a run begins, and forget the events of very old ones."""
    with database.write() as connection:
        cursor = connection.execute(
            "INSERT INTO runs"
            " (run, target_id, spec_id, spec_version, spec_digest, purpose, started, commands_before)"
            " SELECT ?, ?, ?, ?, ?, ?, ?, coalesce(max(command_id), 0) FROM commands",
            (run, target, spec_id, spec_version, spec_digest, purpose.value, started),
        )
        run_no = cursor.lastrowid
        connection.executemany(
            "INSERT INTO run_roots (run_no, position, root_id) VALUES (?, ?, ?)",
            [(run_no, position, root) for position, root in enumerate(roots)],
        )
        for broken_off in _broken_off(connection, roots):
            _close_line(connection, broken_off)
        connection.execute(
            "DELETE FROM events WHERE run IN"
            " (SELECT run FROM runs WHERE finished <> '' ORDER BY run_no DESC LIMIT -1 OFFSET ?)",
            (RUNS_WITH_EVENTS,),
        )


def _broken_off(connection: sqlite3.Connection, roots: Sequence[int]) -> list[int]:
    """Runs of these roots that ended without a word: whoever begins a run holds the locks of its roots."""
    found = {
        run_no
        for root in roots
        for (run_no,) in connection.execute(
            "SELECT run_no FROM run_roots JOIN runs USING (run_no) WHERE root_id = ?"
            " AND (run_no IN (SELECT run_no FROM lines) OR run IN (SELECT run FROM engines))",
            (root,),
        )
    }
    return sorted(found)


def _close_line(connection: sqlite3.Connection, run_no: int) -> None:
    """Nothing of this run is left to do, and its engine has no more to say."""
    dissolve_line(connection, run_no)
    connection.execute("DELETE FROM engines WHERE run = (SELECT run FROM runs WHERE run_no = ?)", (run_no,))


def dissolve_line(connection: sqlite3.Connection, run_no: int) -> None:
    """Forget the line of a run; part of the caller's transaction."""
    # Counts first: then there is nothing that the triggers must keep right, file by file.
    connection.execute("DELETE FROM line_counts WHERE run_no = ?", (run_no,))
    connection.execute("DELETE FROM line WHERE run_no = ?", (run_no,))
    connection.execute("DELETE FROM lines WHERE run_no = ?", (run_no,))


def finish_run(
    database: Database,
    run: str,
    *,
    outcomes: Mapping[str, int],
    interrupted: bool,
    receipt: str,
    finished: str,
) -> None:
    """Note how a run ended; its line is dissolved."""
    run_no = run_number(database, run)
    with database.write() as connection:
        connection.execute(
            "UPDATE runs SET finished = ?, outcomes = ?, interrupted = ?, receipt = ? WHERE run_no = ?",
            (finished, to_json(dict(outcomes)), int(interrupted), to_blob(receipt), run_no),
        )
        _close_line(connection, run_no)


def run_number(database: Database, run: str) -> int:
    """The journal's number of a run: later runs have higher ones."""
    found = database.read("SELECT run_no FROM runs WHERE run = ?", (run,))
    if not found:
        raise unknown_run(run)
    return int(found[0][0])


def unknown_run(run: str) -> JournalError:
    """The error for a run that was never started."""
    return JournalError(
        f"The journal knows no run {run}.",
        detail="Nothing was written.",
        remedy="This is a mistake in the program: please report it with this message.",
    )


def latest(database: Database, limit: int) -> list[RunRecord]:
    """The latest runs, newest first."""
    rows = database.read(
        "SELECT run_no, run, started, finished, server, catalog, spec_id, spec_version, outcomes,"
        " interrupted, receipt, purpose"
        " FROM runs JOIN targets USING (target_id) ORDER BY run_no DESC LIMIT ?",
        (limit,),
    )
    return [_record(row, _roots_of(database, row[0])) for row in rows]


def _roots_of(database: Database, run_no: int) -> tuple[str, ...]:
    rows = database.read(
        "SELECT path FROM run_roots JOIN roots USING (root_id) WHERE run_no = ? ORDER BY position", (run_no,)
    )
    return tuple(str(Path(from_blob(path))) for (path,) in rows)


def _record(row: SqlRow, roots: tuple[str, ...]) -> RunRecord:
    _, run, started, finished, server, catalog, spec_id, spec_version, *ended = row
    outcomes, interrupted, receipt, purpose = ended
    return RunRecord(
        run=run,
        started=started,
        finished=finished,
        roots=roots,
        server=server,
        catalog=catalog,
        spec_id=spec_id,
        spec_version=spec_version,
        outcomes=mapping_from_json(outcomes),
        interrupted=bool(interrupted),
        receipt=from_blob(receipt),
        purpose=Purpose(purpose),
    )


def append(database: Database, events: Sequence[Event]) -> None:
    """Add events to the log of their run."""
    rows = [(event.run, to_json(event.to_json())) for event in events]
    if rows:
        with database.write() as connection:
            connection.executemany("INSERT INTO events (run, body) VALUES (?, ?)", rows)
