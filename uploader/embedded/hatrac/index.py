"""The SQLite index: one writer thread that commits many changes at once, one connection for quick look-ups.

A change is acknowledged after its transaction is on disk (WAL with synchronous=FULL). Changes that arrive
together share one transaction and so one disk flush; each has its own savepoint, so that one refusal does not
touch the rest.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], Any]

SCHEMA_VERSION = 1
BATCH = 200

_SCHEMA = """
CREATE TABLE node (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  parent TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('namespace', 'object')),
  is_deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX node_parent ON node (parent, name);
CREATE TABLE version (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  version TEXT NOT NULL UNIQUE,
  node INTEGER NOT NULL REFERENCES node (id),
  size_bytes INTEGER NOT NULL,
  file TEXT NOT NULL UNIQUE,
  metadata TEXT NOT NULL
);
CREATE INDEX version_node ON version (node, id);
CREATE TABLE job (
  id INTEGER PRIMARY KEY,
  job TEXT NOT NULL UNIQUE,
  node INTEGER NOT NULL REFERENCES node (id),
  owner TEXT NOT NULL,
  chunk_bytes INTEGER NOT NULL CHECK (chunk_bytes > 0),
  size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
  file TEXT NOT NULL UNIQUE,
  metadata TEXT NOT NULL
);
CREATE INDEX job_node ON job (node);
CREATE TABLE chunk (
  job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  side_file TEXT,          -- a repeated chunk waits here; the first one's bytes stay until the object is made
  PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE TABLE garbage (file TEXT NOT NULL);
"""


class Index:
    """Opens the index; `write` changes it from one thread, `read` looks things up from any."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changes: queue.SimpleQueue[tuple[Change, Future[Any]] | None] = queue.SimpleQueue()
        self._reading = threading.Lock()
        writer = _connect(path)
        _migrate(writer)
        self._reader = _connect(path)
        self._thread = threading.Thread(target=self._run, args=(writer,), name="hatrac-index", daemon=True)
        self._thread.start()

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a short look-up."""
        with self._reading:
            return query(self._reader)

    def write(self, change: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Queue a change; the future is done when it is on disk, or failed."""
        done: Future[T] = Future()
        self._changes.put((change, done))
        return done

    def close(self) -> None:
        """Finish the queued changes and close the files."""
        self._changes.put(None)
        self._thread.join()
        with self._reading:
            self._reader.close()

    def _run(self, connection: sqlite3.Connection) -> None:
        ending = False
        while not ending:
            batch = [self._changes.get()]
            while len(batch) < BATCH and not self._changes.empty():
                batch.append(self._changes.get())
            ending = None in batch
            _commit_together(connection, [item for item in batch if item is not None])
        connection.close()


def _commit_together(connection: sqlite3.Connection, batch: list[tuple[Change, Future[Any]]]) -> None:
    answers: list[tuple[Future[Any], Any]] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for change, done in batch:
            if not done.set_running_or_notify_cancel():
                continue  # nobody waits for it any more, and nothing has been done
            connection.execute("SAVEPOINT one")
            try:
                answers.append((done, change(connection)))
                connection.execute("RELEASE one")
            except Exception as error:  # noqa: BLE001 - handed to the one who asked, the others go on
                connection.execute("ROLLBACK TO one")
                connection.execute("RELEASE one")
                done.set_exception(error)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        # The transaction as a whole failed (a full disk, say): nobody in it may be told that it worked.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for _, done in batch:
            if not done.done():
                done.set_exception(error)
        return
    for done, answer in answers:
        done.set_result(answer)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
    elif version > SCHEMA_VERSION:
        connection.close()
        raise IndexTooNew(f"written by a newer Nanoferry (schema {version}, known here {SCHEMA_VERSION})")


class IndexTooNew(Exception):
    """The index was written by a newer program."""
