"""`nanoferry engine`: one line when it is up, silence after it, and whose end ends the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from uploader.cli import engine as host
from uploader.cli.exits import Exit
from uploader.cli.main import run
from uploader.embedded.server import in_thread
from uploader.journal.store import open_journal
from uploader.model.entries import RunRecord
from uploader.model.events import Event


class ImaginedEngine:
    """Says its events; where told so, waits to be stopped before the last one."""

    def __init__(self, events: Sequence[Event], *, waits: bool = False) -> None:
        self.events, self.waits = events, waits
        self.stopped = threading.Event()
        self.asked: dict[str, Any] = {}

    def run(self, **asked: Any) -> Iterator[Event]:
        self.asked |= asked
        yield from self.events[:-1]
        assert not self.waits or self.stopped.wait(30)
        yield self.events[-1]

    def stop(self) -> None:
        self.stopped.set()


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Puts an imagined engine in place of the real one."""
    before = signal.getsignal(signal.SIGHUP)

    def install(*events: Event, waits: bool = False) -> ImaginedEngine:
        engine = ImaginedEngine(events, waits=waits)

        @contextmanager
        def open_engine(settings: Any, **asked: Any) -> Iterator[ImaginedEngine]:
            engine.asked |= asked
            yield engine

        monkeypatch.setattr(host, "open_engine", open_engine)
        return engine

    yield install
    signal.signal(signal.SIGHUP, before)


def test_it_says_one_line_and_nothing_after_it(
    script: Any, play: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = play(script.started(), script.planned(new=1), *script.sent("a.tif"), script.ended(new=1))
    assert run(["engine", "--dir", "/data/a", "--strict"]) == Exit.DONE
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"schema": "nanoferry.engine/1", "run": script.run, "pid": os.getpid()}
    assert printed.err == ""
    assert (engine.asked["roots"], engine.asked["strict"]) == ((Path("/data/a"),), True)
    assert engine.asked["hold"] is False
    assert not engine.stopped.is_set()


def test_it_holds_when_it_is_told_to(script: Any, play: Any) -> None:
    engine = play(script.started(), script.ended())
    assert run(["engine", "--dir", "x", "--hold", "--limit", "2MB/s"]) == Exit.DONE
    assert engine.asked["hold"] is True
    assert engine.asked["limits"].limit_bytes_per_s == 2_000_000


def test_with_its_parent_it_ends_when_the_input_ends(script: Any, play: Any, tmp_path: Path) -> None:
    engine = play(script.started(), script.ended(interrupted=True), waits=True)
    reader, writer = os.pipe()
    kept = os.dup(0)
    os.dup2(reader, 0)
    os.close(writer)
    try:
        assert run(["engine", "--dir", "x", "--with-parent"]) == Exit.INTERRUPTED
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reader)
    assert engine.stopped.is_set()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A session of many small files and its own small catalog."""
    session = tmp_path / "data" / "NFFA-7" / "gold" / "2025-03-11_rossi_SEM"
    session.mkdir(parents=True)
    for number in range(300):
        (session / f"notes_{number:03}.txt").write_text(f"notes {number}\n", "utf-8")
    return tmp_path / "data"


@pytest.fixture
def _server(tmp_path: Path) -> Iterator[None]:
    with in_thread(tmp_path / "state" / "catalog"):
        yield


def arguments(tree: Path) -> list[str]:
    return [sys.executable, "-m", "uploader", "engine", "--dir", str(tree), "--spec", "em-session"]


def run_when_ended(state_dir: Path, run_id: str = "") -> RunRecord:
    """The run's record once it has ended."""
    journal = open_journal(state_dir)
    try:
        for _ in range(600):
            found = [each for each in journal.runs() if each.run.startswith(run_id) and each.finished]
            if found:
                return found[0]
            time.sleep(0.1)
    finally:
        journal.close()
    raise AssertionError("the run has not ended within a minute")


@pytest.mark.usefixtures("_server")
def test_a_polite_kill_ends_the_run_cleanly_and_the_next_goes_on(tree: Path, tmp_path: Path) -> None:
    with subprocess.Popen(arguments(tree), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        up = json.loads(process.stdout.readline())
        assert up["pid"] == process.pid
        assert process.stdout.read() == b""
        process.terminate()
        assert process.wait(60) == Exit.INTERRUPTED
    assert run_when_ended(tmp_path / "state", up["run"]).interrupted
    done = subprocess.run(arguments(tree), capture_output=True, check=False, timeout=60)
    assert done.returncode == Exit.DONE
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.usefixtures("_server")
def test_the_end_of_its_parent_is_not_its_end(tree: Path, tmp_path: Path) -> None:
    # The parent takes the first line and dies; the terminal's farewell is a hang-up.
    shell = (
        f"import os, signal, subprocess\np = subprocess.Popen({arguments(tree)!r}, stdout=subprocess.PIPE)\n"
    )
    shell += "print(p.stdout.readline().decode(), flush=True)\np.send_signal(signal.SIGHUP)\nos._exit(0)"
    done = subprocess.run([sys.executable, "-c", shell], capture_output=True, check=True, timeout=60)
    up = json.loads(done.stdout)
    record = run_when_ended(tmp_path / "state", up["run"])
    assert not record.interrupted
    assert record.outcomes["new"] == 300
