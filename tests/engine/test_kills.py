"""`kill -9` at any call of store, catalog, journal or extractor: the next run brings everything to the same end."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ferry_world import SESSION, SMALL_WIRE, World, fill, png, session

from uploader.embedded.server import in_thread
from uploader.engine import run, workers
from validation.spec.load import find, load

DRIVER = Path(__file__).parent / "killed_ferry.py"
CHUNKED = f"{SESSION}/spectrum.csv"
LONG_NAME = f"{SESSION}/{'n' * 240}.txt"
KILLED = -9


def first_state(data: Path) -> None:
    """What an earlier run has carried."""
    session(data, [f"area1_{number:03}.png" for number in range(1, 6)])
    fill(data / SESSION, {f"{name}.txt": name.encode() for name in ("to_change", "to_move", "to_keep")})
    fill(data / SESSION, {"nanoferry.yaml": b"operator: {name: Anna Rossi}\n"})


def second_state(data: Path) -> None:
    """What the killed run finds: new pictures, a file of several chunks, a changed one, a moved one, a sidecar."""
    folder = data / SESSION
    fill(folder, {f"area2_{number:03}.png": png(100 + number) for number in range(1, 6)})
    fill(data, {CHUNKED: random.Random(7).randbytes(18_000), LONG_NAME: b"held"})
    fill(folder, {"to_change.txt": b"changed bytes", "nanoferry.yaml": b"operator: {name: Anna R. Rossi}\n"})
    (folder / "moved").mkdir()
    (folder / "to_move.txt").rename(folder / "moved" / "here.txt")


def changed_spec(folder: Path) -> Path:
    """The layout with one more column: the rows of files whose bytes are there already change."""
    text = find("em-session").read_text("utf-8")
    rule = "    fallback: true\n"
    assert text.count(rule) == 1
    path = folder / "changed.yaml"
    path.write_text(text.replace(rule, rule + '    columns: {Title: "{name}"}\n'), "utf-8")
    return path


@contextmanager
def prepared(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[World, Path]]:
    """A world whose folder was carried once and has changed since."""
    monkeypatch.setattr(workers, "PooledExtractor", workers.InlineExtractor)
    monkeypatch.setattr(run, "Wire", SMALL_WIRE)
    with in_thread(home / "state" / "catalog") as endpoint:
        world = World(home, endpoint)
        first_state(home / "data")
        assert set(world.upload(home / "data").outcomes) == {"new"}
        second_state(home / "data")
        yield world, changed_spec(home)


def sail(world: World, spec: Path, number: int, moment: str) -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join([str(DRIVER.parent), str(DRIVER.parents[2])])
    return subprocess.run(
        [
            sys.executable,
            str(DRIVER),
            str(world.home),
            str(world.home / "data"),
            str(spec),
            str(number),
            moment,
        ],
        env=os.environ | {"PYTHONPATH": search},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def recover(world: World, spec: Path) -> dict[str, Any]:
    """Run again unharmed; what must hold after any kill is checked here, and the end state returned."""
    data = world.home / "data"
    told = world.upload(data, spec=load(spec))
    assert [name for name, one in told.results.items() if one.outcome == "held"] == [LONG_NAME], told.results
    assert not told.outcomes.keys() & {"failed", "cancelled"}, told.results
    assert told.parked is None
    for row in world.rows():
        local = data / SESSION / row["Path"]
        assert world.content(row["URL"]) == local.read_bytes()
        assert row["MD5"] == hashlib.md5(local.read_bytes()).hexdigest()
    listed = {line["path"]: line for line in told.receipt["files"]}
    on_disk = {
        path.relative_to(data).as_posix() for path in data.rglob("*.*") if path.name != "nanoferry.yaml"
    }
    assert listed.keys() == on_disk - {SESSION}
    assert all(
        line["rid"] and line["object_url"] and line["md5"]
        for line in listed.values()
        if line["outcome"] != "held"
    )
    third = world.upload(data, spec=load(spec))
    assert third.outcomes == {"same": len(on_disk - {SESSION}) - 1, "held": 1}
    return world.end_state()


@pytest.fixture(scope="module")
def without_a_kill(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[str]]:
    """The end state of a run that nobody killed, and the calls it made."""
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        prepared(tmp_path_factory.mktemp("quiet"), monkeypatch) as (
            world,
            spec,
        ),
    ):
        done = sail(world, spec, 0, "before")
        assert done.returncode == 0, done.stderr
        return recover(world, spec), done.stdout.split()


def check_kill(
    home: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, Any], number: int, moment: str
) -> bool:
    """Kill at one call and recover; False when the run ended before that call came."""
    with prepared(home, monkeypatch) as (world, spec):
        done = sail(world, spec, number, moment)
        assert done.returncode in (KILLED, 0), done.stderr
        assert recover(world, spec) == expected
        return done.returncode == KILLED


def test_the_quiet_run_does_every_kind_of_work(without_a_kill: tuple[dict[str, Any], list[str]]) -> None:
    state, calls = without_a_kill
    versions = {name.rpartition("/")[2]: count for name, count in state["versions"].items()}
    assert versions.pop("to_change.txt") == 2
    assert set(versions.values()) == {1}
    assert "here.txt" not in versions
    assert state["jobs"] == []
    titles = {row["Path"]: row["Title"] for row in state["rows"]["nanoscience:File"]}
    assert titles["to_keep.txt"] == "to_keep"
    assert titles["moved/here.txt"] == "here"
    assert "to_move.txt" not in titles
    (dataset,) = state["rows"]["nanoscience:Dataset"]
    assert "Anna R. Rossi" in json.dumps(dataset["Metadata"])
    assert {"store.finalise", "catalog.update", "catalog.insert", "store.put_chunk"} <= set(calls)


SEED = 2026
SAMPLE = [
    (share, random.Random(SEED + index).choice(("before", "after")))
    for index, share in enumerate(
        random.Random(SEED).uniform(step / 12, (step + 1) / 12) for step in range(12)
    )
]


@pytest.mark.parametrize(("share", "moment"), SAMPLE)
def test_killed_at_a_sampled_call(
    share: float,
    moment: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    without_a_kill: tuple[dict[str, Any], list[str]],
) -> None:
    expected, calls = without_a_kill
    check_kill(tmp_path, monkeypatch, expected, 1 + int(share * len(calls)), moment)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shard", range(16))
def test_killed_at_every_call(
    shard: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    without_a_kill: tuple[dict[str, Any], list[str]],
) -> None:
    expected, calls = without_a_kill
    for number in range(1 + shard, len(calls) + 1, 16):
        for moment in ("before", "after"):
            home = tmp_path / f"{number}-{moment}"
            home.mkdir()
            killed = check_kill(home, monkeypatch, expected, number, moment)
            how = "killed" if killed else "ended before"
            sys.stdout.write(f"call {number:3} {moment:6} {calls[number - 1]:28} {how}, recovered\n")
