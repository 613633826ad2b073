"""What must hold after any fault and a plain re-run, checked against disk, server and journal; and the table's line."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ferry_world import SESSION, World, fill
from ledger import Ledger

TABLE = "FERRY_FAULT_TABLE"
"""Name of the variable that names the file to which each case adds its line."""

_WRITTEN_S = 1_700_000_000
DONE = {"new", "same", "updated"}
"""Outcomes that need no further run."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the fault table."""

    fault: str
    faults: int
    """How often it struck."""
    runs: int
    """Runs until everything was done, the first one included."""
    lost: int
    """Files without their row, their object or their bytes."""
    doubled: int
    """Rows and object versions beyond one for each file."""
    in_flight_bytes: int
    """What the faults caught on its way, or destroyed at the server."""
    resent_bytes: int
    """Bytes of objects that reached the server, less the bytes of the files."""
    unmet: str = ""
    """What did not hold afterwards; empty: everything did."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A folder of files and what is in it."""

    folder: Path
    bodies: Mapping[str, bytes]

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.bodies.values()))


def drop(
    folder: Path, *, small: int = 30, large: int = 3, large_bytes: int = 24_000, seed: int = 7
) -> Dropped:
    """Small files of one request and large ones of many chunks, always the same for the same numbers."""
    draw = random.Random(seed)
    bodies = {f"note_{number:03}.txt": draw.randbytes(draw.randint(300, 3500)) for number in range(small)}
    for number in range(large):
        bodies[f"spectrum_{number}.csv"] = draw.randbytes(large_bytes + 1000 * number + 1)
    fill(folder, {f"{SESSION}/{name}": body for name, body in bodies.items()})
    for name in bodies:
        os.utime(folder / SESSION / name, (_WRITTEN_S, _WRITTEN_S))
    return Dropped(folder, bodies)


def check(
    world: World,
    dropped: Dropped,
    expected: Mapping[str, Any],
    ledger: Ledger,
    *,
    fault: str,
    faults: int,
    runs: int,
) -> Line:
    """Every file exactly once, every byte equal, every row right, nothing left over; returns and records the line.

    `expected` is the end state of a run of the same files that nothing disturbed.
    """
    resent = ledger.received_bytes - dropped.size_bytes
    rows = world.rows()
    urls = {row["Path"]: row["URL"] for row in rows if _tells(row, dropped)}
    lost = sum(name not in urls or world.content(urls[name]) != body for name, body in dropped.bodies.items())
    versions = world.objects()
    doubled = (
        len(rows) - len({row["Path"] for row in rows}) + sum(len(each) - 1 for each in versions.values())
    )
    line = Line(fault, faults, runs, lost, doubled, ledger.in_flight_bytes, resent)
    unmet = "; ".join([*_unmet(line), *_left_over(world, expected), *_unclean(world)])
    # Before it is judged: the page shows what does not hold as well.
    record(replace(line, unmet=unmet))
    assert not unmet, (unmet, line)
    return line


def _unmet(line: Line) -> Iterator[str]:
    if line.lost or line.doubled:
        yield f"{line.lost} lost, {line.doubled} doubled"
    if not 0 <= line.resent_bytes <= line.in_flight_bytes:
        yield "more was sent again than was in flight"


def _left_over(world: World, expected: Mapping[str, Any]) -> Iterator[str]:
    state = world.end_state()
    if state["jobs"]:
        yield f"upload jobs left open: {len(state['jobs'])}"
    if {**state, "jobs": []} != expected:
        yield f"another end than undisturbed: {_difference(state, expected)}"


def _difference(state: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """Where two end states differ, short enough to read."""
    tables = [name for name, rows in state["rows"].items() if rows != expected["rows"][name]]
    pairs = zip(state["rows"][tables[0]], expected["rows"][tables[0]], strict=False) if tables else ()
    first = next(((ours, theirs) for ours, theirs in pairs if ours != theirs), None)
    return f"tables {tables}, first row {first}" if tables else "versions or jobs"


def _tells(row: Mapping[str, Any], dropped: Dropped) -> bool:
    """Whether checksums and length in the row are those of the file it names."""
    body = dropped.bodies.get(row["Path"], b"")
    told = (row["Bytes"], row["MD5"], row["SHA256"])
    return told == (len(body), hashlib.md5(body).hexdigest(), hashlib.sha256(body).hexdigest())


def _unclean(world: World) -> Iterator[str]:
    """Sound, every file registered, no job and no chunk left; parents are looked at by a test of their own."""
    path = world.state_dir / "journal.sqlite3"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
        if journal.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            yield "the journal is damaged"
        states = "SELECT DISTINCT state FROM deliveries WHERE table_name = 'nanoscience:File'"
        if journal.execute(states).fetchall() != [("registered",)]:
            yield "files not registered in the journal"
        for table in ("jobs", "chunks"):
            if journal.execute(f"SELECT count(*) FROM {table}").fetchone() != (0,):
                yield f"{table} left in the journal"


def record(line: Line) -> None:
    """Add the line to the table's file, where one is asked for."""
    named = os.environ.get(TABLE)
    if named:
        with Path(named).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(line)) + "\n")
