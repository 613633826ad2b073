"""Opening the journal: the place, its privacy, its version and its soundness."""

from __future__ import annotations

import sqlite3
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from uploader.journal.connection import Database
from uploader.journal.migrations import STEPS, migrate
from uploader.journal.store import open_journal
from uploader.model.errors import JournalDamaged, JournalError, JournalTooNew
from uploader.model.mounts import Volume


def file_of(state_dir: Path) -> Path:
    return state_dir / "journal.sqlite3"


def test_what_was_written_is_there_after_reopening(state_dir: Path) -> None:
    first = open_journal(state_dir)
    number = first.target("catalog.example.org", "7")
    first.close()

    second = open_journal(state_dir)
    assert second.target("catalog.example.org", "7") == number
    assert second.target("catalog.example.org", "8") != number
    second.close()


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_nobody_else_can_read_the_journal(state_dir: Path) -> None:
    journal = open_journal(state_dir)
    journal.target("catalog.example.org", "1")

    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state_dir.iterdir()}
    assert "journal.sqlite3-wal" in modes
    assert set(modes.values()) == {0o600}
    journal.close()


def test_a_newer_journal_is_refused_and_left_alone(state_dir: Path) -> None:
    open_journal(state_dir).close()
    with sqlite3.connect(file_of(state_dir)) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = file_of(state_dir).read_bytes()

    with pytest.raises(JournalTooNew, match="version 999") as caught:
        open_journal(state_dir)

    assert "Install the newer Nanoferry" in caught.value.remedy
    assert file_of(state_dir).read_bytes() == before


def test_another_programs_database_is_not_migrated(state_dir: Path) -> None:
    state_dir.mkdir()
    with sqlite3.connect(file_of(state_dir)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()

    with pytest.raises(JournalDamaged, match="another program"):
        open_journal(state_dir)


def test_a_file_that_is_no_database_is_named_damaged(state_dir: Path) -> None:
    state_dir.mkdir()
    file_of(state_dir).write_bytes(b"this is not a database at all " * 100)

    with pytest.raises(JournalDamaged) as caught:
        open_journal(state_dir)

    assert "safe on the server" in caught.value.detail
    assert "nanoferry repair --journal" in caught.value.remedy


def test_a_torn_page_is_found_when_opening(state_dir: Path, many_targets: None) -> None:
    content = bytearray(file_of(state_dir).read_bytes())
    half = len(content) // 8192 * 4096
    content[half : half + 4096] = b"\xff" * 4096
    file_of(state_dir).write_bytes(content)

    with pytest.raises(JournalDamaged):
        open_journal(state_dir)


def test_a_cut_off_file_is_found_when_opening(state_dir: Path, many_targets: None) -> None:
    content = file_of(state_dir).read_bytes()
    file_of(state_dir).write_bytes(content[: len(content) // 8192 * 4096])

    with pytest.raises(JournalDamaged):
        open_journal(state_dir)


@pytest.fixture
def many_targets(state_dir: Path) -> None:
    journal = open_journal(state_dir)
    for number in range(400):
        journal.target(f"catalog-{number}.example.org" * 10, "1")
    journal.close()


def test_a_network_file_system_is_refused_before_anything_is_written(state_dir: Path) -> None:
    with pytest.raises(JournalError, match=r"network file system \(nfs4\)") as caught:
        open_journal(state_dir, volume=lambda folder: Volume("net:server:/home", "/x", "nfs4"))

    assert "NANOFERRY_STATE_DIR" in caught.value.remedy
    assert list(state_dir.iterdir()) == []


def test_a_state_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")

    with pytest.raises(JournalError, match="cannot be used") as caught:
        open_journal(tmp_path / "state")

    assert "NANOFERRY_STATE_DIR" in caught.value.remedy


def test_a_closed_journal_says_so(state_dir: Path) -> None:
    journal = open_journal(state_dir)
    journal.close()
    journal.close()

    with pytest.raises(JournalError, match="already closed"):
        journal.target("catalog.example.org", "1")


def test_a_migration_keeps_what_the_older_version_held(state_dir: Path) -> None:
    journal = open_journal(state_dir)
    number = journal.target("catalog.example.org", "1")
    journal.close()

    database = Database(file_of(state_dir))
    migrate(database, (*STEPS, "ALTER TABLE targets ADD COLUMN alias TEXT NOT NULL DEFAULT ''"))
    assert database.read("SELECT target_id, alias FROM targets") == [(number, "")]
    assert database.read("PRAGMA user_version") == [(len(STEPS) + 1,)]
    database.close()


def test_a_migration_that_fails_half_way_changes_nothing(state_dir: Path) -> None:
    open_journal(state_dir).close()
    database = Database(file_of(state_dir))

    with pytest.raises(JournalError):
        migrate(database, (*STEPS, "CREATE TABLE fresh (x); CREATE TABLE targets (x)"))

    assert database.read("SELECT name FROM sqlite_schema WHERE name = 'fresh'") == []
    assert database.read("PRAGMA user_version") == [(len(STEPS),)]
    database.close()


def test_many_open_a_new_journal_at_the_same_moment(state_dir: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        journals = list(threads.map(lambda _: open_journal(state_dir), range(8)))

    assert len({journal.target("catalog.example.org", "1") for journal in journals}) == 1
    for journal in journals:
        journal.close()


def test_a_large_journal_is_checked_after_an_unclean_end_only(
    state_dir: Path, many_targets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(file_of(state_dir).read_bytes())
    half = len(content) // 8192 * 4096
    content[half : half + 4096] = b"\xff" * 4096
    file_of(state_dir).write_bytes(content)
    monkeypatch.setattr("uploader.journal.opening._ALWAYS_CHECKED_BYTES", 0)

    open_journal(state_dir).close()  # ended cleanly: not worth reading a gigabyte for

    file_of(state_dir).with_name("journal.sqlite3-wal").write_bytes(b"\0" * 32)
    with pytest.raises(JournalDamaged):
        open_journal(state_dir)
