"""Files set aside: what a person wants of them meanwhile counts, and one that waits for another is not looked at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from uploader.engine.aside import STILL_S, Aside
from uploader.engine.in_hand import InHand, Wish
from uploader.engine.outbox import Outbox
from uploader.model.control import Standing
from uploader.model.entries import Entry
from uploader.model.errors import SourceChanged
from uploader.model.files import FileResult
from uploader.stages.one_file import source_of

NOTES = "notes.txt"


class FakeClock:
    """Stands still."""

    now_s = 0.0

    def now(self) -> str:
        return "2026-01-01T00:00:00Z"

    def monotonic(self) -> float:
        return self.now_s


@dataclass
class Line:
    """The journal's line of one file."""

    entry: Entry
    standing: Standing | None = Standing.TAKEN
    outcome: str = ""

    def aside(self, _run: str, _limit: int) -> list[Entry]:
        if self.standing is not Standing.SET_ASIDE:
            return []
        self.standing = Standing.TAKEN
        return [self.entry]

    def put_back(self, entry_ids: list[int], standing: Standing) -> None:
        assert entry_ids == [self.entry.entry_id]
        self.standing = standing

    def finish(self, results: list[tuple[int, FileResult]]) -> None:
        ((_, result),) = results
        self.standing, self.outcome = None, result.outcome.value


@dataclass
class Bench:
    """One file in hand, and what puts it aside."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    in_hand: InHand = field(default_factory=InHand)

    def __post_init__(self) -> None:
        (self.folder / NOTES).write_bytes(b"notes")
        self.entry = Entry(7, 1, replace(source_of(self.folder / NOTES), path=NOTES), rule="notes")
        self.root: Any = SimpleNamespace(root_id=1, root=SimpleNamespace(path=self.folder))
        task: Any = SimpleNamespace(
            run="r",
            clock=self.clock,
            roots=(self.root,),
            stopped=lambda: False,
            event=lambda *_, **more: more,
        )
        self.line = Line(self.entry)
        ports: Any = SimpleNamespace(journal=self.line)
        journal: Any = self.line
        self.aside = Aside(task, ports, self.in_hand, Outbox(task, journal, self.in_hand))
        self.in_hand.take([self.entry])

    def changed(self) -> None:
        self.aside.set_aside(self.entry, self.root, SourceChanged("It changed."))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_file_that_is_paused_while_it_is_set_aside_is_paused(bench: Bench) -> None:
    bench.in_hand.wish(1, NOTES, Wish.PAUSE)
    bench.changed()
    assert bench.line.standing is Standing.PAUSED


def test_a_file_that_is_cancelled_while_it_is_looked_at_is_cancelled(bench: Bench) -> None:
    bench.changed()
    looked_at = bench.line.aside

    def aside(run: str, limit: int) -> list[Entry]:
        found = looked_at(run, limit)
        bench.in_hand.take(found)
        bench.in_hand.wish(1, NOTES, Wish.CANCEL)
        bench.in_hand.take = lambda entries: None  # type: ignore[method-assign]
        return found

    bench.line.aside = aside  # type: ignore[assignment,method-assign]
    assert bench.aside.look().waiting == 1
    assert bench.line.outcome == "cancelled"


def test_a_file_that_changed_and_then_waits_for_another_is_looked_at_no_more(bench: Bench) -> None:
    bench.changed()
    bench.clock.now_s = STILL_S
    assert bench.aside.look().still == [bench.entry]
    bench.aside.put_by([bench.entry])
    bench.clock.now_s = 2 * STILL_S
    looked = bench.aside.look()
    assert (looked.still, looked.twins) == ([], [bench.entry])
