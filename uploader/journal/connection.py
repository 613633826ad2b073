"""One guarded SQLite connection: settings, transactions, and SQLite's errors in our own words."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from uploader.model.errors import JournalDamaged, JournalError, JournalFull

Parameters: TypeAlias = Sequence[Any]
SqlRow: TypeAlias = tuple[Any, ...]

BUSY_TIMEOUT_MS = 30_000
"""How long a write waits for the other engine or window that shares the journal."""

_ROOM_BYTES = 1024 * 1024

_WAL_LIMIT_BYTES = 64 * 1024 * 1024


class Database:
    """The journal's one connection, shared by all threads under one lock.

    One connection, because the writes are many and tiny (some 20 µs each without a sync): handing a lock on
    costs less than SQLite's own locking between connections. Reads are pages, so nobody waits long.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._process = os.getpid()
        with _translated(path):
            self._connection: sqlite3.Connection | None = _connected(path)

    def write(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction that other threads and processes see whole or not at all."""
        return self._transaction("BEGIN IMMEDIATE")

    def scratch(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction that writes temporary tables only: other processes go on writing meanwhile."""
        return self._transaction("BEGIN")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._guarded() as connection:
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def change(self, sql: str, parameters: Parameters = ()) -> int:
        """Commit one statement and return the number of rows changed."""
        with self._guarded() as connection:
            return connection.execute(sql, parameters).rowcount

    def read(self, sql: str, parameters: Parameters = ()) -> list[SqlRow]:
        """All rows of a query; callers bound them by LIMIT or by their own list of keys."""
        with self._guarded() as connection:
            return connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with _translated(self.path):
                    connection.close()

    @contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self.path):
            if self._process != os.getpid():
                # SQLite's locks do not follow a fork: a child that wrote through this file could tear it.
                raise JournalError(
                    "The journal was opened by the process that this one was forked from.",
                    detail="Nothing was read or written.",
                    remedy="This is a mistake in the program: please report it with this message.",
                    path=str(self.path),
                )
            if self._connection is None:
                raise JournalError(
                    "The journal is already closed.",
                    detail="Everything written before was kept.",
                    remedy="Open it again.",
                )
            yield self._connection


def _connected(path: Path) -> sqlite3.Connection:
    # SQLite gives the -wal and -shm files the rights of the file itself: make it private before it exists.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(
        path,
        timeout=BUSY_TIMEOUT_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=128,
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # In WAL mode NORMAL survives a kill at any instruction; a power cut may undo the last commits but
        # never tears the file, and what they said is found again on the server (docs/journal.md).
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def damaged(path: Path, finding: str) -> JournalDamaged:
    """The error for a journal file that SQLite cannot trust."""
    return JournalDamaged(
        f"The journal {path} is damaged: {finding}.",
        detail="It was left as it is. Files, objects and rows that were sent are safe on the server.",
        remedy=(
            "Run `nanoferry repair --journal`: the damaged files are moved aside and what can be read of them is "
            "kept. What is missing is hashed once more and recognised in the catalog, not sent again."
        ),
        path=str(path),
    )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _in_our_words(path, error) from error
    except OSError as error:
        raise JournalError(
            f"The journal {path} cannot be opened: {error.strerror or error}.",
            detail="Nothing was read or sent.",
            remedy="Give this account the right to write there, or set NANOFERRY_STATE_DIR to a local folder.",
            path=str(path),
        ) from error


def _is_full(path: Path) -> bool:
    """Whether the disk has no room for one more step; the files beside the journal report it as a failed write."""
    try:
        return shutil.disk_usage(path.parent).free < _ROOM_BYTES
    except OSError:
        return False


def _in_our_words(path: Path, error: sqlite3.Error) -> JournalError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return damaged(path, str(error))
    if name.startswith("SQLITE_FULL") or (name.startswith("SQLITE_IOERR") and _is_full(path)):
        return JournalFull(
            f"The disk under the journal {path} is full.",
            detail="Everything acknowledged before was kept; this step was not noted.",
            remedy="Free some space on that disk; the run then goes on from here.",
            path=str(path),
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return JournalError(
            f"The journal {path} has been busy for {BUSY_TIMEOUT_MS // 1000} s.",
            detail="Nothing was lost; this step was not noted.",
            remedy="End the program that holds the file open (a backup, a database viewer) and run again.",
            path=str(path),
        )
    if name.startswith("SQLITE_CONSTRAINT"):
        return JournalError(
            f"The journal refuses a step that contradicts what it holds ({error}).",
            detail="The step was not noted; everything before it was kept.",
            remedy="This is a mistake in the program: please report it with this message.",
            path=str(path),
        )
    return JournalError(
        f"The journal {path} cannot be used: {error}.",
        detail="Everything acknowledged before was kept.",
        remedy="Check the disk and the rights of the folder, then run again.",
        path=str(path),
    )
