"""Where the ferry and bare PUTs are measured: a fresh slowed server for every run, and a far line before it if wanted."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

HERE = Path(__file__).parent
EXTRA_MS = 4.0
"""What a real server takes for a PUT beyond ours."""
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Server:
    """A running server as a client sees it."""

    url: str
    token: str
    pid: int

    def ask(self, method: str, path: str, document: object = None) -> requests.Response:
        """An answer of the server; one that refuses fails the benchmark."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = requests.request(method, self.url + path, json=document, headers=headers, timeout=120)
        answer.raise_for_status()
        return answer

    def cpu_s(self) -> float:
        """Processor time it has used so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Ferried:
    """One run of `nanoferry upload`."""

    ferry_s: float
    """From the first file taken up to the last one whose row is acknowledged."""
    from_plan_s: float
    """From the end of the survey, so that hashing ahead of the first send counts as well."""
    wall_s: float
    """Of the whole process, start of the interpreter included."""
    cpu_s: float
    peak_bytes: int
    """Of all processes of the client together, sampled."""
    finished_s: tuple[float, ...]
    """When each file was finished, from the first one's start."""
    said: str
    read_bytes: int = 0
    """From files, by the main process."""
    journal_writes: int = 0
    """Transactions; counted only where asked for, because counting costs time."""
    journal_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Bare:
    """One run of bare PUTs."""

    wall_s: float
    cpu_s: float
    hashing_s: float = 0.0


class Ground:
    """A scratch folder with trees, servers and clients."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._count = 0

    def fresh(self, kind: str) -> Path:
        """A path that nobody has used."""
        self._count += 1
        return self.scratch / f"{kind}-{self._count}"

    def tree(self, files: int, size_bytes: int, *, below: str = "S-1/run 1") -> Path:
        """A folder of so many files of noise."""
        tree, noise = self.fresh("tree"), random.Random(1)
        folder = tree / below
        folder.mkdir(parents=True)
        for number in range(files):
            with (folder / f"file_{number:05d}.bin").open("wb") as stream:
                for start in range(0, size_bytes, 1 << 24):
                    stream.write(noise.randbytes(min(1 << 24, size_bytes - start)))
        return tree

    @contextmanager
    def server(self, *, round_trip_ms: float = 0.0, extra_ms: float = EXTRA_MS) -> Iterator[Server]:
        """A server over an empty folder, removed afterwards; seen through a far line if it has a round trip."""
        data = self.fresh("server")
        command = [sys.executable, str(HERE / "slow_server.py"), str(data), str(extra_ms)]
        try:
            with _process(command) as (pid, line):
                told = json.loads(line)
                if not round_trip_ms:
                    yield Server(told["url"], told["token"], pid)
                    return
                with self.far_line(told["url"], round_trip_ms) as url:
                    yield Server(url, told["token"], pid)
        finally:
            shutil.rmtree(data, ignore_errors=True)

    @contextmanager
    def far_line(self, url: str, round_trip_ms: float) -> Iterator[str]:
        """The address of the same server at the end of a far line."""
        address = url.removeprefix("http://")
        with _process([sys.executable, str(HERE / "far_line.py"), address, str(round_trip_ms / 2)]) as (
            _,
            port,
        ):
            yield f"http://127.0.0.1:{port.strip()}"

    def bare(self, server: Server, what: str, tree: Path, workers: int, **more: object) -> Bare:
        """Send the tree in bare PUTs."""
        plan = {
            "url": server.url,
            "token": server.token,
            "what": what,
            "tree": str(tree),
            "workers": workers,
            "namespace": f"/hatrac/bare-{workers}",
            "files": None,
            **more,
        }
        done = subprocess.run(
            [sys.executable, str(HERE / "bare_load.py")],
            input=json.dumps(plan),
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        figures = json.loads(done.stdout)
        return Bare(figures["wall_s"], figures["cpu_s"], figures.get("hashing_s", 0.0))

    def ferry(
        self,
        server: Server,
        tree: Path,
        spec: Path,
        *,
        state: Path | None = None,
        counts: bool = False,
    ) -> Ferried:
        """Upload the tree with `nanoferry upload`, with a new journal unless one is named."""
        figures, output = self.fresh("figures"), self.fresh("said")
        state = state or self.fresh("state")
        variables = environment(
            NANOFERRY_SERVER=server.url,
            NANOFERRY_TOKEN=server.token,
            NANOFERRY_STATE_DIR=str(state),
            FERRY_CLOCK_COUNTS="1" if counts else "",
        )
        command = [sys.executable, str(HERE / "ferry_clock.py"), str(figures)]
        command += ["upload", "--dir", str(tree), "--spec", str(spec)]
        started = time.perf_counter()
        with output.open("wb") as said:
            child = subprocess.Popen(
                command, env=variables, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            with _peak_memory(child.pid) as peak:
                code = child.wait()
        wall_s = time.perf_counter() - started
        told = output.read_text("utf-8", "replace")
        assert code == 0, told[-4000:]
        found = json.loads(figures.read_text("utf-8"))
        first, finished = found["first_started"], found["finished"]
        return Ferried(
            ferry_s=finished[-1] - first if first else 0.0,
            from_plan_s=finished[-1] - found["planned"] if first else 0.0,
            wall_s=wall_s,
            cpu_s=found["cpu_s"],
            peak_bytes=peak[0],
            finished_s=tuple(time_s - first for time_s in finished),
            said=told,
            read_bytes=found["read_bytes"],
            journal_writes=found.get("journal_writes", 0),
            journal_bytes=sum(path.stat().st_size for path in state.glob("journal*") if path.is_file()),
        )


def environment(**more: str) -> dict[str, str]:
    """Variables of a process of ours."""
    # Modules are compiled once, as an installation has them.
    ours = ("NANOFERRY_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **more}


@contextmanager
def _process(
    command: Sequence[str],
) -> Iterator[tuple[int, str]]:
    """A helper process that prints one line when it is ready and ends with its stdin."""
    child = subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        assert line, f"{command[1]} did not start"
        yield child.pid, line
    finally:
        child.stdin.close()
        child.stdout.close()
        child.wait(timeout=60)


@contextmanager
def _peak_memory(pid: int) -> Iterator[list[int]]:
    """The largest memory of a process and its children together, sampled while the block runs."""
    peak, over = [0], threading.Event()
    watched = psutil.Process(pid)

    def watch() -> None:
        while not over.wait(POLL_S):
            peak[0] = max(peak[0], _memory(watched))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _memory(process: psutil.Process) -> int:
    size_bytes = 0
    try:
        for one in (process, *process.children(recursive=True)):
            size_bytes += one.memory_info().rss
    except psutil.Error:
        return size_bytes
    return size_bytes


def deriva_spec(server: Server, folder: Path, *, holds_md5: bool) -> Path:
    """A bulk-upload document and its table: names and record queries hold the MD5 or no hash at all."""
    folder.mkdir(parents=True, exist_ok=True)
    server.ask("POST", "/ermrest/catalog/1/schema/Bench")
    columns = {"File_Name": "text", "MD5": "text", "SHA256": "text", "Length": "int8", "URI": "text"}
    table = {
        "table_name": "File",
        "column_definitions": [
            {"name": name, "type": {"typename": typename}, "nullok": False}
            for name, typename in columns.items()
        ],
        "keys": [{"unique_columns": ["MD5", "File_Name"] if holds_md5 else ["File_Name"]}],
    }
    server.ask("POST", "/ermrest/catalog/1/schema/Bench/table", table)
    key = "MD5={md5}&File_Name={file_name_urlencoded}" if holds_md5 else "File_Name={file_name_urlencoded}"
    mapping: dict[str, Any] = {
        "ext_pattern": "^.*[.](?P<file_ext>bin)$",
        "checksum_types": ["md5", "sha256"],
        "target_table": ["Bench", "File"],
        "record_query_template": f"/entity/{{target_table}}/{key}",
        "column_map": {
            "File_Name": "{file_name}",
            "MD5": "{md5}",
            "SHA256": "{sha256}",
            "Length": "{file_size}",
            "URI": "{URI}",
        },
        "hatrac_templates": {
            "hatrac_uri": "/hatrac/bench/{md5}.{file_name}" if holds_md5 else "/hatrac/bench/{file_name}"
        },
        "hatrac_options": {"versioned_uris": True},
    }
    path = folder / f"spec-{'md5' if holds_md5 else 'hash-free'}.json"
    path.write_text(json.dumps({"relative_path_validation": True, "asset_mappings": [mapping]}), "utf-8")
    return path


DATASET_SPEC = """\
nanoferry: 1
id: benchmark
version: 1.0.0
title: One dataset of many files
anchor: anywhere
unmatched: warn

records:
  - name: Project
    table: [nanoscience, Project]
    key: {Name: "{project}"}
  - name: Dataset
    table: [nanoscience, Dataset]
    key: {Name: "{dataset}"}
    columns: {Project: "@Project"}

rules:
  - id: part
    title: A part of a run
    path: "{project}/{run}/{name}.bin"
    dataset: "{project} {run}"
    object: "/hatrac/bench/{project}/{path}"
    table: [nanoscience, File]
    preview: false
"""


def dataset_spec(server: Server, folder: Path) -> Path:
    """A spec of ours that puts a whole tree into one dataset, and the model it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    variables = environment(
        NANOFERRY_SERVER=server.url, NANOFERRY_TOKEN=server.token, NANOFERRY_STATE_DIR=str(folder)
    )
    command = [sys.executable, "-m", "uploader", "catalog", "init"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    path = folder / "benchmark.yaml"
    path.write_text(DATASET_SPEC, "utf-8")
    return path
