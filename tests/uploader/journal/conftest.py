"""A journal of its own for every test, and short ways to put something into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.entries import Found, Purpose
from uploader.model.files import Root, SourceFile
from validation.codes import issue
from validation.model import Issue


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def journal(state_dir: Path) -> Iterator[SqliteJournal]:
    opened = open_journal(state_dir, now=lambda: "2026-03-04T05:06:07+00:00")
    yield opened
    opened.close()


@pytest.fixture
def target(journal: SqliteJournal) -> int:
    return journal.target("catalog.example.org", "1")


@pytest.fixture
def root(journal: SqliteJournal) -> int:
    return journal.root(Root(Path("/data/session"), "uuid:A"))


@pytest.fixture
def begin(journal: SqliteJournal, target: int, root: int) -> Callable[..., str]:
    def begin_run(run: str, *roots: int, purpose: Purpose = Purpose.UPLOAD) -> str:
        journal.start_run(
            run,
            target=target,
            roots=roots or [root],
            spec_id="lab",
            spec_version="1.0.0",
            spec_digest="d" * 64,
            purpose=purpose,
        )
        return run

    return begin_run


@pytest.fixture
def found() -> Callable[..., Found]:
    def make(path: str, *, dataset: str = "", size_bytes: int = 10, issues: tuple[Issue, ...] = ()) -> Found:
        source = SourceFile(path, size_bytes, 1_700_000_000_000_000_000, "uuid:A", str(abs(hash(path))))
        return Found(source, rule="image", dataset=dataset, object_path=path, issues=issues)

    return make


@pytest.fixture
def finding() -> Callable[[str], Issue]:
    return lambda message: issue("source.empty", message, path="a.tif")
