"""Shows a run while it happens: bars on a terminal, plain lines without one, JSON lines for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from uploader.cli import wording
from uploader.cli.console import Console
from uploader.model.events import (
    CommandTaken,
    Event,
    FileFinished,
    FileSetAside,
    Parked,
    Paused,
    PlanMade,
    Resumed,
)
from uploader.model.files import Outcome
from uploader.report.summary import Folding, Summary

if TYPE_CHECKING:
    from rich.progress import Progress

PLAIN_STEPS: Final = 10
"""A plain line for every tenth of the bytes: enough for a log, never a flood."""
PLAIN_LINE_S: Final = 300.0
"""A log of a long run says at least this often how far it is."""
DRAWN_EVERY_S: Final = 0.1
"""A bar is drawn at most this often: hundreds of small files a second must not wait for the screen."""
NAMES_FROM_COLUMNS: Final = 120
"""On a narrower terminal the bar goes without the name of the file, so that totals and time left fit."""
_STAGES: Final = {
    "scan": "Looking for files",
    "headers": "Reading headers",
    "checks": "Checking data sets",
    "catalog": "Asking the catalog",
}


class Display(Protocol):
    """One way to show a run."""

    def show(self, event: Event, so_far: Folding) -> None:
        """One more event has happened; `so_far` already holds it."""

    def close(self) -> None:
        """The run is over: leave the terminal as it was found."""


def follow(events: Iterable[Event], display: Display, summary: Summary | None = None) -> Summary:
    """Show a run to its end and give its summary; `summary` holds what has happened before."""
    so_far = Folding(summary)
    try:
        for event in events:
            so_far.take(event)
            display.show(event, so_far)
    finally:
        # When showing fails (a closed pipe, a full disk), the run ends here and now: its journal is still open.
        if isinstance(events, Generator):
            events.close()
        display.close()
    return so_far.summary()


def events_of(console: Console) -> Display:
    """The display of a command whose `--json` gives one event per line."""
    return JsonDisplay(console) if console.json_lines else words_of(console)


def words_of(console: Console) -> Display:
    """The display for people: bars where somebody watches, else plain lines."""
    return BarDisplay(console) if console.is_watched else PlainDisplay(console)


def headline(event: Event, so_far: Folding) -> str:  # noqa: PLR0911 - one arm per kind of event
    """What is worth a line of its own the moment it happens; empty for the rest."""
    match event:
        case PlanMade():
            summary = so_far.summary()
            return "" if summary.dry_run else _planned(summary)
        case Parked():
            return _parked(event)
        case Resumed():
            return f"Going on after {wording.duration(event.after_s)}." if event.after_s else "Going on."
        case Paused():
            return (
                "Paused; what was on its way is kept. `nanoferry resume` goes on, `nanoferry stop` ends it."
            )
        case CommandTaken():
            return f"{event.verb}: {event.answer}"
        case FileSetAside():
            return f"set aside: {event.path}: {event.why} It is looked at again later in this run."
        case FileFinished() if event.result.outcome is Outcome.FAILED:
            return f"failed: {event.result.path}: {event.result.error}"
        case _:
            return ""


def _parked(event: Parked) -> str:
    if not event.goes_on_by_itself:
        return f"Sending has stopped: {event.cause} Everything is kept. {event.remedy}"
    when = f"in {wording.duration(event.next_look_s)}" if event.next_look_s else "soon"
    words = f"Waiting: {event.cause} Everything is kept; the next look is {when}, and it goes on by itself."
    return f"{words} {event.remedy}".rstrip()


def _planned(summary: Summary) -> str:
    parts = ", ".join(f"{number:,} {action}" for action, number in summary.planned.items() if number)
    to_send = wording.count(summary.files_to_send, "file")
    return f"Plan: {parts or 'nothing found'}. To send: {to_send}, {wording.size(summary.bytes_to_send)}."


class JsonDisplay:
    """One event per line on stdout (docs/events.md)."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, event: Event, _so_far: Folding) -> None:
        """Write the event."""
        self._console.emit(event.to_json())

    def close(self) -> None:
        """Nothing to leave behind."""


class PlainDisplay:
    """A line per stage and per tenth of the bytes, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._steps_shown = 0
        self._said_s = 0.0

    def show(self, event: Event, so_far: Folding) -> None:
        """Write a line when there is something new to say."""
        if so_far.stage != self._stage:
            self._stage = so_far.stage
            if self._stage in _STAGES:
                self._console.note(f"{_STAGES[self._stage]} …")
        if line := headline(event, so_far):
            self._console.note(line)
        if so_far.bytes_to_send and so_far.stage == "ferry":
            self._progressed(event, so_far)

    def _progressed(self, event: Event, so_far: Folding) -> None:
        steps = so_far.bytes_sent * PLAIN_STEPS // so_far.bytes_to_send
        now_s = datetime.fromisoformat(event.time).timestamp()
        self._said_s = self._said_s or now_s
        is_silent_long = now_s - self._said_s >= PLAIN_LINE_S
        if steps <= self._steps_shown and not is_silent_long:
            return
        summary = so_far.summary()
        if steps <= self._steps_shown and is_waiting(summary):
            return
        self._steps_shown = max(steps, self._steps_shown)
        self._said_s = now_s
        share = summary.bytes_sent / summary.bytes_to_send
        self._console.note(
            f"{share:4.0%}  {wording.size(summary.bytes_sent)} of {wording.size(summary.bytes_to_send)}, "
            f"{summary.files_through:,} of {wording.count(summary.files_to_send, 'file')}{pace(summary)}"
        )

    def close(self) -> None:
        """Nothing to leave behind."""


def is_waiting(summary: Summary) -> bool:
    """Whether nothing is sent because of an outage or a pause."""
    return summary.parked is not None or summary.is_paused


def pace(summary: Summary) -> str:
    """Rate, limit and time left in words, as far as they are known."""
    rate, left_s = summary.rate_bytes_per_s, summary.time_left_s
    limit = summary.pacing.limit_bytes_per_s if summary.pacing is not None else 0
    if summary.finished is not None:
        left_s, limit = None, 0
    words = f", {wording.size(rate)}/s" if rate is not None else ""
    words += f" (limit {wording.size(limit)}/s)" if limit else ""
    return words + (f", {wording.duration(left_s)} left" if left_s else "")


class BarDisplay:
    """Progress bars with totals, rate and time left."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._progress: Progress | None = None
        self._drawn_s = -DRAWN_EVERY_S
        self._drawn_stage = ""
        self.line = ""
        """The words beside the bar as last drawn."""

    def show(self, event: Event, so_far: Folding) -> None:
        """Move the bar."""
        progress = self._progress = self._progress or self._opened()
        if line := headline(event, so_far):
            self._console.note(line)
        elif so_far.stage == self._drawn_stage and self._clock() - self._drawn_s < DRAWN_EVERY_S:
            return
        self._drawn_s, self._drawn_stage = self._clock(), so_far.stage
        self._draw(progress, so_far.summary())

    def _draw(self, progress: Progress, summary: Summary) -> None:
        words, done, total, detail = _bar(summary)
        if progress.console.width < NAMES_FROM_COLUMNS:
            words = words.partition(" ")[0]
        self.line = f"{words}  {detail}"
        progress.update(progress.task_ids[0], description=words, completed=done, total=total, detail=detail)

    def _opened(self) -> Progress:
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - only on a terminal

        progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[detail]}", markup=False),
            console=self._console.live(),
            # Lines said meanwhile go above the bar; a redirected stdout must stay what it is.
            redirect_stdout=self._console.has_terminal_stdout,
        )
        progress.add_task("Starting", total=None, detail="")
        progress.start()
        return progress

    def close(self) -> None:
        """Stop drawing; the last state of the bar stays on the screen."""
        if self._progress is not None:
            self._progress.stop()


def _bar(summary: Summary) -> tuple[str, int, int | None, str]:
    if summary.stage not in ("ferry", "done"):
        return _survey_bar(summary)
    # A check or a dry run ends where the ferry would begin, and so does a run with nothing to send.
    if summary.dry_run:
        return "Checked", 1, 1, wording.count(summary.files_found, "file")
    if not summary.files_to_send:
        return _at(summary), 1, 1, "nothing to send"
    return _ferry_bar(summary)


def _survey_bar(summary: Summary) -> tuple[str, int, int | None, str]:
    # While the scan runs the total is unknown and the bar pulses.
    total = None if summary.stage in ("", "scan") else max(1, summary.files_found)
    detail = f"{summary.files_surveyed:,} of {summary.files_found:,} files"
    return _STAGES.get(summary.stage, "Starting"), summary.files_surveyed, total, detail


def _ferry_bar(summary: Summary) -> tuple[str, int, int | None, str]:
    total = max(1, summary.bytes_to_send)
    done = total if summary.stage == "done" and summary.is_complete else min(summary.bytes_sent, total)
    files = f"{summary.files_through:,}/{summary.files_to_send:,} files"
    detail = f"{done / total:.0%} of {wording.size(summary.bytes_to_send)}, {files}{pace(summary)}"
    return _at(summary), done, total, detail


def _at(summary: Summary) -> str:
    if summary.finished is not None:
        return "Stopped" if summary.finished.interrupted else "Done"
    if summary.is_paused:
        return "Paused"
    if summary.parked is not None:
        return "Waiting"
    moving = [path for (_, path), each in summary.current.items() if each.sent_bytes < each.size_bytes]
    if not moving:
        return "Registering" if summary.current else "Sending"
    more = f" (+{len(moving) - 1})" if len(moving) > 1 else ""
    return f"Sending {wording.visible(wording.shortened(moving[0].rpartition('/')[2], 32))}{more}"
