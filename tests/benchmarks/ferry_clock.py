"""Runs `nanoferry` with a clock beside it: when the first file was taken up, when each was finished.

Arguments: file for the figures, then the arguments of `nanoferry`. The stamps are those of the events themselves.
"""

from __future__ import annotations

import json
import resource
import sys
from array import array
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


def main() -> int:
    """Run the command; its exit code is ours."""
    stamps = Stamps()
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
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }
    Path(sys.argv[1]).write_text(json.dumps(figures), "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
