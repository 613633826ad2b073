"""What a run costs: requests of a second run, files opened, memory, threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fault_proxy import FaultPlan, FaultProxy
from ferry_world import SESSION, World, fill, session

from uploader.engine import workers
from validation.check import Depth

OURS = ("carry", "large", "chunk", "hash", "load", "rows", "survey", "extract")
"""How the engine's threads are named; the server of these tests has threads, too."""


@pytest.fixture
def counted(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy that hears every request."""
    empty = world.home / "empty"
    empty.mkdir()
    world.upload(empty)
    monkeypatch.setenv("NANOFERRY_TOKEN", world.endpoint.token)
    with FaultProxy(world.endpoint.url, FaultPlan([])) as proxy:
        world.server = proxy.url
        yield proxy


def notes(folder: Path, count: int) -> Path:
    return fill(folder, {f"{SESSION}/note_{number:04}.txt": b"%d" % number for number in range(count)})


def requests_of(world: World, proxy: FaultProxy, folder: Path) -> list[str]:
    before = len(proxy.asked)
    world.upload(folder)
    return proxy.lines()[before:]


def test_a_second_run_asks_as_much_for_500_files_as_for_50(
    world: World, data: Path, counted: FaultProxy
) -> None:
    few = notes(data / "few", 50)
    world.upload(few)
    asked_for_few = requests_of(world, counted, few)
    many = notes(data / "many" / "more", 500)
    (many / "NFFA-7" / "gold").rename(many / "NFFA-7" / "silver")
    world.upload(many)
    asked_for_many = requests_of(world, counted, many)
    assert not [line for line in asked_for_many if line.split()[0] not in ("GET", "HEAD")]
    assert len(asked_for_many) == len(asked_for_few) <= 8, Counter(asked_for_many)


def test_a_first_run_writes_rows_in_batches(world: World, data: Path, counted: FaultProxy) -> None:
    asked = requests_of(world, counted, notes(data, 300))
    rows = [line for line in asked if line.startswith("POST /ermrest/") and "File" in line]
    assert len(rows) <= 15
    # One PUT an object, and nothing else that grows with the files.
    assert len([line for line in asked if "/hatrac/" not in line]) <= 20


OPENED = """
import sys
from pathlib import Path

opened = []
data = sys.argv[1]

def hear(event, args):
    if event == "open" and isinstance(args[0], str | bytes) and str(args[0]).startswith(data):
        opened.append((args[0], args[1]))

sys.addaudithook(hear)
from uploader.cli.main import main
try:
    main()
except SystemExit as left:
    assert not left.code, left.code
print("OPENED", len(opened), opened[:3])
"""


def test_a_second_run_opens_no_file(world: World, data: Path) -> None:
    session(data)
    world.upload(data)
    script = world.home / "hear.py"
    script.write_text(
        OPENED.replace(
            "sys.addaudithook(hear)", "sys.addaudithook(hear)\nsys.argv[1:] = ['upload', '--dir', data]"
        ),
        "utf-8",
    )
    environment = os.environ | {"NANOFERRY_STATE_DIR": str(world.state_dir)}
    done = subprocess.run(
        [sys.executable, str(script), str(data)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "OPENED 0" in done.stdout
    assert "3  already there" in done.stdout


def test_closing_early_leaves_no_thread_and_no_process(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    session(data, [f"area1_{number:03}.png" for number in range(1, 30)])
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    for stop_at in ("run_started", "survey_progressed", "plan_made", "file_started", "file_finished"):
        with world.engine(data) as engine:
            assert workers.PooledExtractor is not workers.InlineExtractor
            events = engine.run(dry_run=False, strict=False, depth=Depth.HEADERS)
            for event in events:
                if event.kind == stop_at:
                    break
            events.close()
        left = [thread.name for thread in threading.enumerate() if thread.name.startswith(OURS)]
        assert left == []
        assert {child.pid for child in psutil.Process().children(recursive=True)} <= children
    assert not world.upload(data).outcomes.keys() & {"failed", "cancelled", "held"}
    assert {len(versions) for versions in world.objects().values()} == {1}


MEASURED = """
import sys, time
from pathlib import Path
from uploader.bootstrap import Settings, open_engine
from uploader.engine import workers
from validation.check import Depth
from validation.spec.load import find, load

workers.PooledExtractor = workers.InlineExtractor
what, data = sys.argv[1], Path(sys.argv[2])
started = time.monotonic()
with open_engine(Settings.from_environment(), roots=[data], spec=load(find("em-session"))) as engine:
    if what == "survey":
        events = engine.survey(Depth.NAMES)
    else:
        events = engine.run(dry_run=False, strict=False, depth=Depth.HEADERS)
    last = None
    for last in events:
        pass
# Not ru_maxrss: that begins with what the process had before exec, which is the size of the test's own process.
peak_kb = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
sys.stdout.write(f"{time.monotonic() - started:.2f} {peak_kb // 1024}")
assert last.kind == "run_finished" and last.outcomes == ({} if what == "survey" else {"new": 1}), last
"""


def measured(world: World, what: str, data: Path) -> tuple[float, int]:
    """Seconds and peak megabytes of an engine in a process of its own."""
    environment = os.environ | {"NANOFERRY_STATE_DIR": str(world.state_dir)}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, what, str(data)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seconds, megabytes = done.stdout.split()
    return float(seconds), int(megabytes)


def sparse(data: Path, size_bytes: int) -> None:
    path = data / SESSION / "huge.csv"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(size_bytes)


@pytest.mark.parametrize("mebibytes", [256, pytest.param(1024, marks=pytest.mark.long)])
def test_memory_does_not_grow_with_the_file(mebibytes: int, world: World, data: Path) -> None:
    sparse(data, mebibytes * 1024 * 1024)
    _, megabytes = measured(world, "run", data)
    assert megabytes < 150


@pytest.mark.parametrize(
    ("files", "most_megabytes"),
    [(5_000, 200), pytest.param(100_000, 300, marks=[pytest.mark.long, pytest.mark.timeout(600)])],
)
def test_a_large_tree_is_surveyed_by_its_names(
    files: int, most_megabytes: int, world: World, data: Path
) -> None:
    large_tree(data, files)
    _, megabytes = measured(world, "survey", data)
    assert megabytes < most_megabytes


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_100000_names_take_less_than_30_seconds(world: World, data: Path) -> None:
    """The goal for time: with the benchmarks, which run alone on the machine."""
    large_tree(data, 100_000)
    seconds, megabytes = measured(world, "survey", data)
    sys.stdout.write(f"100,000 names: {seconds} s, {megabytes} MB\n")
    assert seconds < 30
    assert megabytes < 300


def large_tree(data: Path, files: int) -> None:
    """Empty files in sessions of 500."""
    for start in range(0, files, 500):
        folder = data / f"NFFA-7/gold/2025-03-11_op{start:05}_SEM"
        folder.mkdir(parents=True)
        for number in range(start, start + 500):
            (folder / f"note_{number:06}.txt").touch()
