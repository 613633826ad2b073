"""Files that are locked, unreadable or still being written: set aside, looked at again, sent whole or refused."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ferry_world import SESSION, SMALL_WIRE, World, fill, hurried, session

from uploader.engine import aside, run
from uploader.model.events import Event, FileFinished, FileSetAside
from uploader.model.files import FileResult
from validation.check import Depth

NAMES = ["area1_001.png", "area1_002.png", "notes.txt"]
NOTES = f"{SESSION}/notes.txt"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "Wire", SMALL_WIRE)
    hurried(monkeypatch)


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[int, Any], Any]], None]]:
    """Decides what comes of each opening of the notes: called with its number and the file as it really is."""
    plain = Path.open

    def begin(decide: Callable[[int, Any], Any]) -> None:
        count = [0]

        def opened(self: Path, *args: Any, **named: Any) -> Any:
            file = plain(self, *args, **named)
            if self.name != "notes.txt":
                return file
            count[0] += 1
            try:
                return decide(count[0], file)
            except OSError:
                file.close()
                raise

        monkeypatch.setattr(Path, "open", opened)

    yield begin
    monkeypatch.undo()


def carried(
    world: World, data: Path, on_plan: Callable[[], object], on_aside: Callable[[], object] = lambda: None
) -> tuple[dict[str, FileResult], list[Event]]:
    """A run in which something happens once the plan is made, and once a file is set aside."""
    events: list[Event] = []
    with world.engine(data) as engine:
        for event in engine.run(dry_run=False, strict=False, depth=Depth.NAMES):
            events.append(event)
            if event.kind == "plan_made":
                on_plan()
            if isinstance(event, FileSetAside):
                on_aside()
    finished = [event.result for event in events if isinstance(event, FileFinished)]
    return {result.path.rpartition("/")[2]: result for result in finished}, events


def test_a_locked_file_is_sent_when_it_is_free(world: World, data: Path, opening: Any) -> None:
    session(data, NAMES)

    def locked(count: int, file: Any) -> Any:
        if count <= 2:
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        return file

    results, events = carried(world, data, lambda: opening(locked))
    assert {name: result.outcome.value for name, result in results.items()} == dict.fromkeys(NAMES, "new")
    (aside,) = [event for event in events if isinstance(event, FileSetAside)]
    assert aside.path == NOTES
    assert "cannot access the file" in aside.why


@pytest.mark.parametrize("size_bytes", [3000, 30_000])
def test_a_read_error_in_the_middle_fails_that_file_with_its_remedy(
    size_bytes: int, world: World, data: Path, opening: Any
) -> None:
    fill(session(data, NAMES), {NOTES: bytes(size_bytes)})

    class Torn(io.RawIOBase):
        def __init__(self, file: Any) -> None:
            self._file = file

        def readinto(self, view: Any) -> int:
            if self._file.tell() >= size_bytes // 2:
                raise OSError(errno.EIO, "Input/output error")
            return int(self._file.readinto(memoryview(view)[: size_bytes // 2]))

        def close(self) -> None:
            self._file.close()
            super().close()

    results, _ = carried(world, data, lambda: opening(lambda _, file: Torn(file)))
    assert results["notes.txt"].outcome == "failed"
    assert "Input/output error" in results["notes.txt"].error
    assert results["notes.txt"].issues[-1].code == "source.unreadable"
    assert [results[name].outcome.value for name in NAMES[:2]] == ["new", "new"]
    assert len(world.rows()) == 2


def test_a_file_that_is_still_written_is_sent_as_it_is_in_the_end(world: World, data: Path) -> None:
    session(data, NAMES)
    notes = data / NOTES
    results, events = carried(
        world,
        data,
        lambda: notes.write_text("half of it", "utf-8"),
        lambda: notes.write_text("half of it, and the rest", "utf-8"),
    )
    assert results["notes.txt"].outcome == "new"
    assert results["notes.txt"].size_bytes == len("half of it, and the rest")
    assert world.content(results["notes.txt"].object_url) == b"half of it, and the rest"
    assert {len(versions) for versions in world.objects().values()} == {1}
    assert [event.path for event in events if isinstance(event, FileSetAside)] == [NOTES]


def test_a_file_that_never_holds_still_is_refused(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session(data, NAMES)
    now = aside.source_now
    grown = iter(range(1, 100_000))

    def growing(*args: Any) -> Any:
        (data / NOTES).write_bytes(bytes(next(grown)))
        return now(*args)

    monkeypatch.setattr(aside, "source_now", growing)
    results, _ = carried(world, data, lambda: (data / NOTES).write_bytes(b"other"))
    assert results["notes.txt"].outcome == "failed"
    assert results["notes.txt"].issues[-1].code == "source.changed"
    assert len(world.rows()) == 2
