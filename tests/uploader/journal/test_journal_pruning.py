"""Caches do not grow for ever: what nobody asks for and no survey names is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uploader.journal import pruning
from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.entries import Found
from uploader.model.files import Digest, Root, SourceFile
from validation.instruments.model import Header

NOW = {"now": "2026-01-01T00:00:00+00:00"}
LATER = "2026-04-20T00:00:00+00:00"
"""110 days later."""

DIGEST = Digest("m", "s", 1)


@pytest.fixture
def aging(state_dir: Path) -> Iterator[SqliteJournal]:
    NOW["now"] = "2026-01-01T00:00:00+00:00"
    opened = open_journal(state_dir, now=lambda: NOW["now"])
    yield opened
    opened.close()


@pytest.fixture
def start(aging: SqliteJournal) -> Callable[[str], tuple[int, int]]:
    target, root = aging.target("host", "1"), aging.root(Root(Path("/data")))

    def started(run: str) -> tuple[int, int]:
        aging.start_run(run, target=target, roots=[root], spec_id="", spec_version="", spec_digest="")
        return target, root

    return started


def test_what_no_file_has_any_more_is_forgotten_after_a_season(
    aging: SqliteJournal, start: Callable[[str], tuple[int, int]]
) -> None:
    named, asked, forgotten = (SourceFile(name, 1, 1) for name in ("named", "asked", "forgotten"))
    for source in (named, asked, forgotten):
        aging.save_digests({source.identity: DIGEST})
        aging.save_headers({source.identity: Header("mrc", "mrc/1")})
    target, root = start("r1")
    aging.record("r1", target, root, [Found(named)])
    NOW["now"] = "2026-03-01T00:00:00+00:00"
    aging.digests([asked.identity])
    aging.headers([asked.identity])
    NOW["now"] = LATER
    start("r2")

    identities = [source.identity for source in (named, asked, forgotten)]
    assert aging.digests(identities).keys() == aging.headers(identities).keys() == set(identities[:2])


def test_a_start_looks_at_so_many_at_most(
    aging: SqliteJournal, start: Callable[[str], tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    aging.save_digests({f"id {number}": DIGEST for number in range(25)})
    monkeypatch.setattr(pruning, "AT_A_TIME", 10)
    NOW["now"] = LATER
    left = []
    for run in ("r1", "r2", "r3"):
        start(run)
        left.append(aging._database.read("SELECT count(*) FROM digests")[0][0])
    assert left == [15, 5, 0]
