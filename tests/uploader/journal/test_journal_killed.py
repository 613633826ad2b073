"""Kill -9 at any instruction: the file stays sound and every acknowledged step is in it."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.entries import DeliveryState
from uploader.model.files import Root

WRITER = Path(__file__).with_name("killed_writer.py")
RANK = {"intended": 0, "stored": 1, "registered": 2}


def killed_after(state_dir: Path, lines: int, spin: int) -> list[list[str]]:
    """What a writer acknowledged before it was killed, some instructions after its n-th line."""
    with subprocess.Popen(
        [sys.executable, str(WRITER), str(state_dir)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(lines)]
        for _ in range(spin):
            pass
        writer.kill()
        said += writer.stdout.readlines()
    # The last line may be cut: only whole lines were acknowledged.
    return [line.split() for line in said if line.endswith("\n")]


def missing(journal: SqliteJournal, target: int, acknowledged: list[list[str]]) -> list[str]:
    """Acknowledged steps that the journal does not hold."""
    states: dict[str, str] = {}
    chunks: dict[str, set[int]] = defaultdict(set)
    for kind, name, *rest in acknowledged:
        if kind in RANK:
            states[name] = kind
        elif kind == "chunk":
            chunks[name].add(int(rest[0]))
    held = journal.deliveries(target, "s:t", list(states))
    jobs = {job.path: job for job in journal.stale_jobs(target)}
    lost = []
    for name, state in states.items():
        if RANK[held[name].state] < RANK[state]:
            lost.append(f"{name} {state}")
        if held[name].state is DeliveryState.REGISTERED and held[name].rid != f"rid-{name}":
            lost.append(f"{name} rid")
        job = journal.job(held[name].delivery_id) or jobs.get(f"j{name}")
        if not chunks[name] <= set(job.chunks if job else ()):
            lost.append(f"{name} chunks")
    return lost


def sweep(state_dir: Path, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(kills):
        acknowledged = killed_after(state_dir, rng.randint(1, 150), rng.randint(0, 20_000))

        # Looked at before any of our own code may mend it.
        with sqlite3.connect(f"file:{state_dir / 'journal.sqlite3'}?mode=ro", uri=True) as plain:
            assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
        plain.close()

        journal = open_journal(state_dir)
        target = journal.target("h", "1")
        root = journal.root(Root(Path("/data")))
        run = acknowledged[0][1]
        assert missing(journal, target, acknowledged) == []
        entries = {entry.source.path: entry for entry in journal.entries(run, target, root)}
        for kind, name, *_ in acknowledged:
            assert kind != "recorded" or name in entries
            assert kind != "decided" or entries[name].action == "new"
        journal.close()


def test_a_seeded_sample_of_kills(state_dir: Path) -> None:
    sweep(state_dir, kills=6, seed=20260301)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_hundred_kills(state_dir: Path) -> None:
    sweep(state_dir, kills=200, seed=7)
