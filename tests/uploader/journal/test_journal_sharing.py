"""Several engines on one journal, and what the journal costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.control import Lane, Order
from uploader.model.entries import Decision, Found
from uploader.model.files import Action, SourceFile

TABLE = "nanoscience:File"


def intend(journal: SqliteJournal, target: int, key: str) -> None:
    journal.intend(target, TABLE, key, f"/hatrac/{key}", SourceFile(key, 1, 1), "")


def test_two_engines_write_to_one_journal(state_dir: Path) -> None:
    journals = [open_journal(state_dir) for _ in range(2)]
    target = journals[0].target("catalog.example.org", "1")

    def ferry(number: int) -> None:
        for index in range(150):
            intend(journals[number], target, f"{number}-{index}")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(ferry, range(2)))

    keys = [f"{number}-{index}" for number in range(2) for index in range(150)]
    for journal in journals:
        assert set(journal.deliveries(target, TABLE, keys)) == set(keys)
        journal.close()


TWO_ENGINES = """
import sys
from pathlib import Path
from uploader.journal.store import open_journal
from uploader.model.control import Command, EngineRecord, EngineState, Lane, Order, Verb
from uploader.model.entries import Decision, Found
from uploader.model.events import FileProgressed
from uploader.model.files import Action, Digest, FileResult, Outcome, Root, SourceFile, Stored

name, count = sys.argv[2], int(sys.argv[3])
journal = open_journal(Path(sys.argv[1]))
target, root = journal.target("host", "1"), journal.root(Root(Path("/data") / name))
journal.start_run(name, target=target, roots=[root], spec_id="", spec_version="", spec_digest="")
sources = [SourceFile(f"{name}/{number}", 10, 1) for number in range(count)]
for start in range(0, count, 50):
    journal.record(name, target, root, [Found(one, rule="r") for one in sources[start : start + 50]])
journal.decide([Decision(one.entry_id, Action.NEW, ()) for one in journal.entries(name, target, root)])
journal.line_up(name, Order.NEWEST)
print("ready", flush=True)
sys.stdin.readline()
while page := journal.next_up(name, Lane.SMALL, small_bytes=100, limit=7):
    for entry in page:
        path = entry.source.path
        delivery = journal.intend(target, "s:t", path, f"/hatrac/{path}", entry.source, path)
        job = journal.open_job(delivery.delivery_id, path, chunk_bytes=5, size_bytes=10, source_identity="i")
        journal.chunk(job.job_id, 0, "md5")
        digest = Digest("m", path, 10)
        journal.stored(delivery.delivery_id, Stored(path, f"{path}:1", 10), digest, source_identity=path)
        journal.registered([(delivery.delivery_id, f"rid {path}", "", {})])
        journal.append([FileProgressed(name, "t", path, 10, 10)])
        journal.finish([(entry.entry_id, FileResult(path, 10, Outcome.NEW, "m", path))])
    journal.pending(name)
    journal.says(EngineRecord(name, 1, "h", EngineState.SENDING))
journal.finish_run(name, outcomes={"new": count}, interrupted=False, receipt="")
journal.close()
"""


@pytest.mark.parametrize("count", [150, pytest.param(5000, marks=pytest.mark.long)])
def test_two_processes_share_the_journal_and_nothing_is_lost(state_dir: Path, count: int) -> None:
    engines = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_ENGINES, str(state_dir), name, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("east", "west")
    ]
    for engine in engines:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "ready\n"
    for engine in engines:
        assert engine.stdin is not None
        engine.stdin.write("go\n")
        engine.stdin.flush()
    said = [engine.communicate() for engine in engines]
    assert [(engine.returncode, errors) for engine, (_, errors) in zip(engines, said, strict=True)] == [
        (0, "")
    ] * 2

    journal = open_journal(state_dir)
    target = journal.target("host", "1")
    for name in ("east", "west"):
        paths = [f"{name}/{number}" for number in range(count)]
        held = journal.deliveries(target, "s:t", paths)
        assert {key: one.rid for key, one in held.items()} == {path: f"rid {path}" for path in paths}
        assert {result.path for result in journal.results(name)} == set(paths)
        assert len(journal.events_after(name, 0, limit=2 * count)) == count
        assert {one.result.path for one in journal.sent(path=f"/data/{name}", limit=2 * count)} == set(paths)
    assert {run.run for run in journal.runs() if run.finished} == {"east", "west"}
    journal.close()


FORKED = """
import os, sys, warnings
from pathlib import Path
from uploader.journal.store import open_journal
from uploader.model.errors import JournalError
journal = open_journal(Path(sys.argv[1]))
journal.target("parent", "1")
child = os.fork()
if child == 0:
    try:
        journal.target("child", "1")
    except JournalError as error:
        sys.stdout.write(error.summary)
        sys.stdout.flush()
        os._exit(0)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
journal.target("parent again", "1")
journal.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_cannot_write_through_the_journal_of_its_parent(state_dir: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FORKED, str(state_dir)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "forked from" in ended.stdout


def survey_of(count: int) -> list[Found]:
    return [
        Found(
            SourceFile(
                f"p{number // 1000:03}/session/image_{number:06}.tif", 200_000, number, "dev:8:1", str(number)
            ),
            rule="image",
            dataset=f"p{number // 1000:03}",
            object_path=f"session/image_{number:06}.tif",
        )
        for number in range(count)
    ]


def surveyed(journal: SqliteJournal, target: int, root: int, run: str, found: list[Found]) -> float:
    """Seconds of work to record, decide and count; a busy machine adds none."""
    began = time.process_time()
    for start in range(0, len(found), 1000):
        journal.record(run, target, root, found[start : start + 1000])
    batch: list[Decision] = []
    for entry in journal.entries(run, target, root, by_dataset=True):
        batch.append(Decision(entry.entry_id, Action.NEW, ()))
        if len(batch) == 1000:
            journal.decide(batch)
            batch = []
    journal.decide(batch)
    assert journal.counts(run, target, root) == {Action.NEW: (len(found), 200_000 * len(found))}
    return time.process_time() - began


def test_a_survey_of_five_thousand_is_quick(
    journal: SqliteJournal, target: int, root: int, begin: Callable[..., str]
) -> None:
    assert surveyed(journal, target, root, begin("r1"), survey_of(5000)) < 5


@pytest.mark.long
def test_a_hundred_thousand_entries_take_seconds_and_little_room(
    journal: SqliteJournal, target: int, root: int, begin: Callable[..., str], state_dir: Path
) -> None:
    found = survey_of(100_000)
    first = surveyed(journal, target, root, begin("r1"), found)
    again = surveyed(journal, target, root, begin("r2"), found)
    journal.close()

    assert max(first, again) < 10
    assert (state_dir / "journal.sqlite3").stat().st_size < 100_000_000


@pytest.mark.bench
def test_a_chunk_is_noted_in_less_than_a_tenth_of_a_millisecond(journal: SqliteJournal, target: int) -> None:
    delivery = journal.intend(target, TABLE, "k", "/hatrac/k", SourceFile("k", 10**9, 1), "")
    job = journal.open_job(delivery.delivery_id, "j", chunk_bytes=1, size_bytes=10**9, source_identity="i")
    took = []
    for index in range(2000):
        began = time.perf_counter()
        journal.chunk(job.job_id, index, "0" * 32)
        took.append(time.perf_counter() - began)
    assert statistics.median(took) < 100e-6


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_line_of_a_million_costs_no_more_per_page_than_a_short_one(
    journal: SqliteJournal, target: int, root: int, begin: Callable[..., str]
) -> None:
    run = begin("r1")
    for start in range(0, 1_000_000, 50_000):
        found = [
            Found(SourceFile(f"p{number // 1000:04}/image_{number:07}.tif", 1, number), rule="image")
            for number in range(start, start + 50_000)
        ]
        for page in range(0, len(found), 1000):
            journal.record(run, target, root, found[page : page + 1000])
    batch: list[Decision] = []
    for entry in journal.entries(run, target, root):
        batch.append(Decision(entry.entry_id, Action.NEW, ()))
        if len(batch) == 1000:
            journal.decide(batch)
            batch = []

    assert journal.line_up(run, Order.NEWEST) == 1_000_000
    began = time.process_time()
    for _ in range(100):
        assert len(journal.next_up(run, Lane.SMALL, small_bytes=10, limit=100)) == 100
        journal.waiting(run)
        journal.pending(run)
    assert (time.process_time() - began) / 100 < 0.02
