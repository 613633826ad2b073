"""Runs `nanoferry` with a clock beside it: when the first file was taken up, when each was finished.

Arguments: file for the figures, then the arguments of `nanoferry`. The stamps are those of the events themselves.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import sys
from array import array
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from uploader.cli.main import run
from uploader.engine.run import Engine
from uploader.model.events import Event, FileFinished, FileStarted, PlanMade


class Stamps:
    """Times of files, in seconds of one clock."""

    def __init__(self) -> None:
        self.planned = self.first_started = 0.0
        self.finished = array("d")

    def note(self, event: Event) -> None:
        """Keep the time of an event that tells when the ferry or a file begins or ends."""
        if isinstance(event, FileFinished):
            self.finished.append(_seconds(event))
        elif isinstance(event, FileStarted) and not self.first_started:
            self.first_started = _seconds(event)
        elif isinstance(event, PlanMade):
            self.planned = _seconds(event)


def _seconds(event: Event) -> float:
    return datetime.fromisoformat(event.time).timestamp()


def _trace_sqlite(counts: Counter[str]) -> None:
    """Count the journal's transactions that write, those of one statement too."""
    plain = sqlite3.connect

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = plain(*arguments, **options)
        is_inside = False

        def note(statement: str) -> None:
            nonlocal is_inside
            word = statement[:8].split(" ", 1)[0].upper()
            if word == "BEGIN":
                is_inside = True
                counts["journal_writes"] += "IMMEDIATE" in statement
            elif word in {"COMMIT", "ROLLBACK"}:
                is_inside = False
            elif not is_inside and word in {"INSERT", "UPDATE", "DELETE", "REPLACE"}:
                counts["journal_writes"] += 1

        connection.set_trace_callback(note)
        return connection

    sqlite3.connect = connect  # type: ignore[assignment]


def _read_bytes() -> int:
    """What this process has read from files, from the page cache too; bytes of sockets do not count."""
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text("ascii").splitlines())
    return int(counters["rchar"])


def main() -> int:
    """Run the command; its exit code is ours."""
    stamps = Stamps()
    counts: Counter[str] = Counter()
    if os.environ.get("FERRY_CLOCK_COUNTS"):
        _trace_sqlite(counts)
    plain = Engine.run

    def clocked(self: Engine, *arguments: Any, **options: Any) -> Iterator[Event]:
        events = plain(self, *arguments, **options)
        try:
            for event in events:
                stamps.note(event)
                yield event
        finally:
            if close := getattr(events, "close", None):
                close()

    Engine.run = clocked  # type: ignore[method-assign]
    code = run(sys.argv[2:])
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "planned": stamps.planned,
        "first_started": stamps.first_started,
        "finished": sorted(stamps.finished),
        "read_bytes": _read_bytes(),
        **counts,
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }
    Path(sys.argv[1]).write_text(json.dumps(figures), "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
