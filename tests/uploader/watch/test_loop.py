"""The loop with the real engine, a clock that runs faster, and hints that only the test gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake_watch import FakeHints
from ferry_world import SESSION, World, fill, hurried, session

from uploader.bootstrap import SystemClock, open_engine
from uploader.embedded.server import in_thread
from uploader.engine import workers
from uploader.engine.limits import Limits
from uploader.engine.run import Engine
from uploader.model.control import Command, EngineState, Verb
from uploader.model.entries import Purpose
from uploader.model.errors import JournalDamaged, JournalFull, SettingsError, Unreachable, UploaderError
from uploader.model.events import CommandTaken, Event, FileFinished, RunFinished, RunStarted, Watching
from uploader.stages.roots import make_root
from uploader.watch.lookout import FolderLookout
from uploader.watch.loop import passes, watch
from validation.spec.load import find, load

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(workers, "PooledExtractor", workers.InlineExtractor)
    hurried(monkeypatch)
    with in_thread(tmp_path / "state" / "catalog") as endpoint:
        yield World(tmp_path, endpoint)


class Watched:
    """An engine that watches a folder; the test is who listens to its events."""

    def __init__(self, engine: Engine, lookout: FolderLookout) -> None:
        self.engine, self.journal = engine, engine._ports.journal
        self.heard: list[Event] = []
        self._events = watch(engine, lookout, SystemClock())

    def until(self, holds: Callable[[Event], bool]) -> Event:
        """Listen until an event of this kind."""
        for event in self._events:
            self.heard.append(event)
            if holds(event):
                return event
        raise AssertionError([event.kind for event in self.heard])

    def finished(self) -> RunFinished:
        event = self.until(lambda event: isinstance(event, RunFinished))
        assert isinstance(event, RunFinished)
        return event

    def is_quiet(self) -> Watching:
        event = self.until(lambda event: isinstance(event, Watching))
        assert isinstance(event, Watching)
        return event

    def stop(self) -> list[Event]:
        """Stop it; what it still had to say."""
        self.engine.stop()
        return list(self._events)

    def close(self) -> None:
        self._events.close()  # type: ignore[attr-defined]


@contextmanager
def watching(world: World, *folders: Path) -> Iterator[Watched]:
    roots = [make_root(folder) for folder in folders]
    lookout = FolderLookout(roots, SystemClock(), FakeHints(), settle_s=5.0, rescan_s=5.0)
    limits = Limits(patience_s=float("inf"), login_patience_s=float("inf"))
    spec = load(find("em-session"))
    with open_engine(world.settings, roots=folders, spec=spec, limits=limits, choice=lookout) as engine:
        watched = Watched(engine, lookout)
        try:
            yield watched
        finally:
            watched.close()


def test_it_catches_up_then_takes_what_comes_and_keeps_one_receipt_per_run(
    world: World, tmp_path: Path
) -> None:
    data = session(tmp_path / "data")
    with watching(world, data) as watched:
        while not (told := watched.is_quiet()).settling:
            assert told.note == "looking through the folders for the first time"
        assert told.settling == 3
        first = watched.finished()
        assert first.outcomes == {"new": 3}
        fill(data, {f"{SESSION}/later.txt": b"one more"})
        second = watched.finished()
        assert second.outcomes == {"new": 1, "same": 3}
        watched.is_quiet()
        last = watched.stop()
    assert second.run != first.run
    receipt = json.loads(Path(second.receipt).read_text("utf-8"))
    assert [file["path"] for file in receipt["files"]] == [f"{SESSION}/later.txt"], "not all that lay there"
    assert not [e for e in watched.heard if isinstance(e, FileFinished) and e.result.outcome.value == "same"]
    (ended,) = [event for event in last if isinstance(event, RunFinished)]
    assert (ended.outcomes, ended.interrupted, ended.receipt) == ({}, False, "")
    assert len(world.rows()) == 4
    assert all(len(versions) == 1 for versions in world.objects().values())


def test_what_is_not_settled_is_neither_gone_nor_unmatched(world: World, tmp_path: Path) -> None:
    data = session(tmp_path / "data")
    with watching(world, data) as watched:
        watched.finished()
        # A file that is delivered already and is being written again.
        fill(data, {f"{SESSION}/notes.txt": b"a second version"})
        fill(data, {f"{SESSION}/other.txt": b"settles first"})
        lookout = watched.engine._choice
        assert isinstance(lookout, FolderLookout)
        takes = lookout.takes
        lookout.takes = lambda root, source: "notes" not in source.path and takes(root, source)  # type: ignore[method-assign]
        finished = watched.finished()
        assert finished.outcomes == {"new": 1, "same": 2}
        lookout.takes = takes  # type: ignore[method-assign]
        watched.is_quiet()
        number = watched.journal.post(Command(Verb.RETRY))
        again = watched.finished()
        assert watched.journal.answers(number)
    assert again.outcomes == {"updated": 1, "same": 3}
    assert len(world.rows()) == 4


def test_a_run_in_which_nothing_came_about_leaves_no_receipt(world: World, tmp_path: Path) -> None:
    data = session(tmp_path / "data")
    with watching(world, data) as watched:
        watched.finished()
        watched.is_quiet()
        watched.journal.post(Command(Verb.RETRY))
        again = watched.finished()
    assert again.outcomes == {"same": 3}
    assert again.receipt == ""
    assert len(list((world.state_dir / "receipts").iterdir())) == 1


def test_between_runs_it_answers_and_says_that_it_watches(world: World, tmp_path: Path) -> None:
    data = session(tmp_path / "data")
    with watching(world, data) as watched:
        watched.finished()
        watched.is_quiet()
        number = watched.journal.post(Command(Verb.LIMIT, value="1000000"))
        watched.until(lambda event: isinstance(event, CommandTaken))
        (record,) = watched.journal.engines()
        assert record.state is EngineState.WATCHING
        assert watched.journal.answers(number) == {record.run: "limit 1,000,000 bytes per second"}
        (newest, *_) = watched.journal.runs()
        assert (newest.run, newest.purpose, newest.finished) == (record.run, Purpose.WATCH, "")
        watched.stop()
        assert watched.journal.engines() == []


def test_a_pause_holds_over_runs(world: World, tmp_path: Path) -> None:
    data = session(tmp_path / "data")
    with watching(world, data) as watched:
        watched.finished()
        watched.is_quiet()
        watched.journal.post(Command(Verb.PAUSE))
        watched.until(lambda event: event.kind == "paused")
        watched.journal.post(Command(Verb.RETRY))
        assert watched.finished().outcomes == {"same": 3}
        fill(data, {f"{SESSION}/later.txt": b"one more"})
        watched.until(lambda event: event.kind == "paused")
        watched.until(lambda event: event.kind == "plan_made")
        assert len(world.rows()) == 3
        watched.journal.post(Command(Verb.RESUME))
        assert watched.finished().outcomes == {"new": 1, "same": 3}


def test_a_file_cancelled_by_a_person_is_not_sent_by_the_next_run(world: World, tmp_path: Path) -> None:
    data = session(tmp_path / "data")
    with watching(world, data) as watched:
        watched.finished()
        watched.is_quiet()
        watched.journal.post(Command(Verb.PAUSE))
        watched.until(lambda event: event.kind == "paused")
        fill(data, {f"{SESSION}/private.txt": b"not for others"})
        watched.until(lambda event: event.kind == "plan_made")
        for limit in ("1000000", "0"):  # once both are taken the files stand in line
            watched.journal.post(Command(Verb.LIMIT, value=limit))
            watched.until(lambda event: event.kind == "command_taken" and event.verb == "limit")
        watched.journal.post(Command(Verb.CANCEL, path=str(data / SESSION / "private.txt")))
        watched.until(lambda event: event.kind == "file_finished")
        watched.journal.post(Command(Verb.RESUME))
        assert watched.finished().outcomes == {"cancelled": 1, "same": 3}
        fill(data, {f"{SESSION}/later.txt": b"one more"})
        assert watched.finished().outcomes == {"new": 1, "same": 3}
    assert len(world.rows()) == 4


def test_a_folder_that_goes_and_comes_back_loses_nothing(world: World, tmp_path: Path) -> None:
    data = session(tmp_path / "data")
    with watching(world, data) as watched:
        watched.finished()
        data.rename(tmp_path / "unplugged")
        watched.until(lambda event: isinstance(event, Watching) and event.away == (str(data),))
        fill(tmp_path / "unplugged", {f"{SESSION}/later.txt": b"written elsewhere"})
        (tmp_path / "unplugged").rename(data)
        assert watched.finished().outcomes == {"same": 3}
        assert watched.finished().outcomes == {"new": 1, "same": 3}
    assert [event.away for event in watched.heard if isinstance(event, Watching) and event.away] == [
        (str(data),)
    ]


def test_a_run_that_cannot_go_on_is_begun_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = session(tmp_path / "data")
    with watching(world, data) as watched:
        run, broken = watched.engine.run, iter([Unreachable("The server is away.")])

        def breaks_once(**options: object) -> Iterator[Event]:
            for error in broken:
                raise error
            yield from run(**options)  # type: ignore[arg-type]

        monkeypatch.setattr(watched.engine, "run", breaks_once)
        told = watched.until(lambda event: isinstance(event, Watching) and "broke off" in event.note)
        assert isinstance(told, Watching)
        assert "The server is away." in told.note
        assert watched.finished().outcomes == {"new": 3}


def test_stopping_in_the_middle_keeps_everything(world: World, tmp_path: Path) -> None:
    data = session(tmp_path / "data")
    with watching(world, data) as watched:
        watched.until(lambda event: isinstance(event, RunStarted))
        rest = watched.stop()
        assert isinstance(rest[-1], RunFinished)
        assert rest[-1].interrupted
    with watching(world, data) as watched:
        watched.finished()
    assert len(world.rows()) == 3


def test_many_runs_leave_no_thread_behind(world: World, tmp_path: Path) -> None:
    data = session(tmp_path / "data")
    with watching(world, data) as watched:
        watched.finished()
        watched.is_quiet()
        before = threading.active_count()
        for number in range(5):
            fill(data, {f"{SESSION}/later{number}.txt": str(number).encode()})
            watched.finished()
            watched.is_quiet()
        assert threading.active_count() <= before + 1


@pytest.mark.parametrize(
    ("error", "goes_on"),
    [
        (Unreachable("away"), True),
        (JournalFull("full"), True),
        (SettingsError("no room for a receipt"), True),
        (JournalDamaged("torn"), False),
    ],
)
def test_it_gives_up_only_what_waiting_cannot_help(error: UploaderError, goes_on: bool) -> None:
    assert passes(error) is goes_on
