"""Several engines on one journal, and what the journal costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from uploader.journal.store import SqliteJournal, open_journal
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
