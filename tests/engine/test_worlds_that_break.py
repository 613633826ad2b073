"""The server dies, its disk fills, a folder may not be written or read: kept, told, and done the next time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ferry_world import SESSION, SMALL_WIRE, World, fill, hurried, session

from uploader.embedded import lifecycle
from uploader.embedded.server import Settings as ServerSettings
from uploader.embedded.server import in_thread
from uploader.engine import run, workers
from uploader.model.events import Event, FileFinished
from validation.check import Depth

NAMES = [*(f"area1_{number:03}.png" for number in range(1, 13)), "notes.txt"]


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose server is a process of its own."""
    monkeypatch.setattr(workers, "PooledExtractor", workers.InlineExtractor)
    monkeypatch.setattr(run, "Wire", SMALL_WIRE)
    hurried(monkeypatch)
    folder = tmp_path / "state" / "catalog"
    yield World(tmp_path, lifecycle.ensure_running(folder))
    lifecycle.stop(folder)


def kill_server(world: World) -> None:
    found = lifecycle.running(world.settings.embedded_dir)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)


@pytest.mark.parametrize("moment", ["plan_made", "file_started", "first file_finished", "last file_finished"])
def test_a_killed_server_parks_the_run_and_the_next_one_completes_it(
    moment: str, mortal: World, data: Path
) -> None:
    session(data, NAMES)
    fill(data, {f"{SESSION}/spectrum.csv": os.urandom(20_000)})
    wait_for, kind = moment.partition(" ")[::2] if " " in moment else ("first", moment)
    events: list[Event] = []
    killed = False
    with mortal.engine(data) as engine:
        for event in engine.run(dry_run=False, strict=False, depth=Depth.HEADERS):
            events.append(event)
            of_kind = [one for one in events if one.kind == kind]
            if not killed and of_kind and (wait_for == "first" or len(of_kind) == len(NAMES)):
                kill_server(mortal)
                killed = True
    assert killed
    outcomes = {event.result.outcome.value for event in events if isinstance(event, FileFinished)}
    assert outcomes <= {"new", "cancelled"}
    mortal.endpoint = lifecycle.ensure_running(mortal.settings.embedded_dir)
    again = mortal.upload(data)
    assert set(again.outcomes) <= {"new", "same"}
    assert len(mortal.rows()) == len(NAMES) + 1
    assert {len(versions) for versions in mortal.objects().values()} == {1}
    assert mortal.jobs() == []
    for row in mortal.rows():
        assert mortal.content(row["URL"]) == (data / SESSION / row["Path"]).read_bytes()


def test_a_full_disk_over_there_parks_with_its_cause(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PooledExtractor", workers.InlineExtractor)
    monkeypatch.setattr(run, "Wire", SMALL_WIRE)
    fill(data, {f"{SESSION}/note_{number}.txt": bytes([number]) * 3000 for number in range(10)})
    folder = tmp_path / "state" / "catalog"
    with in_thread(folder, ServerSettings(max_bytes=10_000)) as endpoint:
        told = World(tmp_path, endpoint).upload(data)
    assert told.parked is not None
    assert any(word in told.parked.cause.lower() for word in ("room", "full", "space", "storage"))
    assert told.outcomes.keys() <= {"new", "cancelled"}
    assert told.outcomes["cancelled"] >= 7
    with in_thread(folder) as endpoint:
        world = World(tmp_path, endpoint)
        again = world.upload(data)
        assert again.parked is None
        assert again.outcomes == {"same": told.outcomes["new"], "new": told.outcomes["cancelled"]} or set(
            again.outcomes
        ) == {"new"}
        assert len(world.rows()) == 10
        assert {len(versions) for versions in world.objects().values()} == {1}


@pytest.fixture
def forbid() -> Iterator[Callable[[Path, int], None]]:
    """Takes rights away for the length of a test; skips where nothing is forbidden to this account."""
    before: list[tuple[Path, int]] = []

    def take(path: Path, mode: int) -> None:
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            pytest.skip("nothing is forbidden to this account")
        before.append((path, path.stat().st_mode))
        path.chmod(mode)

    yield take
    for path, mode in before:
        path.chmod(mode)


def test_a_read_only_folder_uploads(world: World, data: Path, forbid: Callable[[Path, int], None]) -> None:
    session(data)
    forbid(data / SESSION, 0o500)
    assert world.upload(data).outcomes == {"new": 3}


def test_an_unreadable_file_fails_alone(
    world: World, data: Path, forbid: Callable[[Path, int], None]
) -> None:
    session(data)
    forbid(data / SESSION / "notes.txt", 0)
    told = world.upload(data)
    assert told.outcomes["new"] == 2
    assert told.results[f"{SESSION}/notes.txt"].outcome in ("failed", "held")
    assert sorted(row["Path"] for row in world.rows()) == ["area1_001.png", "area1_002.png"]


def test_a_reader_that_fails_to_open_a_file_sets_it_aside(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an unreadable file comes to where the account may read everything."""
    session(data)
    real = Path.open

    def refuse(self: Path, *args: object, **named: object) -> object:
        if self.name == "notes.txt":
            raise PermissionError(13, "Permission denied")
        return real(self, *args, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    told = world.upload(data)
    monkeypatch.undo()
    aside = told.results[f"{SESSION}/notes.txt"]
    assert aside.outcome == "held"
    (why,) = (one for one in aside.issues if one.holds)
    assert why.code == "source.unreadable"
    assert "Permission denied" in why.message
    assert told.outcomes["new"] == 2
