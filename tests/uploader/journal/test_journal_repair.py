"""A damaged journal: what can be read is saved, the damaged files are kept, what is missing is no disaster."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from uploader.journal.connection import Database
from uploader.journal.lock import hold_root
from uploader.journal.migrations import STEPS, migrate
from uploader.journal.repair import TABLES, Salvage, salvage
from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.entries import DeliveryState
from uploader.model.errors import JournalDamaged, JournalError, JournalLocked, JournalTooNew
from uploader.model.files import Digest, Root, SourceFile, Stored
from validation.instruments.model import Header

PAGE_BYTES = 4096
COUNT = 400


def source(number: int) -> SourceFile:
    return SourceFile(f"day/{number:04}.tif", 10, 1, "uuid:A", str(number))


def filled(state_dir: Path) -> Path:
    """A journal with something in every table; its file."""
    journal = open_journal(state_dir, now=lambda: "2026-03-04T05:06:07+00:00")
    target = journal.target("catalog.example.org", "1")
    root = journal.root(Root(Path("/data"), "uuid:A", "/data"))
    journal.start_run("r1", target=target, roots=[root], spec_id="lab", spec_version="1", spec_digest="d")
    for number in range(COUNT):
        one = source(number)
        journal.save_headers({one.identity: Header("mrc", f"mrc/{number}")})
        delivery = journal.intend(target, "s:t", f"key {number}", f"/hatrac/{number}", one, one.path)
        job = journal.open_job(
            delivery.delivery_id,
            f"/hatrac/{number};upload/J",
            chunk_bytes=5,
            size_bytes=10,
            source_identity="i",
        )
        journal.chunk(job.job_id, 0, "m0")
        if number % 4:
            stored = Stored(f"/hatrac/{number}", f"/hatrac/{number}:V", 10)
            digest = Digest(f"{number:032x}", f"{number:064x}", 10)
            journal.stored(delivery.delivery_id, stored, digest, source_identity=one.identity)
        if number % 4 > 1:
            journal.registered([(delivery.delivery_id, f"1-{number}", "digest", {"Name": f"n{number}"})])
    journal.finish_run("r1", outcomes={"new": COUNT}, interrupted=False, receipt="/r.json")
    journal.close()
    return state_dir / "journal.sqlite3"


def pages_of(file: Path, name: str) -> list[int]:
    """Numbers (from 0) of the pages of a table, the leaves among them; read before the damage is done."""
    with sqlite3.connect(file) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    connection.close()
    content = file.read_bytes()
    pages, found = [root - 1], []
    while pages:
        number = pages.pop()
        found.append(number)
        page = content[number * PAGE_BYTES : (number + 1) * PAGE_BYTES]
        if page[0] in (2, 5):  # an interior page: its children
            cells = int.from_bytes(page[3:5], "big")
            places = [int.from_bytes(page[12 + 2 * n : 14 + 2 * n], "big") for n in range(cells)]
            pages += [int.from_bytes(page[place : place + 4], "big") - 1 for place in places]
            pages.append(int.from_bytes(page[8:12], "big") - 1)
    return sorted(found)


def damage(file: Path, *pages: int) -> None:
    content = bytearray(file.read_bytes())
    for page in pages:
        content[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = b"\xff" * PAGE_BYTES
    file.write_bytes(content)


def check_what_is_there(journal: SqliteJournal) -> int:
    """Every delivery in the journal is as it was written; how many there are."""
    target = journal.target("catalog.example.org", "1")
    held = journal.deliveries(target, "s:t", [f"key {number}" for number in range(COUNT)])
    for key, delivery in held.items():
        number = int(key.split()[1])
        states = (
            DeliveryState.INTENDED,
            DeliveryState.STORED,
            DeliveryState.REGISTERED,
            DeliveryState.REGISTERED,
        )
        assert delivery.state is states[number % 4]
        assert delivery.source_identity == source(number).identity
        assert delivery.rid == (f"1-{number}" if number % 4 > 1 else "")
        assert delivery.digest == (Digest(f"{number:032x}", f"{number:064x}", 10) if number % 4 else None)
    return len(held)


def test_one_torn_page_costs_its_own_rows_only(state_dir: Path) -> None:
    file = filled(state_dir)
    leaves = pages_of(file, "deliveries")[1:]
    damage(file, leaves[len(leaves) // 2])
    torn = file.read_bytes()
    with pytest.raises(JournalDamaged, match="damaged"):
        open_journal(state_dir)

    saved = salvage(state_dir, now=lambda: "2026-03-04T05:06:07+00:00")

    assert saved.moved_to == state_dir / "damaged-20260304T050607"
    assert (saved.moved_to / "journal.sqlite3").read_bytes() == torn
    assert [path.name for path in saved.moved_to.iterdir()] == ["journal.sqlite3"]
    journal = open_journal(state_dir)
    there = check_what_is_there(journal)
    assert COUNT - 25 < there < COUNT
    assert saved.rows["deliveries"] == there
    assert saved.torn == ("deliveries",)
    # What refers to a lost row goes with it, everything else is whole.
    assert saved.rows["jobs"] == saved.rows["chunks"] == there
    assert saved.rows["digests"] == COUNT * 3 // 4
    assert saved.rows["headers"] == COUNT
    assert len(journal.headers([source(number).identity for number in range(COUNT)])) == COUNT
    assert [(run.run, run.roots, run.outcomes) for run in journal.runs()] == [
        ("r1", (str(Path("/data")),), {"new": COUNT})
    ]
    assert f"{there} deliveries" in saved.summary
    assert "not sent again" in saved.summary
    journal.close()


def test_digests_come_back_from_the_deliveries(state_dir: Path) -> None:
    file = filled(state_dir)
    leaves = pages_of(file, "digests")[1:]
    damage(file, *leaves[1:-1])

    saved = salvage(state_dir)

    assert saved.torn == ("digests",)
    journal = open_journal(state_dir)
    assert len(journal.digests([source(number).identity for number in range(COUNT)])) == COUNT * 3 // 4
    journal.close()


@pytest.mark.parametrize("name", ["targets", "deliveries", "chunks"])
def test_the_root_of_a_table_costs_that_table_and_what_hangs_on_it(state_dir: Path, name: str) -> None:
    file = filled(state_dir)
    with sqlite3.connect(file) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    connection.close()
    damage(file, root - 1)

    saved = salvage(state_dir)

    assert name in saved.torn
    assert saved.rows[name] == 0
    assert saved.rows["roots"] == 1
    assert saved.rows["headers"] == COUNT
    open_journal(state_dir).close()


def test_a_file_of_rubbish_gives_an_empty_journal(state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "journal.sqlite3").write_bytes(b"no database at all " * 500)

    saved = salvage(state_dir)

    assert sum(saved.rows.values()) == 0
    assert saved.torn == TABLES
    assert "Saved into a new one: nothing" in saved.summary
    journal = open_journal(state_dir)
    assert journal.runs() == []
    journal.close()


def test_a_sound_journal_is_saved_whole_with_its_log(state_dir: Path) -> None:
    file = filled(state_dir)
    journal = open_journal(state_dir)
    journal.target("in the log only", "9")
    wal = file.with_name("journal.sqlite3-wal").read_bytes()

    saved = salvage(state_dir)  # nobody holds a folder; our own connection still looks at the moved file
    journal.close()

    assert (saved.torn, saved.rows["targets"], saved.rows["deliveries"]) == ((), 2, COUNT)
    assert len(wal) > 0
    reopened = open_journal(state_dir)
    assert check_what_is_there(reopened) == COUNT
    reopened.close()


def test_an_older_journal_is_saved_into_this_programs_form(state_dir: Path) -> None:
    state_dir.mkdir()
    database = Database(state_dir / "journal.sqlite3")
    migrate(database, STEPS[:1])
    with database.write() as connection:
        connection.execute("INSERT INTO targets VALUES (1, 'host', '7')")
        connection.execute("INSERT INTO digests VALUES (x'61', 'm', 's', 4)")
    database.close()

    saved = salvage(state_dir)

    assert (saved.rows["targets"], saved.rows["digests"], saved.torn) == (1, 1, ())
    journal = open_journal(state_dir)
    assert journal.digests(["a"]) == {"a": Digest("m", "s", 4)}
    journal.close()


def test_a_watch_that_nobody_attends_opens_a_damaged_journal(
    state_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = filled(state_dir)
    damage(file, pages_of(file, "deliveries")[1])

    journal = open_journal(state_dir, salvage=True)

    assert isinstance(journal.salvaged, Salvage)
    assert "The damaged journal was moved to" in caplog.text
    assert check_what_is_there(journal) > COUNT - 25
    journal.close()
    sound = open_journal(state_dir, salvage=True)
    assert sound.salvaged is None
    sound.close()


def test_nothing_is_moved_while_an_engine_runs(state_dir: Path) -> None:
    filled(state_dir)
    with (
        hold_root(state_dir, Root(Path("/data"), "uuid:A")),
        pytest.raises(JournalLocked, match="uses this journal"),
    ):
        salvage(state_dir)
    assert not list(state_dir.glob("damaged-*"))


def test_a_newer_journal_is_not_taken_apart(state_dir: Path) -> None:
    file = filled(state_dir)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()

    with pytest.raises(JournalTooNew):
        salvage(state_dir)
    assert file.exists()
    assert not list(state_dir.glob("damaged-*"))


def test_without_a_journal_there_is_nothing_to_repair(state_dir: Path) -> None:
    state_dir.mkdir()
    with pytest.raises(JournalError, match="There is no journal"):
        salvage(state_dir)


@pytest.mark.parametrize("rounds", [5, pytest.param(150, marks=pytest.mark.long)])
def test_whatever_page_is_torn_the_new_journal_is_sound(state_dir: Path, rounds: int) -> None:
    file = filled(state_dir)
    sound = file.read_bytes()
    rng = random.Random(20261121)
    for _ in range(rounds):
        file.write_bytes(sound)
        damage(file, *rng.sample(range(len(sound) // PAGE_BYTES), rng.randint(1, 6)))
        salvage(state_dir)
        journal = open_journal(state_dir)
        check_what_is_there(journal)
        journal.close()
        with sqlite3.connect(file) as plain:
            assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
        plain.close()
