"""`nanoferry watch`: carries what comes into folders, until it is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from uploader.bootstrap import SystemClock
from uploader.cli import wording
from uploader.cli.console import Console
from uploader.cli.display import Display, JsonDisplay, follow, headline
from uploader.cli.exits import Exit
from uploader.cli.interrupt import stops_cleanly
from uploader.cli.options import catalog_option, folder, json_option, server_option, spec_option
from uploader.cli.run_options import Asked, limit_option, order_option, parse_duration, schedule_option
from uploader.cli.spec_choice import chosen_spec
from uploader.model.errors import SettingsError, UploaderError
from uploader.model.events import Event, FileFinished, PlanMade, RunFinished, Watching
from uploader.model.files import Outcome
from uploader.report.summary import Folding
from uploader.watch.loop import watch
from uploader.watch.opening import Stop, Wanted, open_watch

_EXAMPLES = """\b
Examples:
  nanoferry watch /data/microscope
  nanoferry watch /data/sem /data/tem --settle 1m --limit 20MB/s
  nanoferry watch /mnt/share --rescan 5m
"""
LEAST_RESCAN_S: Final = 1.0


@click.command("watch", epilog=_EXAMPLES)
@click.argument("folders", type=folder, nargs=-1, required=True, metavar="DIR...")
@spec_option
@server_option
@catalog_option
@click.option(
    "--settle",
    metavar="DURATION",
    default="10s",
    show_default=True,
    help="A file is taken when it has not changed for so long and can be opened.",
)
@click.option(
    "--rescan",
    metavar="DURATION",
    default="60s",
    show_default=True,
    help="Look through the folders at least this often, whatever the system tells of changes.",
)
@limit_option
@schedule_option
@order_option
@json_option
def command(
    folders: Sequence[Path],
    spec: str | None,
    server: str | None,
    catalog: str | None,
    settle: str,
    rescan: str,
    limit: str | None,
    schedule: str | None,
    order: str | None,
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Carry what lies in folders and what comes into them, until it is stopped (Ctrl-C, `nanoferry stop`).

    A server that is away, a login that has ended, a full disk or a folder whose disk is gone end nothing: it says
    so once, waits and goes on by itself. Exit code 0: it was stopped; 2: it could not watch.
    """
    asked = Asked(
        tuple(folders), spec, server, catalog, limit=limit, schedule=schedule, order=order, wait="forever"
    )
    wanted = Wanted(
        asked.settings,
        asked.roots,
        chosen_spec(asked.spec),
        asked.limits,
        settle_s=_finite(settle, 0.0),
        rescan_s=_finite(rescan, LEAST_RESCAN_S),
    )
    return carry(Console(json_lines=as_json), wanted)


def carry(console: Console, wanted: Wanted) -> Exit:
    """Watch until somebody stops it."""
    clock = SystemClock()
    stop = Stop(clock)

    def waiting(error: UploaderError, wait_s: float) -> None:
        again = wording.duration(wait_s)
        console.note(
            f"{_now()}  {error.summary} Trying again in {again}; `nanoferry stop` or Ctrl-C ends it."
        )

    with stops_cleanly(stop), open_watch(wanted, stop, clock, waiting=waiting) as opened:
        if opened is None:
            return Exit.DONE
        engine, lookout = opened
        display: Display = JsonDisplay(console) if console.json_lines else Diary(console)
        follow(watch(engine, lookout, clock), display)
    return Exit.DONE


class Diary:
    """A line with the time for all that happens: for logs, and for a terminal that is looked at now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, event: Event, so_far: Folding) -> None:
        """Write a line when there is something to say."""
        if line := _line(event, so_far):
            self._console.say(f"{_local(event.time)}  {line}")

    def close(self) -> None:
        """Nothing to leave behind."""


def _line(event: Event, so_far: Folding) -> str:
    match event:
        case Watching():
            return _watching(event)
        case PlanMade() if not event.files_to_send:
            return ""
        case RunFinished():
            return _finished(event)
        case FileFinished() if event.result.outcome is Outcome.HELD:
            return f"held: {event.result.path}: {_reason(event)}"
        case _:
            return headline(event, so_far)


def _watching(event: Watching) -> str:
    parts = [f"{', '.join(event.away)} is not there; waiting until it is back"] if event.away else []
    if event.settling:
        more = ", …" if event.settling > len(event.examples) else ""
        files = wording.count(event.settling, "file")
        parts.append(f"waiting for {files} still growing ({', '.join(event.examples)}{more})")
    parts.append(event.note)
    return "; ".join(part for part in parts if part) or "watching"


def _finished(event: RunFinished) -> str:
    counts = [f"{event.outcomes.get(name, 0):,} {name}" for name in ("new", "held")]
    counts += [
        f"{event.outcomes[name]:,} {name}"
        for name in ("updated", "failed", "cancelled", "unmatched")
        if event.outcomes.get(name)
    ]
    if not event.outcomes:
        return "stopped"
    sent = (
        f"; {wording.size(event.sent_bytes)} in {wording.duration(event.duration_s)}"
        if event.sent_bytes
        else ""
    )
    receipt = f"; receipt {event.receipt}" if event.receipt else ""
    return f"{', '.join(counts)}{sent}{receipt}"


def _reason(event: FileFinished) -> str:
    holding = [found.message for found in event.result.issues if found.holds]
    return "; ".join(holding) or "another file of its group has an error"


def _finite(text: str, least_s: float) -> float:
    seconds = parse_duration(text)
    if not least_s <= seconds < float("inf"):
        raise SettingsError(
            f"{text!r} does not fit here.",
            detail="Nothing was read or sent.",
            remedy=f"Write a time of {least_s:g} seconds or more, for example 10s or 5m.",
        )
    return seconds


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")


def _local(rfc3339: str) -> str:
    return datetime.fromisoformat(rfc3339).astimezone().strftime("%H:%M:%S")
