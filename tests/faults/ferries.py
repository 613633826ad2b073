"""Uploads as processes of their own, which a test may kill, stop and let go on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from fault_proxy import FaultProxy
from ferry_world import World
from scaled import AT_ONCE

PROGRAM = Path(__file__).with_name("ferry_process.py")
_SEARCHED = (PROGRAM.parent, PROGRAM.parents[1] / "engine", PROGRAM.parents[2])
DEADLINE_S = 60.0


def until(is_so: Callable[[], bool], what: str, *, deadline_s: float = DEADLINE_S) -> None:
    """Return once it is so."""
    end = time.monotonic() + deadline_s
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(0.001)


@dataclass
class Ferry:
    """One process that uploads a folder."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        """Everything it wrote."""
        return self.log.read_text("utf-8", "replace")

    def wait(self) -> int:
        """Its exit code."""
        code = self.process.wait(DEADLINE_S)
        assert "Traceback" not in self.said(), self.said()
        return code

    def kill(self) -> bool:
        """`kill -9`; false when it had ended by itself. Its workers must go with it."""
        children: list[psutil.Process] = []
        if self.is_running:
            children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        code = self.process.wait(DEADLINE_S)
        until(lambda: not any(map(_lives, children)), "the workers of a killed engine end", deadline_s=15.0)
        return code < 0


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@dataclass
class Harbour:
    """Where ferries start: a world behind a line, and the folder they carry."""

    world: World
    line: FaultProxy
    folder: Path
    runs: int = 0
    ferries: list[Ferry] = field(default_factory=list)

    def start(self, *, state_dir: Path | None = None, **environment: str) -> Ferry:
        """A new upload."""
        self.runs += 1
        log = self.world.home / f"run-{self.runs}.log"
        own = {
            "PYTHONPATH": os.pathsep.join(map(str, _SEARCHED)),
            "NANOFERRY_STATE_DIR": str(state_dir or self.world.state_dir),
            "NANOFERRY_SERVER": self.line.url,
            "NANOFERRY_TOKEN": self.world.endpoint.token,
        }
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), "upload", "--dir", str(self.folder), "--spec", "em-session"],
                env={**os.environ, **own, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.ferries.append(Ferry(process, log))
        return self.ferries[-1]

    def reach_the_line(self, ferry: Ferry) -> None:
        """Return when the ferry has asked something, or has ended."""
        before = len(self.line.asked)
        until(lambda: len(self.line.asked) > before or not ferry.is_running, "the ferry asks something")

    def send_bodies(self, ferry: Ferry, number: int) -> None:
        """Return when so many more bodies have begun, or the ferry has ended."""
        before = len(self.line.ledger.bodies)
        until(
            lambda: len(self.line.ledger.bodies) >= before + number or not ferry.is_running, "bytes are sent"
        )

    def caught(self) -> None:
        """What is on its way now is caught by a fault."""
        self.line.ledger.interrupted(AT_ONCE)

    def settle(self) -> None:
        """Return when nothing is on the line any more."""
        until(lambda: self.line.ledger.under_way() == 0, "the line is quiet")

    def finish(self, *, most_runs: int = 6) -> None:
        """Plain re-runs until one says that everything is done."""
        for _ in range(most_runs):
            ferry = self.start()
            if ferry.wait() == 0:
                return
        raise AssertionError(self.ferries[-1].said())

    def close(self) -> None:
        """No process is left behind."""
        for ferry in self.ferries:
            if ferry.is_running:
                ferry.process.kill()
                ferry.process.wait()
