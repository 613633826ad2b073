"""`nanoferry follow`: watch a run of another process as if it were ours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from uploader.bootstrap import Settings, SystemClock
from uploader.cli.closing import closing_lines
from uploader.cli.console import Console
from uploader.cli.display import events_of
from uploader.cli.display import follow as show_events
from uploader.cli.exits import Exit, after
from uploader.cli.invocation import command_line
from uploader.cli.memory import memory, running_engines
from uploader.cli.options import json_option
from uploader.journal.store import SqliteJournal
from uploader.model.control import EngineRecord, History
from uploader.model.errors import SettingsError
from uploader.model.events import Event, RunFinished
from uploader.model.ports import Clock
from uploader.report.replay import event_from_json
from uploader.report.summary import Folding, Summary

PAGE: Final = 500
LOOK_EVERY_S: Final = 0.25

_EXAMPLES = """\b
Examples:
  nanoferry follow                     the engine that is running
  nanoferry follow /data/session7      the one that has this folder
  nanoferry follow 3f9c --json         events of a run from its start, one per line
"""


@click.command("follow", epilog=_EXAMPLES)
@click.argument("which", default="", metavar="[RUN|DIR]")
@json_option
def command(*, which: str, as_json: bool) -> int:
    """Show a run until it ends, wherever it was started. Ctrl-C ends only the watching; the engine goes on.

    The exit code is that of the run.
    """
    return follow(Console(json_lines=as_json), which)


def follow(console: Console, which: str = "") -> Exit:
    """Attach to the run that is meant, show it to its end, and give its exit code."""
    with memory(Settings.from_environment()) as journal:
        if journal is None:
            raise _nobody("")
        engine = _meant(running_engines(journal), which)
        try:
            return _attached(console, journal, engine, SystemClock())
        except KeyboardInterrupt:
            console.note("", f"No longer watching; run {engine.run} goes on.")
            console.note(f"Watch again: {command_line('follow', engine.run)}")
            return Exit.INTERRUPTED


def _meant(engines: Sequence[EngineRecord], which: str) -> EngineRecord:
    """The engine of that run or folder, or the only one there is. Raises SettingsError for none or several."""
    found = [each for each in engines if not which or _is_meant(each, which)]
    if not found:
        raise _nobody(which)
    if len(found) > 1:
        running = "\n".join(f"{each.run}  {', '.join(each.roots)}" for each in found)
        raise SettingsError(
            "More than one engine is running.", detail=running, remedy="Name the run or one of its folders."
        )
    return found[0]


def _is_meant(engine: EngineRecord, which: str) -> bool:
    if engine.run.startswith(which):
        return True
    asked = Path(os.path.realpath(which))
    return any(asked.is_relative_to(os.path.realpath(root)) for root in engine.roots)


def _nobody(which: str) -> SettingsError:
    return SettingsError(
        f"No engine is running{f' for {which}' if which else ''}.",
        remedy="See what ran with `nanoferry status`, or start a run with `nanoferry upload`.",
    )


def _attached(console: Console, journal: SqliteJournal, engine: EngineRecord, clock: Clock) -> Exit:
    last, summary = (0, Summary()) if console.json_lines else _until_now(journal, engine.run)
    events = events_to_the_end(journal, engine.run, last, clock)
    if summary.finished is None:
        summary = show_events(events, events_of(console), summary)
    if summary.finished is None:
        raise SettingsError(
            f"The engine of run {engine.run} is gone without a last word.",
            detail="Everything that the server has acknowledged is kept.",
            remedy="Start the same upload again: it goes on where this one stopped.",
        )
    again = ("upload", *(part for root in engine.roots for part in ("--dir", root)))
    console.say(*closing_lines(summary, again))
    return after(summary)


def _until_now(history: History, run: str) -> tuple[int, Summary]:
    """What has happened so far, without showing it again: the number of the latest event and the summary."""
    last, so_far = 0, Folding()
    while page := history.events_after(run, last, PAGE):
        for number, text in page:
            last = number
            event = event_from_json(text)
            if event is not None:
                so_far.take(event)
    return last, so_far.summary()


def events_to_the_end(journal: SqliteJournal, run: str, last: int, clock: Clock) -> Iterator[Event]:
    """The events of a run after that number as they come, until the run ends or its engine is gone."""
    was_gone = False
    while True:
        page = journal.events_after(run, last, PAGE)
        for number, text in page:
            last = number
            event = event_from_json(text)
            if event is None:
                continue
            yield event
            if isinstance(event, RunFinished):
                return
        if page:
            continue
        # Its last words may have come after we looked for them, so a dead engine is listened to once more.
        if was_gone:
            return
        was_gone = all(each.run != run for each in running_engines(journal))
        if not was_gone:
            clock.sleep(LOOK_EVERY_S)
