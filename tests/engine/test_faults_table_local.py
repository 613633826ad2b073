"""The fault table, third part: what disks, mounts and our own memory do."""

from __future__ import annotations

import base64
import errno
import functools
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aftermath import Dropped, check, drop
from fault_proxy import Fault, FaultPlan, FaultProxy, Kind
from ferry_world import SESSION, Told, World
from loopback_server import Asked
from scaled import AT_ONCE, scale

from uploader.embedded.server import in_thread
from uploader.engine import workers
from uploader.model.mounts import Volume
from uploader.stages import roots, scan

VICTIM = "spectrum_1.csv"


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The end state of a run that nothing disturbs."""
    home = tmp_path_factory.mktemp("quiet")
    with pytest.MonkeyPatch.context() as monkeypatch, in_thread(home / "state" / "catalog") as endpoint:
        monkeypatch.setattr(workers, "PooledExtractor", workers.InlineExtractor)
        scale(monkeypatch.setattr)
        world = World(home, endpoint)
        assert set(world.upload(drop(home / "data").folder).outcomes) == {"new"}
        return world.end_state()


@pytest.fixture
def dropped(data: Path) -> Dropped:
    return drop(data)


@pytest.fixture
def line(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy that counts, before a catalog that holds the model already."""
    scale(monkeypatch.setattr)
    empty = world.home / "empty"
    empty.mkdir()
    world.upload(empty)
    monkeypatch.setenv("NANOFERRY_TOKEN", world.endpoint.token)
    with FaultProxy(world.endpoint.url, FaultPlan([])) as proxy:
        world.server = proxy.url
        yield proxy


class Scratched(io.FileIO):
    """A file on a disk that cannot be read from some byte on."""

    bad_from = 10_000

    def readinto(self, buffer: Any) -> int:
        if self.tell() + len(buffer) > self.bad_from:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().readinto(buffer) or 0


def test_a_read_error_in_the_middle_of_a_file(
    world: World, line: FaultProxy, dropped: Dropped, quiet: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file fails with a remedy, alone; once the disk reads again, the rest of it goes."""
    real = Path.open

    def scratched(self: Path, *args: Any, **named: Any) -> Any:
        return Scratched(self) if self.name == VICTIM else real(self, *args, **named)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", scratched)
        told = world.upload(dropped.folder)
    result = told.results[f"{SESSION}/{VICTIM}"]
    assert result.outcome == "failed"
    assert "cannot be read" in result.error
    assert told.outcomes["new"] == len(dropped.bodies) - 1
    again = world.upload(dropped.folder)
    assert again.outcomes == {"new": 1, "same": len(dropped.bodies) - 1}
    fault = "read error in the middle of a source file"
    check(world, dropped, quiet, line.ledger, fault=fault, faults=1, runs=2)


def test_a_folder_unmounted_and_mounted_elsewhere(
    world: World, line: FaultProxy, dropped: Dropped, quiet: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk goes while files are sent, and comes back under another name: known again, nothing sent twice."""
    elsewhere = world.home / "mnt" / "stick"
    elsewhere.parent.mkdir()

    def one_disk(folder: Path, **_: Any) -> Volume:
        top = elsewhere if folder.is_relative_to(elsewhere) else dropped.folder
        inside = folder.relative_to(top).as_posix()
        return Volume("uuid:a-stick", f"/{inside}".removesuffix("/."), "ext4")

    monkeypatch.setattr(roots, "make_root", functools.partial(roots.make_root, volume=one_disk))
    monkeypatch.setattr(scan, "volume_of", one_disk)
    pulled = False

    def pull(_: Asked) -> None:
        nonlocal pulled
        if not pulled and len(line.ledger.bodies) >= 25:
            pulled = True
            line.ledger.interrupted(AT_ONCE)
            dropped.folder.rename(elsewhere)

    line.before_forwarding = pull
    first = world.upload(dropped.folder)
    assert pulled
    assert first.outcomes["new"] < len(dropped.bodies)
    hashed = _hashed(monkeypatch)
    there = Dropped(elsewhere, dropped.bodies)
    again = world.upload(elsewhere)
    assert again.outcomes == {
        "same": first.outcomes["new"],
        "new": len(dropped.bodies) - first.outcomes["new"],
    }, _problems(again)
    assert not hashed & {
        name.rpartition("/")[2] for name, one in first.results.items() if one.outcome == "new"
    }
    fault = "folder unmounted in the middle, mounted elsewhere"
    check(world, there, quiet, line.ledger, fault=fault, faults=1, runs=2)


def _hashed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of files below the folder that are opened from now on."""
    opened: set[str] = set()
    real = Path.open

    def noted(self: Path, *args: Any, **named: Any) -> Any:
        opened.add(self.name)
        return real(self, *args, **named)

    monkeypatch.setattr(Path, "open", noted)
    return opened


def _problems(told: Told) -> list[str]:
    return [f"{name}: {one.error}" for name, one in told.results.items() if one.error]


@pytest.mark.xfail(
    reason="an upload job is left on the server when the journal that knew of it is lost",
    raises=AssertionError,
)
def test_a_journal_that_is_lost_altogether(
    world: World, line: FaultProxy, dropped: Dropped, quiet: dict[str, Any]
) -> None:
    """A new PC goes on where the old one died: nothing of what is complete is sent again, no job is left open."""
    chunk = r"^PUT /hatrac/.*;upload/[^/]+/[0-9]+$"
    line.plan = FaultPlan([Fault(Kind.SIGNED_OUT, chunk, after=7, per_request=None)])
    assert world.upload(dropped.folder).parked is not None
    line.plan = FaultPlan([])
    assert world.jobs()
    # All parts of the files that were not complete: whoever knew of them is gone.
    for body in line.ledger.bodies:
        if body.job:
            line.ledger.hit(body, job_is_lost=True)
    for path in world.state_dir.glob("journal*"):
        path.unlink()
    again = world.upload(dropped.folder)
    assert not again.outcomes.keys() & {"failed", "held", "cancelled"}
    check(world, dropped, quiet, line.ledger, fault="journal lost altogether", faults=1, runs=2)


def test_parents_whose_reply_was_lost_are_noted(world: World, line: FaultProxy, dropped: Dropped) -> None:
    import sqlite3
    from contextlib import closing

    line.plan = FaultPlan([Fault(Kind.CUT_AFTER, "^POST /ermrest/.*(Project|Sample|Dataset)")])
    assert set(world.upload(dropped.folder).outcomes) == {"new"}
    with closing(sqlite3.connect(world.state_dir / "journal.sqlite3")) as journal:
        assert journal.execute("SELECT DISTINCT state FROM deliveries").fetchall() == [("registered",)]


def test_another_machine_publishes_the_same_large_file_meanwhile(
    world: World, line: FaultProxy, dropped: Dropped, quiet: dict[str, Any]
) -> None:
    """Hatrac takes no precondition for a job: only a look just before finalise keeps it at one version."""
    published: list[str] = []

    def publish(asked: Asked) -> None:
        name, _, rest = asked.path.partition(";upload/")
        is_last_part = asked.method == "PUT" and rest.endswith("/5")
        if is_last_part and not published:
            published.append(name)
            body = dropped.bodies[name.rpartition("/")[2]]
            md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
            world.ask("PUT", name, data=body, headers={"Content-MD5": md5}).raise_for_status()

    line.before_forwarding = publish
    assert set(world.upload(dropped.folder).outcomes) == {"new"}
    assert published
    versions = world.objects()
    assert {name: len(versions[name]) for name in published} == dict.fromkeys(published, 1)
