"""Run as a program: the engine for a long time, under random faults and with random new files. `soak.py --minutes 30`

One process runs the engine; the server dies at random and is started again; the line between them does what the fault
proxy can. Prints a line a minute and at last a verdict: flat memory, no thread, handle or job left over, every file once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil
from fault_proxy import Fault, FaultPlan, FaultProxy, Kind
from ferry_world import World

from uploader.embedded import lifecycle
from uploader.embedded.endpoint import Endpoint

HERE = Path(__file__).parent
TESTS = HERE.parent
SEARCHED = (TESTS / "faults", TESTS / "engine", TESTS.parent)
BYTES = r"^PUT /hatrac/.*(\.txt|\.csv|upload/[^/]+/[0-9]+)$"
ANYTHING = r"^[A-Z]+ /(hatrac|ermrest)"
TROUBLE = (
    *(Kind.CUT_BEFORE, Kind.CUT_BODY, Kind.RESET_BODY, Kind.CUT_AFTER, Kind.CUT_REPLY, Kind.CUT_HEAD),
    *(Kind.CLOSE_IDLE, Kind.ABORTED, Kind.SLOW_DOWN, Kind.BUSY, Kind.BROKEN, Kind.GATEWAY, Kind.GATEWAY_LATE),
    *(Kind.SIGNED_OUT, Kind.PORTAL, Kind.TRICKLE, Kind.DELAY),
)

FIRST_FILES = 2000
"""There before the clock starts: passes go in batches, and until the first is full memory grows with the folder."""

WARM_UP = 0.3
"""Share of the time in which memory may still grow: caches, pools, the first of everything."""

MOST_GROWTH = 0.08
"""Of the memory after the warm-up, from the first third of the samples to the last."""

MOST_MORE_HANDLES = 8
MOST_MORE_THREADS = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """What the engine's process holds at one moment."""

    at_s: float
    rss_bytes: int
    threads: int
    handles: int
    children: int


@dataclass
class Soak:
    """Everything that runs, and what has been seen of it."""

    world: World
    line: FaultProxy
    folder: Path
    engine: subprocess.Popen[str]
    draw: random.Random
    files: dict[str, str] = field(default_factory=dict)
    """Path below the folder -> MD5."""
    samples: list[Sample] = field(default_factory=list)
    runs: list[dict[str, object]] = field(default_factory=list)
    server_kills: int = 0
    faults: int = 0

    def new_files(self, number: int) -> None:
        """So many files more: mostly small ones, now and then one of many chunks, a new session every so often."""
        session = (
            f"NFFA-7/gold/2025-03-{1 + len(self.files) // 200 % 28:02}_op{len(self.files) // 200:04}_SEM"
        )
        for _ in range(number):
            is_large = self.draw.random() < 0.05
            size_bytes = self.draw.randint(20_000, 200_000) if is_large else self.draw.randint(1, 4096)
            suffix = "csv" if is_large else "txt"
            body = self.draw.randbytes(size_bytes)
            name = f"{session}/note_{len(self.files):06}.{suffix}"
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            self.files[name] = hashlib.md5(body).hexdigest()

    def new_trouble(self) -> None:
        """Another plan for the line; every third one is a line without faults."""
        self.faults += sum(self.line.plan.struck.values())
        kinds = self.draw.sample(TROUBLE, 3) if self.draw.random() > 0.3 else []
        faults = [Fault(kind, ANYTHING, rate=self.draw.uniform(0.01, 0.1), retry_after_s=0) for kind in kinds]
        self.line.plan = FaultPlan(faults, self.draw.getrandbits(32))
        if self.draw.random() < 0.1:
            self.line.cut_all()

    def kill_server(self) -> None:
        """The server dies, and comes back at another port after a moment."""
        pid = self.world.endpoint.pid
        for process in lifecycle._started:
            if process.pid == pid and process.poll() is None:
                process.kill()
                process.wait()
        time.sleep(self.draw.uniform(0.0, 2.0))
        self.server_kills += 1
        self.serve(lifecycle.ensure_running(self.world.settings.embedded_dir))

    def serve(self, endpoint: Endpoint) -> None:
        """Lead the line to this server."""
        self.world.endpoint = endpoint
        self.line.upstream = endpoint.url

    def sample(self, at_s: float) -> Sample:
        """Look at the engine's process."""
        process = psutil.Process(self.engine.pid)
        with process.oneshot():
            found = Sample(
                at_s,
                process.memory_info().rss,
                process.num_threads(),
                process.num_fds(),
                len(process.children(recursive=True)),
            )
        self.samples.append(found)
        return found

    def hear(self) -> None:
        """Read what the engine says, until it ends."""
        assert self.engine.stdout is not None
        for line in self.engine.stdout:
            self.runs.append(json.loads(line))

    def report(self, minute: float) -> None:
        """The line of a minute."""
        now = self.samples[-1]
        sys.stdout.write(
            f"{minute:6.1f} min  files {len(self.files):6,}  runs {len(self.runs):5,}"
            f"  faults {self.faults:6,}  server kills {self.server_kills:4,}"
            f"  memory {now.rss_bytes / 1e6:6.1f} MB  threads {now.threads:3}"
            f"  handles {now.handles:3}  workers {now.children:2}\n"
        )
        sys.stdout.flush()


def soak(minutes: float, seed: int, home: Path) -> list[str]:
    """Run it; what is wrong, in words."""
    with started(home, random.Random(seed)) as running:
        threading.Thread(target=running.hear, daemon=True).start()
        running.new_files(FIRST_FILES)
        began_s = time.monotonic()
        end_s = began_s + minutes * 60
        next_trouble_s = next_kill_s = next_report_s = began_s
        next_kill_s += 15
        while (now_s := time.monotonic()) < end_s:
            running.new_files(running.draw.randint(0, 6))
            if now_s >= next_trouble_s:
                running.new_trouble()
                next_trouble_s = now_s + running.draw.uniform(1, 8)
            if now_s >= next_kill_s:
                running.kill_server()
                next_kill_s = now_s + running.draw.uniform(10, 60)
            running.sample(now_s - began_s)
            if now_s >= next_report_s + 60:
                running.report((now_s - began_s) / 60)
                running.line.forget()
                next_report_s += 60
            if running.engine.poll() is not None:
                return [f"the engine's process ended by itself with {running.engine.returncode}"]
            time.sleep(1.0)
        running.line.plan = FaultPlan([])
        wrong = in_the_end(running)
        running.report(minutes)
        return [*wrong, *grown(running.samples)]


@contextmanager
def started(home: Path, draw: random.Random) -> Iterator[Soak]:
    """Server, line and engine; ended with the block."""
    folder = home / "data"
    (folder / "NFFA-7").mkdir(parents=True)
    server_dir = home / "state" / "catalog"
    world = World(home, lifecycle.ensure_running(server_dir))
    world.upload(folder)
    with FaultProxy(world.endpoint.url, FaultPlan([])) as line, (home / "engine.log").open("wb") as log:
        environment = {
            "PYTHONPATH": os.pathsep.join(map(str, SEARCHED)),
            "NANOFERRY_STATE_DIR": str(home / "state"),
            "NANOFERRY_SERVER": line.url,
            "NANOFERRY_TOKEN": world.endpoint.token,
            "FERRY_READ_TIMEOUT_S": "3",
        }
        engine = subprocess.Popen(
            [sys.executable, str(HERE / "soak_engine.py"), str(folder)],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield Soak(world, line, folder, engine, draw)
        finally:
            engine.kill()
            engine.wait()
    lifecycle.stop(server_dir)


def in_the_end(running: Soak, *, deadline_s: float = 300.0) -> list[str]:
    """Without faults, everything must come to rest: each file once, with its bytes, and no job open."""
    until = time.monotonic() + deadline_s
    quiet_from = len(running.runs) + 2
    while time.monotonic() < until:
        done = running.runs[quiet_from:]
        if any(run["outcomes"] == {"same": len(running.files)} for run in done):
            break
        time.sleep(0.5)
    else:
        last = running.runs[-1] if running.runs else "it has ended no run"
        return [f"not everything was carried within {deadline_s:.0f} s: {last}"]
    running.sample(running.samples[-1].at_s + 1)
    rows = running.world.rows()
    told = {row["URL"].rpartition(":")[0].removeprefix("/hatrac/nanoferry/"): row["MD5"] for row in rows}
    versions = running.world.objects()
    jobs = running.world.jobs()
    wrong = []
    if len(rows) != len(running.files) or told != running.files:
        wrong.append(f"{len(rows)} rows for {len(running.files)} files")
    if set(map(len, versions.values())) != {1} or len(versions) != len(running.files):
        wrong.append(f"{sum(map(len, versions.values()))} object versions for {len(running.files)} files")
    if jobs:
        wrong.append(f"{len(jobs)} upload jobs are open")
    return wrong


def grown(samples: Sequence[Sample]) -> list[str]:
    """What has grown since the warm-up."""
    warm = samples[int(len(samples) * WARM_UP) :]
    third = max(1, len(warm) // 3)
    early, late = warm[:third], warm[-third:]
    if len(warm) < 6:
        return ["too short to say anything about memory"]
    before, after = (median(one.rss_bytes for one in part) for part in (early, late))
    sys.stdout.write(f"memory after the warm-up {before / 1e6:.1f} MB, at the end {after / 1e6:.1f} MB\n")
    wrong = []
    if after > before * (1 + MOST_GROWTH):
        wrong.append(f"memory has grown from {before / 1e6:.1f} to {after / 1e6:.1f} MB")
    for name, most in (("threads", MOST_MORE_THREADS), ("handles", MOST_MORE_HANDLES)):
        # Between two runs the process holds least; that least must not rise.
        first, last = (min(getattr(one, name) for one in part) for part in (early, late))
        if last > first + most:
            wrong.append(f"{name} have grown from {first} to {last}")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        problems = soak(given.minutes, given.seed, Path(scratch))
    sys.stdout.write("\n".join(problems or ["sound: flat memory, nothing left over, every file once"]) + "\n")
    sys.exit(1 if problems else 0)
