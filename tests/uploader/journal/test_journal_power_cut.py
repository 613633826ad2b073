"""A power cut: the journal's file and its log as they were at some moment, reopened elsewhere."""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.control import Command, Lane, Order, Verb
from uploader.model.entries import Decision, DeliveryState, Found
from uploader.model.files import Action, Digest, FileResult, Outcome, Root, SourceFile, Stored

FRAME_BYTES = 24 + 4096
HEADER_BYTES = 32
NAMES = ("journal.sqlite3", "journal.sqlite3-wal")


SMALL_BYTES = 100
FILES = 4


class Load:
    """Sends files on paper: every state, job, chunk and line move that an engine makes."""

    def __init__(self, folder: Path) -> None:
        self.journal = open_journal(folder)
        self.target = self.journal.target("host", "1")
        self.root = self.journal.root(Root(Path("/data")))

    def round(self, number: int) -> None:
        """A run over some files; a cut after any of its steps leaves a legal journal."""
        journal, run = self.journal, f"run {number}"
        journal.start_run(
            run, target=self.target, roots=[self.root], spec_id="", spec_version="", spec_digest=""
        )
        sources = [SourceFile(f"{run}/{file}", 40 + 200 * (file % 2), 1) for file in range(FILES)]
        journal.record(run, self.target, self.root, [Found(source, rule="r") for source in sources])
        entries = list(journal.entries(run, self.target, self.root))
        journal.decide([Decision(entry.entry_id, Action.NEW, ()) for entry in entries])
        journal.line_up(run, Order.PATH)
        for lane in Lane:
            for entry in journal.next_up(run, lane, small_bytes=SMALL_BYTES, limit=FILES):
                self._send(entry.entry_id, entry.source)
        journal.took(run, journal.post(Command(Verb.RETRY)), "nothing to retry")
        journal.finish_run(run, outcomes={"new": FILES}, interrupted=False, receipt="")

    def _send(self, entry_id: int, source: SourceFile) -> None:
        journal, path = self.journal, source.path
        delivery = journal.intend(self.target, "s:t", path, f"/hatrac/{entry_id}", source, path)
        job = journal.open_job(
            delivery.delivery_id,
            f"job {path}",
            chunk_bytes=20,
            size_bytes=40,
            source_identity=source.identity,
        )
        for index in range(2):
            journal.chunk(job.job_id, index, f"md5 {index}")
        digest = Digest(f"md5 {path}", f"sha256 {path}", source.size_bytes)
        stored = Stored(f"/hatrac/{entry_id}", f"/hatrac/{entry_id}:V", source.size_bytes)
        journal.stored(delivery.delivery_id, stored, digest, source_identity=source.identity)
        journal.close_job(job.job_id)
        journal.registered([(delivery.delivery_id, f"rid {path}", "digest", {"Name": path})])
        result = FileResult(
            path, source.size_bytes, Outcome.NEW, digest.md5, digest.sha256, rid=f"rid {path}"
        )
        journal.finish([(entry_id, result)])


def faults(folder: Path) -> list[str]:
    """What is wrong with the journal in this folder, looked at before and after our own code opens it."""
    file = folder / "journal.sqlite3"
    found: list[str] = []
    with closing(sqlite3.connect(file)) as plain:
        if plain.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            found.append("SQLite finds it damaged")
        if plain.execute("PRAGMA foreign_key_check").fetchall():
            found.append("a row refers to nothing")
        if plain.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sent'").fetchone():
            found += [name for name, sql in ILLEGAL.items() if plain.execute(sql).fetchone()]
    journal = open_journal(folder)
    found += _unsound_states(journal)
    journal.close()
    return found


def _unsound_states(journal: SqliteJournal) -> list[str]:
    target = journal.target("host", "1")
    sent = journal.sent(limit=100_000)
    keys = [one.result.path for one in sent]
    held = journal.deliveries(target, "s:t", keys)
    return [f"{key} is said to be sent" for key in keys if held[key].state is not DeliveryState.REGISTERED]


ILLEGAL = {
    "registered without a record": "SELECT 1 FROM deliveries WHERE state = 'registered' AND rid = ''",
    "stored without an object": "SELECT 1 FROM deliveries WHERE state <> 'intended' AND (object_url = '' OR sha256 = '')",
    "a digest without its cache": "SELECT 1 FROM deliveries WHERE state <> 'intended'"
    " AND source_identity NOT IN (SELECT identity FROM digests)",
    "finished before its record": "SELECT 1 FROM entries JOIN deliveries ON row_key = entries.path"
    " WHERE outcome = 'new' AND state <> 'registered'",
    "an outcome that still waits": "SELECT 1 FROM line JOIN entries USING (entry_id) WHERE outcome IS NOT NULL",
    "finished and not in the history": "SELECT 1 FROM entries WHERE outcome = 'new'"
    " AND path NOT IN (SELECT path FROM sent)",
    "counts that do not count": "SELECT 1 FROM line_counts WHERE files <> (SELECT count(*) FROM line"
    " WHERE line.run_no = line_counts.run_no AND line.standing = line_counts.standing)",
    "a line of a finished run": "SELECT 1 FROM lines JOIN runs USING (run_no) WHERE finished <> ''",
    "a wanted job of a stored object": "SELECT 1 FROM jobs JOIN deliveries USING (delivery_id)"
    " WHERE abandoned = 0 AND state <> 'intended'",
}


def transactions_in(folder: Path) -> int:
    """How many numbered transactions are in the journal; they must be the first ones, without a gap."""
    with closing(sqlite3.connect(folder / NAMES[0])) as plain:
        if not plain.execute("SELECT 1 FROM sqlite_schema WHERE name = 'steps'").fetchone():
            return 0
        (count, last), *_ = plain.execute("SELECT count(*), coalesce(max(number), 0) FROM steps")
    assert count == last
    return int(count)


def count_transactions(load: Load) -> list[int]:
    """Let every transaction of the journal leave its number in it; the list grows with each that returned."""
    database = load.journal._database
    database.change("CREATE TABLE steps (number INTEGER PRIMARY KEY)")
    numbers: list[int] = []
    begin = database._transaction

    class Numbered:
        def __init__(self, kind: str) -> None:
            self.kind, self.inner = kind, begin(kind)

        def __enter__(self) -> sqlite3.Connection:
            connection = self.inner.__enter__()
            if self.kind == "BEGIN IMMEDIATE":
                connection.execute("INSERT INTO steps VALUES (?)", (len(numbers) + 1,))
            return connection

        def __exit__(self, *error: object) -> bool | None:
            ended = self.inner.__exit__(*error)  # type: ignore[arg-type]
            if self.kind == "BEGIN IMMEDIATE":
                numbers.append(len(numbers) + 1)
            return ended

    database._transaction = Numbered  # type: ignore[assignment, method-assign]
    return numbers


def cut(state_dir: Path, copy: Path, wal: bytes) -> Path:
    """The journal as a disk would show it after a cut: the file, and so much of its log; no shared memory."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    shutil.copy(state_dir / NAMES[0], copy)
    (copy / NAMES[1]).write_bytes(wal)
    return copy


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.long)])
def test_a_log_cut_anywhere_gives_a_moment_of_the_past(state_dir: Path, tmp_path: Path, rounds: int) -> None:
    load = Load(state_dir)
    load.journal._database.read("PRAGMA wal_autocheckpoint = 0")
    numbers = count_transactions(load)
    for number in range(rounds):
        load.round(number)
    wal = (state_dir / NAMES[1]).read_bytes()
    assert (len(wal) - HEADER_BYTES) % FRAME_BYTES == 0

    boundaries = list(range(HEADER_BYTES, len(wal) + 1, FRAME_BYTES))
    rng = random.Random(4)
    inside = [place + rng.randrange(1, FRAME_BYTES) for place in rng.sample(boundaries[:-1], 10)]
    past: list[int] = []
    for place in sorted([0, 10, *boundaries, *inside]):
        copy = cut(state_dir, tmp_path / "copy", wal[:place])
        moment = transactions_in(copy)
        if not past or moment != past[-1]:
            assert faults(copy) == []
        past.append(moment)
    assert past == sorted(past)
    assert set(past) == set(range(len(numbers) + 1))
    load.journal.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("cuts", [12, pytest.param(300, marks=pytest.mark.long)])
def test_copies_taken_while_it_is_written_are_sound(state_dir: Path, tmp_path: Path, cuts: int) -> None:
    """File and log copied at random moments of a busy load, checkpoints among them.

    A copy is not taken by one instant, as a cut is: it holds the file first and the log after it, which is what a
    disk shows that had written the log at once and the file not yet. A checkpoint between the two would show what no
    disk can, so it is kept out while a copy is taken.
    """
    load = Load(state_dir)
    load.journal._database.read("PRAGMA wal_autocheckpoint = 0")
    numbers = count_transactions(load)
    copying = threading.Lock()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            load.round(number)
            number += 1
            with copying:
                load.journal._database.read("PRAGMA wal_checkpoint(PASSIVE)")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        rng = random.Random(9)
        for _ in range(cuts):
            stop.wait(rng.random() * 0.05)
            copy = tmp_path / "copy"
            shutil.rmtree(copy, ignore_errors=True)
            copy.mkdir()
            with copying:
                acknowledged = len(numbers)
                for name in NAMES:
                    shutil.copy(state_dir / name, copy)
            assert transactions_in(copy) >= acknowledged  # no memory was lost: what had returned is there
            assert faults(copy) == []
    finally:
        stop.set()
        writer.join()
    load.journal.close()
