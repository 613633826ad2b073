"""No room on the journal's disk: nothing half written, and it goes on when there is room again."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from uploader.journal import connection
from uploader.journal.store import SqliteJournal
from uploader.model.control import Intent
from uploader.model.entries import Found
from uploader.model.errors import JournalError, JournalFull, Retry
from uploader.model.files import SourceFile

UNLIMITED_PAGES = 1 << 30


@pytest.fixture
def no_room(journal: SqliteJournal) -> Callable[[bool], None]:
    """SQLite's own way to play a full disk: the file may not grow."""

    def switch(full: bool) -> None:
        pages = journal._database.read("PRAGMA page_count")[0][0] if full else UNLIMITED_PAGES
        journal._database.read(f"PRAGMA max_page_count = {pages}")

    return switch


def some(count: int) -> list[Found]:
    return [Found(SourceFile(f"{number:05}-{'x' * 200}", 1, 1)) for number in range(count)]


def test_a_full_disk_parks_and_the_step_is_made_when_there_is_room(
    journal: SqliteJournal,
    target: int,
    root: int,
    begin: Callable[..., str],
    no_room: Callable[[bool], None],
    state_dir: Path,
) -> None:
    run = begin("r1")
    journal.record(run, target, root, some(10))
    no_room(True)

    with pytest.raises(JournalFull, match="is full") as caught:
        journal.record(run, target, root, some(5000))
    assert caught.value.retry is Retry.AFTER_FIX
    assert "Free some space" in caught.value.remedy
    intents = [Intent("s:t", f"{n:06}" * 50, "/hatrac/x", SourceFile("a", 1, 1), "a") for n in range(2000)]
    with pytest.raises(JournalFull):
        journal.intend_all(target, intents)

    # All of a step or nothing of it, and what was there can be read meanwhile.
    assert len(list(journal.entries(run, target, root))) == 10
    assert journal.deliveries(target, "s:t", [one.row_key for one in intents]) == {}

    no_room(False)
    journal.record(run, target, root, some(5000))
    assert len(journal.intend_all(target, intents)) == 2000
    assert len(list(journal.entries(run, target, root))) == 5000
    with sqlite3.connect(state_dir / "journal.sqlite3") as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    plain.close()


@pytest.mark.parametrize(("free", "expected"), [(4096, JournalFull), (10**9, JournalError)])
def test_a_failed_write_on_a_disk_without_room_is_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, state_dir: Path, free: int, expected: type[JournalError]
) -> None:
    """The log's index cannot be enlarged: SQLite says `disk I/O error`, whatever the cause."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    assert type(connection._in_our_words(state_dir / "journal.sqlite3", error)) is expected


def test_a_disk_that_cannot_be_asked_is_not_called_full(
    monkeypatch: pytest.MonkeyPatch, state_dir: Path
) -> None:
    def refuses(_: Path) -> None:
        raise OSError(errno.EIO, "gone")

    monkeypatch.setattr(shutil, "disk_usage", refuses)
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_WRITE"
    assert not isinstance(connection._in_our_words(state_dir / "journal.sqlite3", error), JournalFull)
