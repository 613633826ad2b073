"""A running engine is paused, resumed, cancelled, told to try again, held and stopped through the journal."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ferry_world import SESSION, SMALL_WIRE, World, fill, hurried, session

from uploader.engine import loader, run
from uploader.engine.crew import Crew
from uploader.engine.limits import Limits
from uploader.engine.run import Engine
from uploader.model.control import Command, EngineState, Lane, Order, Verb
from uploader.model.events import (
    CommandTaken,
    Event,
    FileFinished,
    FileSetAside,
    Paused,
    Resumed,
    RunFinished,
)
from validation.check import Depth

NAMES = [*(f"area1_{number:03}.png" for number in range(1, 6)), "notes.txt"]
LARGE = f"{SESSION}/spectrum.csv"


class Going:
    """An engine at work in a thread, and what it has told so far."""

    def __init__(self, engine: Engine, *, hold: bool) -> None:
        self.journal = engine._ports.journal
        self.engine = engine
        self.events: list[Event] = []
        self._thread = threading.Thread(target=self._go, args=(hold,))
        self._thread.start()

    def _go(self, hold: bool) -> None:
        self.events += self.engine.run(dry_run=False, strict=False, depth=Depth.HEADERS, hold=hold)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds."""
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, [event.kind for event in self.events]
            assert self._thread.is_alive() or holds()
            threading.Event().wait(0.01)

    def tell(self, verb: Verb, path: Path | str = "", value: str = "") -> str:
        """Post a command and wait for its answer."""
        number = self.journal.post(Command(verb, path=str(path), value=value))
        self.until(lambda: bool(self.journal.answers(number)))
        (answer,) = self.journal.answers(number).values()
        return answer

    def is_at(self, state: EngineState) -> bool:
        return [record.state for record in self.journal.engines()] == [state]

    def end(self) -> dict[str, str]:
        """Wait for the end: file name -> its last outcome."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.outcomes

    @property
    def outcomes(self) -> dict[str, str]:
        found = [event.result for event in self.events if isinstance(event, FileFinished)]
        return {result.path.rpartition("/")[2]: result.outcome.value for result in found}

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def let_send(self) -> None:
        """As `resume` does, but what is paused stays paused."""
        steering = self.engine._seen.steering
        assert steering is not None
        steering._commands.is_told_to_send = True

    def stop(self) -> None:
        self.engine.stop()
        self._thread.join(30)


@pytest.fixture
def begin(world: World, data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Begins a run over the test's folder; ends it with the test."""
    monkeypatch.setattr(run, "Wire", SMALL_WIRE)

    @contextmanager
    def going(*, hold: bool = False, store: Callable[[Any], Any] = lambda store: store) -> Iterator[Going]:
        with world.engine(data) as engine:
            engine._ports = dataclasses.replace(engine._ports, store=store(engine._ports.store))
            one = Going(engine, hold=hold)
            try:
                yield one
            finally:
                one.stop()

    return going


def test_an_engine_on_hold_sends_when_told(begin: Callable[..., Any], world: World, data: Path) -> None:
    session(data, NAMES)
    with begin(hold=True) as going:
        going.until(lambda: going.is_at(EngineState.READY))
        assert going.told(FileFinished) == []
        assert going.tell(Verb.RESUME) == "everything goes on"
        assert set(going.end().values()) == {"new"}
    assert len(world.rows()) == len(NAMES)


def test_an_engine_on_hold_can_be_stopped(begin: Callable[..., Any], world: World, data: Path) -> None:
    session(data, NAMES)
    with begin(hold=True) as going:
        going.until(lambda: going.is_at(EngineState.READY))
        going.tell(Verb.STOP)
        assert set(going.end().values()) == {"cancelled"}
        assert going.events[-1].interrupted
    assert world.rows() == []


def test_resume_without_a_path_resumes_paused_files_too(begin: Callable[..., Any], data: Path) -> None:
    session(data, NAMES)
    with begin(hold=True) as going:
        going.until(lambda: going.is_at(EngineState.READY))
        assert going.tell(Verb.PAUSE, data / SESSION) == f"{len(NAMES)} files paused"
        assert going.tell(Verb.PAUSE, data / "elsewhere") == "0 files paused"
        assert going.tell(Verb.RESUME) == f"everything goes on; {len(NAMES)} paused files among it"
        assert set(going.end().values()) == {"new"}


def test_a_paused_file_waits_while_the_others_go(begin: Callable[..., Any], data: Path) -> None:
    session(data, NAMES)
    notes = data / SESSION / "notes.txt"
    with begin(hold=True) as going:
        going.until(lambda: going.is_at(EngineState.READY))
        assert going.tell(Verb.PAUSE, notes) == "1 file paused"
        going.let_send()
        going.until(lambda: going.is_at(EngineState.PAUSED) and bool(going.told(Paused)))
        assert set(going.outcomes) == {*NAMES} - {"notes.txt"}
        assert going.tell(Verb.RESUME, notes) == "1 file resumed"
        assert going.end()["notes.txt"] == "new"


class Slow:
    """A store that keeps one request waiting until it is let go."""

    held = threading.Event()
    go_on = threading.Event()

    def __init__(self, store: Any, name: str) -> None:
        self._store, self._name = store, name
        Slow.held, Slow.go_on = threading.Event(), threading.Event()

    @staticmethod
    def is_held() -> bool:
        return Slow.held.is_set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, name: str, *args: Any, **more: Any) -> Any:
        self._wait(name)
        return self._store.put(name, *args, **more)

    def put_chunk(self, job: str, index: int, *args: Any) -> None:
        self._store.put_chunk(job, index, *args)
        if index >= 3:
            self._wait(job.partition(";")[0])

    def _wait(self, name: str) -> None:
        if name.endswith(self._name):
            Slow.held.set()
            assert Slow.go_on.wait(20)


def test_everything_pauses_and_goes_on(begin: Callable[..., Any], world: World, data: Path) -> None:
    session(data, NAMES)
    with begin(hold=True) as going:
        going.until(lambda: going.is_at(EngineState.READY))
        going.tell(Verb.PAUSE)
        going.let_send()
        going.until(lambda: going.is_at(EngineState.PAUSED) and bool(going.told(Paused)))
        assert world.objects() == {}
        going.tell(Verb.RESUME)
        assert set(going.end().values()) == {"new"}
        assert going.told(Resumed)


def test_a_large_file_is_paused_at_its_next_chunk_and_goes_on_from_there(
    begin: Callable[..., Any], world: World, data: Path
) -> None:
    fill(data, {LARGE: bytes(100_000)})
    with begin(store=lambda store: Slow(store, "spectrum.csv")) as going:
        going.until(Slow.is_held)
        assert going.tell(Verb.PAUSE, data / LARGE) == "1 file paused"
        Slow.go_on.set()
        going.until(lambda: going.is_at(EngineState.PAUSED))
        (job,) = world.jobs()
        assert going.tell(Verb.RESUME, data / LARGE) == "1 file resumed"
        assert going.end() == {"spectrum.csv": "new"}
        last = going.events[-1]
        assert isinstance(last, RunFinished)
        assert last.sent_bytes < 100_000
    assert world.jobs() == []
    assert job
    assert {len(versions) for versions in world.objects().values()} == {1}


@pytest.mark.parametrize("is_paused_first", [False, True])
def test_a_cancelled_file_leaves_nothing_on_the_server(
    begin: Callable[..., Any], world: World, data: Path, *, is_paused_first: bool
) -> None:
    fill(session(data, NAMES), {LARGE: bytes(100_000)})
    with begin(store=lambda store: Slow(store, "spectrum.csv")) as going:
        going.until(Slow.is_held)
        if is_paused_first:
            going.tell(Verb.PAUSE, data / LARGE)
            Slow.go_on.set()
            going.until(lambda: going.is_at(EngineState.PAUSED))
        assert going.tell(Verb.CANCEL, data / LARGE) == "1 file cancelled"
        Slow.go_on.set()
        assert going.end() == dict.fromkeys(NAMES, "new") | {"spectrum.csv": "cancelled"}
    assert world.jobs() == []
    assert len(world.rows()) == len(NAMES)
    assert world.upload(data).outcomes == {"same": len(NAMES), "new": 1}


def test_failed_files_are_tried_again(
    begin: Callable[..., Any], world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch, times=20)
    session(data, NAMES)
    gone = data / SESSION / "notes.txt"
    with begin(hold=True) as going:
        going.until(lambda: going.is_at(EngineState.READY))
        going.tell(Verb.PAUSE, data / SESSION / NAMES[0])
        body = gone.read_bytes()
        gone.unlink()
        going.let_send()
        going.until(lambda: going.outcomes.get("notes.txt") == "failed")
        assert [event.path.rpartition("/")[2] for event in going.told(FileSetAside)] == ["notes.txt"]
        gone.write_bytes(body)
        assert going.tell(Verb.RETRY) == "1 file will be tried again"
        going.until(lambda: going.outcomes.get("notes.txt") == "new")
        going.tell(Verb.RESUME)
        assert set(going.end().values()) == {"new"}
        assert going.events[-1].outcomes == {"new": len(NAMES)}


def test_a_limit_is_set_and_a_file_is_put_first(begin: Callable[..., Any], world: World, data: Path) -> None:
    world.limits = Limits(most_at_once=1, order=Order.PATH)
    session(data, NAMES)
    with begin(hold=True) as going:
        going.until(lambda: going.is_at(EngineState.READY))
        assert going.tell(Verb.LIMIT, value="2000000") == "limit 2,000,000 bytes per second"
        assert going.tell(Verb.LIMIT, value="fast").startswith("the limit 'fast' is no number")
        assert going.engine._levers.bandwidth.limit_bytes_per_s == 2_000_000
        assert going.tell(Verb.PRIORITISE, data / SESSION / "notes.txt") == "1 file with priority 1"
        first = going.journal.next_up
        taken: list[str] = []
        going.engine._ports.journal.next_up = lambda *args, **more: (  # type: ignore[method-assign]
            page := first(*args, **more),
            taken.extend(entry.source.path for entry in page),
        )[0]
        going.tell(Verb.RESUME)
        going.end()
        assert taken[0] == f"{SESSION}/notes.txt"
        assert [event.verb for event in going.told(CommandTaken)][-1] == "resume"


def test_a_listener_that_does_not_listen_changes_nothing(world: World, data: Path) -> None:
    session(data, NAMES)
    with world.engine(data) as engine:
        events = engine.run(dry_run=False, strict=False, depth=Depth.HEADERS)
        for event in events:
            if event.kind == "file_started":
                break
        deadline = time.monotonic() + 20
        while len(world.rows()) < len(NAMES):
            assert time.monotonic() < deadline
        assert list(events)[-1].outcomes == {"new": len(NAMES)}  # type: ignore[attr-defined]


class Halfway:
    """Keeps a file that was cut short from coming to its end until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_stopped, self.go_on = threading.Event(), threading.Event()
        plain = Crew.end_early

        def end_early(*args: Any) -> None:
            self.has_stopped.set()
            assert self.go_on.wait(20)
            plain(*args)

        monkeypatch.setattr(Crew, "end_early", end_early)


def test_a_file_that_is_resumed_before_it_came_to_rest_goes_on(
    begin: Callable[..., Any], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halfway = Halfway(monkeypatch)
    fill(data, {LARGE: bytes(100_000)})
    with begin(store=lambda store: Slow(store, "spectrum.csv")) as going:
        going.until(Slow.is_held)
        assert going.tell(Verb.PAUSE, data / LARGE) == "1 file paused"
        Slow.go_on.set()
        going.until(halfway.has_stopped.is_set)
        assert going.tell(Verb.RESUME, data / LARGE) == "1 file resumed"
        halfway.go_on.set()
        assert going.end() == {"spectrum.csv": "new"}


def test_a_file_that_is_paused_after_it_was_cancelled_stays_cancelled(
    begin: Callable[..., Any], world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halfway = Halfway(monkeypatch)
    fill(data, {LARGE: bytes(100_000)})
    with begin(store=lambda store: Slow(store, "spectrum.csv")) as going:
        going.until(Slow.is_held)
        assert going.tell(Verb.CANCEL, data / LARGE) == "1 file cancelled"
        Slow.go_on.set()
        going.until(halfway.has_stopped.is_set)
        assert going.tell(Verb.PAUSE, data / LARGE) == "0 files paused"
        halfway.go_on.set()
        assert going.end() == {"spectrum.csv": "cancelled"}
    assert world.jobs() == []


@pytest.mark.parametrize(("verb", "then"), [(Verb.CANCEL, "cancelled"), (Verb.PAUSE, "new")])
def test_a_file_that_waits_while_everything_is_paused_hears_of_its_own_command(
    begin: Callable[..., Any], data: Path, verb: Verb, then: str
) -> None:
    session(data, NAMES)
    notes = data / SESSION / "notes.txt"
    with begin(hold=True) as going:
        going.until(lambda: going.is_at(EngineState.READY))
        going.tell(Verb.PAUSE)
        going.let_send()
        gate = going.engine._levers.gate
        going.until(lambda: gate.waiting(Lane.SMALL) == len(NAMES))
        assert going.tell(verb, notes).startswith("1 file ")
        going.until(lambda: gate.waiting(Lane.SMALL) == len(NAMES) - 1)
        going.tell(Verb.RESUME)
        assert going.end() == dict.fromkeys(NAMES, "new") | {"notes.txt": then}


def test_a_file_is_tried_again_while_the_last_links_are_made(
    begin: Callable[..., Any], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch, times=20)
    session(data, NAMES)
    linking, go_on = threading.Event(), threading.Event()

    def link_files(*_: Any) -> None:
        linking.set()
        assert go_on.wait(20)

    monkeypatch.setattr(loader, "link_files", link_files)
    notes = data / SESSION / "notes.txt"
    with begin(hold=True) as going:
        going.until(lambda: going.is_at(EngineState.READY))
        body = notes.read_bytes()
        notes.unlink()
        going.let_send()
        going.until(linking.is_set)
        notes.write_bytes(body)
        assert going.tell(Verb.RETRY) == "1 file will be tried again"
        go_on.set()
        assert going.end() == dict.fromkeys(NAMES, "new")


def test_the_upload_job_of_the_last_file_is_dropped_when_it_is_cancelled(
    begin: Callable[..., Any], world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = loader.Loader.drop_job

    def drop_job(self: loader.Loader, entry: Any) -> None:
        self._thread.join(0.3)  # finds the line empty, and must not end yet
        plain(self, entry)

    monkeypatch.setattr(loader.Loader, "drop_job", drop_job)
    fill(data, {LARGE: bytes(100_000)})
    with begin(store=lambda store: Slow(store, "spectrum.csv")) as going:
        going.until(Slow.is_held)
        going.tell(Verb.PAUSE, data / LARGE)
        Slow.go_on.set()
        going.until(lambda: going.is_at(EngineState.PAUSED))
        assert going.tell(Verb.CANCEL, data / LARGE) == "1 file cancelled"
        assert going.end() == {"spectrum.csv": "cancelled"}
    assert world.jobs() == []
