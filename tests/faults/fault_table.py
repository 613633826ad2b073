"""Run as a program: the lines that the fault tests have left become docs/faults.md. `fault_table.py LINES PAGE COMMAND`"""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_SUMMED = ("faults", "runs", "lost", "doubled", "in_flight_bytes", "resent_bytes")

_HEAD = """\
# Faults the engine has to survive

Made by `{command}` on {date} ({machine}); do not edit. Each line is one fault, or many series of it, against the embedded
server behind the fault proxy (`tests/faults/fault_proxy.py`). After it a plain re-run must end with every file exactly once,
every byte equal (downloaded and compared), every row as in a run that nothing disturbed, no open upload job on the server,
no second object version, and a sound journal without a file unfinished. The last column says what did not hold: such a case is a known fault, marked as
an expected failure in `tests/engine/test_faults_table*.py`, where further known faults have tests without a line here.

* **faults**: how often it struck. **runs**: runs until everything was done, the first one included; a series of kills starts
  a new run after each.
* **lost**, **doubled**: files without their row, object or bytes; rows and object versions beyond one for each file.
* **in flight**: bytes of files and chunks that the fault caught on their way (sent and not yet answered, or answered so lately
  that the engine may not have noted it), or that it destroyed at the server. **sent again**: bytes of objects that came over the
  line, less the bytes of the files; it must not be more than what was in flight. Where the proxy spoils single requests, what is
  in flight is just the bodies of those; at a kill or cut it is what was unanswered and the latest answered, 16 bodies in all.

| fault | cases | faults | runs | lost | doubled | in flight, bytes | sent again, bytes | did not hold |
|---|---:|---:|---:|---:|---:|---:|---:|---|
"""


def page(lines: Iterable[Mapping[str, Any]], command: str) -> str:
    """The page: one row for each fault, series of the same fault summed."""
    sums: dict[str, dict[str, int]] = {}
    unmet: dict[str, list[str]] = {}
    for line in lines:
        held = sums.setdefault(_name(str(line["fault"])), dict.fromkeys(("cases", *_SUMMED), 0))
        held["cases"] += 1
        if line["unmet"]:
            unmet.setdefault(_name(str(line["fault"])), []).append(str(line["unmet"]))
        for key in _SUMMED:
            held[key] += int(line[key])
    rows = [_row(fault, held, "; ".join(unmet.get(fault, ()))) for fault, held in sums.items()]
    whole = {key: sum(held[key] for held in sums.values()) for key in ("cases", *_SUMMED)}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    head = _HEAD.format(command=command, date=today, machine=machine)
    return head + "\n".join([*rows, _row("**all**", whole, f"{len(unmet)} of {len(sums)} faults"), ""])


def _name(fault: str) -> str:
    return fault.partition(", seed ")[0]


def _row(fault: str, held: Mapping[str, int], unmet: str) -> str:
    numbers = " | ".join(f"{held[key]:,}" for key in ("cases", *_SUMMED))
    return f"| {fault} | {numbers} | {unmet} |"


if __name__ == "__main__":
    source, target, command = sys.argv[1:]
    lines = [json.loads(line) for line in Path(source).read_text("utf-8").splitlines()]
    made = page(sorted(lines, key=lambda line: str(line["fault"])), command)
    Path(target).write_text(made, "utf-8")
    sys.stdout.write(made)
