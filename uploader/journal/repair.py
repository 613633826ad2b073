"""Saves what can still be read of a damaged journal into a new one; the damaged files are kept beside it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uploader.journal.connection import Database
from uploader.journal.lock import holders
from uploader.journal.migrations import APPLICATION_ID, STEPS, migrate, too_new
from uploader.journal.opening import FILE_NAME, OPENING_LOCK
from uploader.journal.oslock import held
from uploader.model.errors import JournalError, JournalLocked

TABLES = (
    "targets",
    "roots",
    "runs",
    "run_roots",
    "deliveries",
    "jobs",
    "chunks",
    "headers",
    "digests",
    "sent",
)
"""What is worth saving, each table behind those it refers to. Entries come back with the next survey."""

_GROUPED_BY = {"run_roots": ("runs", "run_no"), "chunks": ("jobs", "job_id")}
"""Tables without row ids whose rows belong to rows of another: read group by group."""

_LAST_ROW_ID = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was saved."""

    moved_to: Path
    """Where the damaged files lie now, unchanged."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """Table -> rows in the new journal."""
    torn: tuple[str, ...] = ()
    """Tables of which some rows could not be read."""

    @property
    def summary(self) -> str:
        """What happened and what is lost, in words."""
        saved = ", ".join(f"{count} {table}" for table, count in self.rows.items() if count) or "nothing"
        lost = f"Rows are missing of: {', '.join(self.torn)}. " if self.torn else ""
        return (
            f"The damaged journal was moved to {self.moved_to}. Saved into a new one: {saved}. {lost}"
            "What is missing comes back with the next run: files are looked up in the catalog, not sent again."
        )


def _utc_now() -> str:
    return datetime.now(UTC).isoformat()


def salvage(folder: Path, *, now: Callable[[], str] = _utc_now) -> Salvage:
    """Build a new journal for this state folder from what can be read of the old one.

    Raises JournalLocked while an engine runs, JournalTooNew for a newer program's file, and JournalError when
    there is no journal or the folder cannot be written.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise JournalError(
            f"There is no journal in {folder}.",
            detail="Nothing was changed.",
            remedy="Nothing is to be done: the next run begins a new one.",
            path=str(path),
        )
    try:
        with held(folder / OPENING_LOCK):
            _refuse_running(folder)
            return _salvaged(path, _fresh_folder(folder, now()))
    except OSError as error:
        raise JournalError(
            f"The journal {path} cannot be repaired: {error.strerror or error}.",
            detail="The damaged files were kept.",
            remedy="Make room for a copy of the journal, check the rights of the folder, and try again.",
            path=str(path),
        ) from error


def _refuse_running(folder: Path) -> None:
    running = holders(folder)
    if running:
        raise JournalLocked(
            f"{running[0].path} is held by process {running[0].pid} on {running[0].host}, which uses this journal.",
            detail="Nothing was changed.",
            remedy="Wait until that run has ended, or end it, and try again.",
            path=str(folder),
        )


def _fresh_folder(folder: Path, now: str) -> Path:
    stamp = "".join(letter for letter in now[:19] if letter.isalnum())
    for number in range(1, 1000):
        fresh = folder / (f"damaged-{stamp}" if number == 1 else f"damaged-{stamp}-{number}")
        with suppress(FileExistsError):
            fresh.mkdir(mode=0o700)
            return fresh
    raise FileExistsError(17, "every name for the damaged files is taken", str(folder))


def _salvaged(path: Path, keep: Path) -> Salvage:
    # Read from a copy: SQLite changes a file that it opens with a log beside it, and the damaged one is evidence.
    work = keep / "work"
    work.mkdir(mode=0o700)
    files = [path.with_name(path.name + suffix) for suffix in ("", "-wal")]
    for file in files:
        if file.exists():
            shutil.copyfile(file, work / file.name)
    fresh = work / "fresh.sqlite3"
    database = Database(fresh)
    try:
        migrate(database)
        rows, torn = _copied(work / path.name, database)
    except BaseException:
        database.close()
        shutil.rmtree(keep)
        raise
    database.close()
    for file in (*files, path.with_name(path.name + "-shm")):
        if file.exists():
            file.replace(keep / file.name)
    fresh.replace(path)
    shutil.rmtree(work)
    return Salvage(keep, rows, torn)


def _copied(old: Path, fresh: Database) -> tuple[dict[str, int], tuple[str, ...]]:
    """Copy all that can be read; rows per table, and the tables that could not be read to their end."""
    counts = dict.fromkeys(TABLES, 0)
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
        except sqlite3.Error:
            return counts, TABLES
        if owner != APPLICATION_ID:
            return counts, TABLES
        if version > len(STEPS):
            raise too_new(old, version)
        torn = []
        for table in TABLES:
            reader = _Reader(connection, table)
            with fresh.write() as into:
                counts[table] = sum(_kept(into, table, row) for row in reader.rows())
            if reader.is_torn:
                torn.append(table)
    with fresh.write() as into:
        # What was delivered tells its digest as well.
        cursor = into.execute(
            "INSERT OR IGNORE INTO digests (identity, md5, sha256, size_bytes, used_day)"
            " SELECT source_identity, md5, sha256, size_bytes, strftime('%s', 'now') / 86400"
            " FROM deliveries WHERE md5 <> '' AND sha256 <> '' AND object_name <> ''"
        )
        counts["digests"] += cursor.rowcount
    return counts, tuple(torn)


def _kept(into: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    marks = ", ".join("?" * len(row))
    sql = f"INSERT OR IGNORE INTO {table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 - names of our own
    try:
        return into.execute(sql, list(row.values())).rowcount
    except sqlite3.IntegrityError:
        return 0  # what it refers to is lost


class _Reader:
    """Reads the rows of one table of a damaged file, around what cannot be read."""

    def __init__(self, connection: sqlite3.Connection, table: str) -> None:
        self._connection, self._table = connection, table
        self.is_torn = self._stumbled = False
        self._columns = self._held_columns()

    def _held_columns(self) -> list[str]:
        """The columns of the file; none for a table that an older program did not have."""
        try:
            rows = self._connection.execute(f"PRAGMA table_info({self._table})").fetchall()
        except sqlite3.Error:
            self.is_torn = True
            return []
        return [row[1] for row in rows]

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Every row that can be read."""
        if not self._columns:
            return
        if self._table in _GROUPED_BY:
            yield from self._by_group(*_GROUPED_BY[self._table])
        elif self._table == "digests":
            yield from self._from_both_ends("identity")
        else:
            yield from self._by_row_id()

    def _by_row_id(self) -> Iterator[Mapping[str, Any]]:
        start = -_LAST_ROW_ID
        while True:
            for row_id, *values in self._read("rowid", "rowid >= ? ORDER BY rowid", [start]):
                start = row_id + 1
                yield dict(zip(self._columns, values, strict=True))
            if not self._stumbled:
                return
            if (found := self._behind_the_gap(max(start, 0))) is None:
                return
            start = found

    def _behind_the_gap(self, start: int) -> int | None:
        """The first row id from `start` on that can be read again: doubled steps there, halved steps back."""
        blocked, step = start - 1, 1
        while True:
            probe = min(start + step, _LAST_ROW_ID)
            found = self._first_from(probe)
            if found is not None or not self._stumbled:
                break
            blocked, step = probe, step * 2
            if probe == _LAST_ROW_ID:
                return None
        if found is None:
            found = probe  # beyond the last row; rows may lie between
        while probe - blocked > 1:
            middle = (probe + blocked) // 2
            nearer = self._first_from(middle)
            if nearer is None and self._stumbled:
                blocked = middle
            else:
                probe = middle
                found = min(found, nearer) if nearer is not None else found
        return found

    def _first_from(self, row_id: int) -> int | None:
        rows = list(self._read("rowid", "rowid >= ? ORDER BY rowid LIMIT 1", [row_id]))
        return None if self._stumbled or not rows else int(rows[0][0])

    def _by_group(self, table: str, column: str) -> Iterator[Mapping[str, Any]]:
        owners = _Reader(self._connection, table)
        for owner in owners.rows():
            for _, *values in self._read("1", f"{column} = ?", [owner[column]]):
                yield dict(zip(self._columns, values, strict=True))

    def _from_both_ends(self, key: str) -> Iterator[Mapping[str, Any]]:
        for direction in ("", "DESC"):
            for _, *values in self._read("1", f"1 ORDER BY {key} {direction}", []):
                yield dict(zip(self._columns, values, strict=True))
            if not self._stumbled:
                return

    def _read(self, first: str, where: str, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Rows up to the end or the first that cannot be read; `_stumbled` says which."""
        self._stumbled = False
        sql = f"SELECT {first}, {', '.join(self._columns)} FROM {self._table} WHERE {where}"  # noqa: S608
        try:
            yield from self._connection.execute(sql, parameters)
        except sqlite3.Error:
            self._stumbled = self.is_torn = True
