"""Targets, dropped roots, runs and their event log."""

from __future__ import annotations

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
            "INSERT INTO runs (run, target_id, spec_id, spec_version, spec_digest, purpose, started)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (run, target, spec_id, spec_version, spec_digest, purpose.value, started),
        )
        run_no = cursor.lastrowid
        connection.executemany(
            "INSERT INTO run_roots (run_no, position, root_id) VALUES (?, ?, ?)",
            [(run_no, position, root) for position, root in enumerate(roots)],
        )
        connection.execute(
            "DELETE FROM events WHERE run IN"
            " (SELECT run FROM runs WHERE finished <> '' ORDER BY run_no DESC LIMIT -1 OFFSET ?)",
            (RUNS_WITH_EVENTS,),
        )


def finish_run(
    database: Database,
    run: str,
    *,
    outcomes: Mapping[str, int],
    interrupted: bool,
    receipt: str,
    finished: str,
) -> None:
    """Note how a run ended."""
    changed = database.change(
        "UPDATE runs SET finished = ?, outcomes = ?, interrupted = ?, receipt = ? WHERE run = ?",
        (finished, to_json(dict(outcomes)), int(interrupted), to_blob(receipt), run),
    )
    if not changed:
        raise unknown_run(run)


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


def events_after(
    database: Database, run: str, event_id: int, limit: int
) -> list[tuple[int, Mapping[str, Any]]]:
    """The next events of a run behind `event_id` (0: from the start), each with its id, as JSON documents."""
    rows = database.read(
        "SELECT event_id, body FROM events WHERE run = ? AND event_id > ? ORDER BY event_id LIMIT ?",
        (run, event_id, limit),
    )
    return [(number, mapping_from_json(body)) for number, body in rows]
