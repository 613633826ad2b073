"""The fault table, second part: real processes killed, stopped and set back at random instants of real time."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aftermath import Dropped, check, drop
from fault_proxy import FaultPlan, FaultProxy
from ferries import Ferry, Harbour, until
from ferry_world import World
from scaled import scale

from uploader.embedded import lifecycle
from uploader.engine import workers

KILLS = 5
"""Kills of one series: the same folder is killed, run again, killed again."""

LONGEST_S = 0.3
"""A kill comes so long after a sign of life at most; to send everything takes about a second."""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The end state of a run that nothing disturbs."""
    home = tmp_path_factory.mktemp("quiet")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(workers, "PooledExtractor", workers.InlineExtractor)
        scale(monkeypatch.setattr)
        world = World(home, lifecycle.ensure_running(home / "state" / "catalog"))
        try:
            assert set(world.upload(dropped_in(home).folder).outcomes) == {"new"}
            return world.end_state()
        finally:
            lifecycle.stop(home / "state" / "catalog")


def dropped_in(home: Path) -> Dropped:
    """Small files of one request, and large ones of twenty chunks."""
    return drop(home / "data", small=80, large=4, large_bytes=80_000)


@pytest.fixture
def harbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harbour]:
    """A server in a process of its own, which holds the model already, behind a line."""
    monkeypatch.setattr(workers, "PooledExtractor", workers.InlineExtractor)
    server_dir = tmp_path / "state" / "catalog"
    world = World(tmp_path, lifecycle.ensure_running(server_dir))
    (tmp_path / "empty").mkdir()
    world.upload(tmp_path / "empty")
    with (
        FaultProxy(world.endpoint.url, FaultPlan([])) as line,
        closing(Harbour(world, line, dropped_in(tmp_path).folder)) as harbour,
    ):
        yield harbour
    lifecycle.stop(server_dir)


def compare(harbour: Harbour, quiet: dict[str, Any], fault: str, faults: int) -> None:
    """Everything once; and one more run sends nothing."""
    harbour.settle()
    dropped = dropped_in(harbour.world.home)
    ledger = harbour.line.ledger
    check(harbour.world, dropped, quiet, ledger, fault=fault, faults=faults, runs=harbour.runs)
    before = ledger.received_bytes
    assert harbour.start().wait() == 0
    assert ledger.received_bytes == before


def live_for_a_moment(harbour: Harbour, ferry: Ferry, draw: random.Random) -> None:
    """Wait for a random instant: sometimes of the start, sometimes of the survey, mostly while bytes are sent."""
    phase = draw.random()
    if phase > 0.3:
        harbour.send_bodies(ferry, 1)
    elif phase > 0.1:
        harbour.reach_the_line(ferry)
    after_a_moment(draw)


def after_a_moment(draw: random.Random, longest_s: float = LONGEST_S) -> None:
    # Real instants of real processes are the point here, so this does wait.
    time.sleep(draw.uniform(0.0, longest_s))


def kill_the_server(harbour: Harbour) -> None:
    server_dir = harbour.world.settings.embedded_dir
    found = lifecycle.running(server_dir)
    assert found is not None
    harbour.caught()
    killed = next(one for one in lifecycle._started if one.pid == found.pid)
    killed.kill()
    killed.wait()


def restart_the_server(harbour: Harbour) -> None:
    harbour.world.endpoint = lifecycle.ensure_running(harbour.world.settings.embedded_dir)
    harbour.line.upstream = harbour.world.endpoint.url


def a_client_killed_again_and_again(harbour: Harbour, quiet: dict[str, Any], seed: int) -> None:
    draw = random.Random(seed)
    hits = 0
    for _ in range(KILLS):
        ferry = harbour.start()
        live_for_a_moment(harbour, ferry, draw)
        harbour.caught()
        hits += ferry.kill()
        harbour.settle()
    harbour.finish()
    assert hits
    compare(harbour, quiet, "kill -9 of the client at random instants", hits)


def a_server_killed_again_and_again(harbour: Harbour, quiet: dict[str, Any], seed: int) -> None:
    draw = random.Random(seed)
    ferry: Ferry | None = None
    for _ in range(KILLS):
        if ferry is None or not ferry.is_running:
            ferry = harbour.start()
        live_for_a_moment(harbour, ferry, draw)
        kill_the_server(harbour)
        after_a_moment(draw, 0.2)
        restart_the_server(harbour)
    if ferry is not None:
        ferry.wait()
    harbour.finish()
    compare(harbour, quiet, "kill -9 of the server at random instants", KILLS)


def a_power_loss(harbour: Harbour, quiet: dict[str, Any], seed: int) -> None:
    """The journal falls back to what it was a moment ago; the server does not."""
    draw = random.Random(seed)
    hits = 0
    for number in range(KILLS):
        ferry = harbour.start()
        live_for_a_moment(harbour, ferry, draw)
        copies = harbour.world.home / f"copies-{number}"
        ferry.process.send_signal(signal.SIGSTOP)
        bodies = len(harbour.line.ledger.bodies)
        _copy_journal(harbour.world.state_dir, copies)
        ferry.process.send_signal(signal.SIGCONT)
        after_a_moment(draw, 0.1)
        harbour.caught()
        hits += ferry.kill()
        harbour.settle()
        harbour.line.ledger.forget_since(bodies)
        for path in harbour.world.state_dir.glob("journal.sqlite3*"):
            path.unlink()
        _copy_journal(copies, harbour.world.state_dir)
    harbour.finish()
    compare(harbour, quiet, "power loss: journal and WAL of an earlier instant", hits)


def _copy_journal(source: Path, target: Path) -> None:
    """Without the index of the WAL, which lives in memory."""
    target.mkdir(exist_ok=True)
    for name in ("journal.sqlite3", "journal.sqlite3-wal"):
        if (source / name).exists():
            shutil.copy(source / name, target / name)


def a_journal_killed_mid_write(harbour: Harbour, quiet: dict[str, Any], seed: int) -> None:
    draw = random.Random(seed)
    hits = 0
    for _ in range(KILLS):
        ferry = harbour.start(FERRY_KILL_AT_STATEMENT=str(draw.randint(1, 900)))
        until(lambda ferry=ferry: not ferry.is_running, "the ferry ends")  # type: ignore[misc]
        harbour.caught()
        hits += ferry.process.returncode == -signal.SIGKILL
        harbour.settle()
    harbour.finish()
    assert hits
    compare(harbour, quiet, "journal killed in the middle of its writes", hits)


SERIES = {
    "client": a_client_killed_again_and_again,
    "server": a_server_killed_again_and_again,
    "power": a_power_loss,
    "journal": a_journal_killed_mid_write,
}
SAMPLED = [("client", seed) for seed in range(4)] + [("server", seed) for seed in range(4)]
SAMPLED += [("power", 0), ("journal", 0)]
ALL = [("client", seed) for seed in range(100, 140)] + [("server", seed) for seed in range(100, 120)]
ALL += [(kind, seed) for kind in ("power", "journal") for seed in range(100, 110)]


@pytest.mark.parametrize(("kind", "seed"), SAMPLED)
def test_a_series_of_kills(kind: str, seed: int, harbour: Harbour, quiet: dict[str, Any]) -> None:
    SERIES[kind](harbour, quiet, seed)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "seed"), ALL)
def test_many_series_of_kills(kind: str, seed: int, harbour: Harbour, quiet: dict[str, Any]) -> None:
    """200 kills of the client, 100 of the server, 50 power losses, 50 kills of the journal."""
    SERIES[kind](harbour, quiet, seed)


def test_a_laptop_that_sleeps_goes_on_by_itself(harbour: Harbour, quiet: dict[str, Any]) -> None:
    """Asleep for longer than any time-out, with a network that has forgotten its connections."""
    ferry = harbour.start(FERRY_READ_TIMEOUT_S="0.3")
    for _ in range(2):
        harbour.send_bodies(ferry, 20)
        ferry.process.send_signal(signal.SIGSTOP)
        harbour.caught()
        harbour.line.cut_all()
        time.sleep(0.8)
        ferry.process.send_signal(signal.SIGCONT)
    assert ferry.wait() == 0, ferry.said()
    compare(harbour, quiet, "laptop sleep, connections gone", 2)


def test_a_server_that_freezes_is_waited_for(harbour: Harbour, quiet: dict[str, Any]) -> None:
    """It goes on with what it had in hand after everybody has given up on it."""
    ferry = harbour.start(FERRY_READ_TIMEOUT_S="0.3")
    harbour.send_bodies(ferry, 30)
    server = next(
        one for one in lifecycle._started if one.pid == harbour.world.endpoint.pid and one.poll() is None
    )
    server.send_signal(signal.SIGSTOP)
    harbour.caught()
    time.sleep(1.0)
    server.send_signal(signal.SIGCONT)
    ferry.wait()
    harbour.finish()
    compare(harbour, quiet, "server frozen for longer than the time-outs", 1)


@pytest.mark.parametrize("limit", ["FERRY_JOURNAL_PAGES", "FERRY_LARGEST_FILE"])
def test_a_full_disk_under_the_journal(limit: str, harbour: Harbour, quiet: dict[str, Any]) -> None:
    size = (harbour.world.state_dir / "journal.sqlite3").stat().st_size
    room = {"FERRY_JOURNAL_PAGES": str(size // 4096 + 12), "FERRY_LARGEST_FILE": "200000"}
    ferry = harbour.start(**{limit: room[limit]})
    assert ferry.wait() in (1, 2), ferry.said()
    said = ferry.said().lower()
    assert "journal" in said, said
    harbour.caught()
    harbour.finish()
    compare(harbour, quiet, f"disk full under the journal ({limit.removeprefix('FERRY_').lower()})", 1)


def test_the_second_engine_on_a_folder_is_told_who_has_it(harbour: Harbour, quiet: dict[str, Any]) -> None:
    first = harbour.start()
    harbour.reach_the_line(first)
    first.process.send_signal(signal.SIGSTOP)
    second = harbour.start()
    assert second.wait() == 2
    assert str(first.process.pid) in second.said()
    first.process.send_signal(signal.SIGCONT)
    harbour.caught()
    assert first.wait() == 0
    compare(harbour, quiet, "two engines on one folder", 1)


def test_two_machines_on_one_share(harbour: Harbour, quiet: dict[str, Any]) -> None:
    """Nobody can tell the second one: it has a memory of its own. Only the server keeps them from doubling.

    Small files only; what large ones come to is in `test_faults_table_local.py`.
    """
    whole = dropped_in(harbour.world.home)
    small = Dropped(
        whole.folder, {name: body for name, body in whole.bodies.items() if name.endswith(".txt")}
    )
    for path in harbour.folder.rglob("*.csv"):
        path.unlink()
    both = [harbour.start(), harbour.start(state_dir=harbour.world.home / "other-state")]
    for ferry in both:
        assert ferry.wait() in (0, 1), ferry.said()
    # Both may send the same bytes: neither knows of the other.
    harbour.line.ledger.forget_since(0)
    harbour.finish()
    fault = "two machines send one shared folder at once"
    expected = _without_large(quiet)
    check(harbour.world, small, expected, harbour.line.ledger, fault=fault, faults=1, runs=harbour.runs)


def _without_large(state: dict[str, Any]) -> dict[str, Any]:
    files = [row for row in state["rows"]["nanoscience:File"] if not row["Path"].endswith(".csv")]
    versions = {name: number for name, number in state["versions"].items() if not name.endswith(".csv")}
    (dataset,) = state["rows"]["nanoscience:Dataset"]
    size_bytes = sum(row["Bytes"] for row in files)
    content = {"formats": {"unknown": len(files)}, "fileCount": len(files), "sizeBytes": size_bytes}
    dataset = {**dataset, "Metadata": {**dataset["Metadata"], "content": content}}
    rows = {**state["rows"], "nanoscience:File": files, "nanoscience:Dataset": [dataset]}
    return {**state, "rows": rows, "versions": versions}
