"""`nanoferry watch` as a process of its own: what comes is delivered once, whatever happens to it meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ferry_world import SESSION, World, fill, session

from uploader.embedded.server import in_thread

TIMES_GROWN = 15
SETTLE_S = 1.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with in_thread(tmp_path / "state" / "catalog") as endpoint:
        yield World(tmp_path, endpoint)


class Watcher:
    """The process, and the lines it has written."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 40
        while not holds():
            assert time.monotonic() < deadline, [event["kind"] for event in self.events]
            assert self.process.poll() is None, "it ended by itself"
            threading.Event().wait(0.05)

    def delivered(self) -> list[str]:
        """Names of the files it says it has delivered."""
        return [
            event["path"].rpartition("/")[2]
            for event in list(self.events)
            if event["kind"] == "file_finished" and event["outcome"] in ("new", "updated")
        ]

    def is_quiet(self) -> bool:
        """Whether nothing is waited for."""
        last = self.events[-1] if self.events else {}
        return last.get("kind") == "watching" and not last["settling"] and not last["note"]

    def stop(self) -> float:
        """Ask it to end; the seconds that took."""
        began_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0
        took_s = time.monotonic() - began_s
        self._reader.join()
        return took_s


@contextmanager
def watcher(world: World, folder: Path) -> Iterator[Watcher]:
    arguments = [
        "watch",
        str(folder),
        "--spec",
        "em-session",
        "--settle",
        f"{SETTLE_S}s",
        "--rescan",
        "2s",
        "--json",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "uploader", *arguments],
        env={**os.environ, "NANOFERRY_STATE_DIR": str(world.state_dir), "NANOFERRY_SERVER": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    watcher = Watcher(process)
    try:
        yield watcher
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        watcher._reader.join()
        if process.stdout is not None:
            process.stdout.close()


def test_everything_that_comes_is_delivered_once(world: World, tmp_path: Path) -> None:
    data = session(tmp_path / "data")
    with watcher(world, data) as watched:
        watched.until(lambda: len(watched.delivered()) == 3)

        # One file grows for longer than it takes to settle, another is renamed while it waits.
        growing = data / SESSION / "growing.txt"
        fill(data, {f"{SESSION}/first_name.txt": b"renamed while it waits"})
        for number in range(TIMES_GROWN):
            with growing.open("ab") as sink:
                sink.write(f"line {number}\n".encode())
            if number == 3:
                (data / SESSION / "first_name.txt").rename(data / SESSION / "second_name.txt")
            threading.Event().wait(SETTLE_S / 5)
            assert "growing.txt" not in watched.delivered(), "it was still growing"
        watched.until(lambda: len(watched.delivered()) == 5)

        # The folder goes and comes back with something new.
        data.rename(tmp_path / "unplugged")
        watched.until(lambda: any(event.get("away") == [str(data)] for event in watched.events))
        fill(tmp_path / "unplugged", {f"{SESSION}/from_elsewhere.txt": b"written on another machine"})
        (tmp_path / "unplugged").rename(data)
        watched.until(lambda: len(watched.delivered()) == 6)
        watched.until(watched.is_quiet)
        took_s = watched.stop()

    assert sorted(watched.delivered())[:4] == [
        "area1_001.png",
        "area1_002.png",
        "from_elsewhere.txt",
        "growing.txt",
    ]
    assert sorted(watched.delivered())[4:] == ["notes.txt", "second_name.txt"]
    rows = {row["Path"].rpartition("/")[2]: row for row in world.rows()}
    assert sorted(rows) == sorted(watched.delivered())
    assert world.content(rows["growing.txt"]["URL"]) == growing.read_bytes()
    assert all(len(versions) == 1 for versions in world.objects().values())
    assert world.jobs() == []
    runs = [event for event in watched.events if event["kind"] == "run_finished"]
    assert runs[-1]["interrupted"] is False
    assert took_s < 10, "two seconds on an idle machine"


def test_a_folder_that_another_engine_holds_is_refused(world: World, tmp_path: Path) -> None:
    data = session(tmp_path / "data")
    with watcher(world, data) as watched:
        watched.until(lambda: bool(watched.delivered()))
        second = subprocess.run(
            [sys.executable, "-m", "uploader", "watch", str(data)],
            env={**os.environ, "NANOFERRY_STATE_DIR": str(world.state_dir), "NANOFERRY_SERVER": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        watched.stop()
    assert second.returncode == 2
    assert f"is held by process {watched.process.pid}" in second.stderr
