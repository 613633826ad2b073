"""The one module that prints: words for people, JSON lines for programs, faults without a traceback."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

import click

from uploader.cli.wording import visible
from uploader.model.errors import Forbidden, NotFound, RemoteError, Retry, SourceError, UploaderError
from validation.errors import SpecError, ValidationError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

_ENCODED: Final = json.JSONEncoder(separators=(",", ":")).encode
"""Made once: an engine may emit hundreds of events a second."""


@dataclass(frozen=True, slots=True)
class Console:
    """Where a command speaks. With `json_lines` stdout belongs to programs and people read stderr."""

    json_lines: bool = False

    def say(self, *lines: str) -> None:
        """Say something to a person, each argument on a line of its own; no arguments: an empty line."""
        _echo(*lines, to_stderr=self.json_lines)

    def show(self, rendered: str) -> None:
        """Show a rendered report: it has escaped what it quotes and may hold colours."""
        click.echo(rendered, file=sys.stderr if self.json_lines else sys.stdout)

    def note(self, *lines: str) -> None:
        """Say something to a person that is no result: progress, hints. Always on stderr."""
        _echo(*lines, to_stderr=True)

    def emit(self, document: Mapping[str, Any]) -> None:
        """Write one JSON document as one line on stdout."""
        self.emit_text(_ENCODED(document))

    def emit_text(self, text: str) -> None:
        """Write what a program is to read on stdout; at once, because it may follow the run."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    @property
    def is_watched(self) -> bool:
        """Whether a person sees stderr move: progress bars make sense."""
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def has_terminal_stdout(self) -> bool:
        """Whether results go to a terminal and not into a file or a program."""
        return sys.stdout.isatty()

    @property
    def has_colour(self) -> bool:
        """Whether results may be coloured."""
        return not self.json_lines and self.has_terminal_stdout and "NO_COLOR" not in os.environ

    @property
    def width(self) -> int:
        """Columns for a report: those of the terminal, 100 where there is none."""
        return min(160, shutil.get_terminal_size((100, 24)).columns)

    def live(self) -> RichConsole:
        """The console that progress bars are drawn on."""
        from rich.console import Console as RichConsole  # noqa: PLC0415 - --help must not pay for it

        return RichConsole(stderr=True, highlight=False)


def _echo(*lines: str, to_stderr: bool) -> None:
    # Each line is flushed: a log of a long run must be readable while it runs. A line end inside a line comes from
    # a file name or a server: escaped like any control character, it cannot pass for a line of ours.
    stream: IO[str] = sys.stderr if to_stderr else sys.stdout
    click.echo("\n".join(map(visible, lines)), file=stream)
    stream.flush()


def show_fault(error: UploaderError | ValidationError) -> None:
    """One clear message: what happened, what was kept, what to do next."""
    lines = [f"nanoferry: {error.summary if isinstance(error, UploaderError) else error}"]
    match error:
        case SpecError():
            for issue in error.issues:
                place = ":".join(
                    str(part)
                    for part in (error.subject, issue.location.line, issue.location.column)
                    if part is not None
                )
                lines += [f"  {place}: {issue.message}", f"      {issue.remedy}"]
        case UploaderError():
            if error.path and error.path not in error.summary:
                lines.append(f"  {'File' if isinstance(error, SourceError) else 'At'}: {error.path}")
            if error.detail:
                lines += [f"  {line}" for line in error.detail.split("\n")]
            if remedy := error.remedy or _remedy(error):
                lines.append(f"  What to do: {remedy}")
        case _:
            pass
    _echo(*lines, to_stderr=True)


def _remedy(error: UploaderError) -> str:
    """What to do about a fault of the server that came without advice of its own."""
    match error:
        case NotFound():
            return "Check --server and --catalog: the server has no such catalog or table."
        case Forbidden():
            return "Ask the catalog's owner for the right, or sign in as somebody who has it."
        case RemoteError() if error.retry is Retry.LATER:
            return "Wait a little and run the same command again; it goes on where it stopped."
        case RemoteError():
            return "Run the same command again; if it fails again, show this message to the server's owner."
        case _:
            return ""


def show_crash() -> None:
    """The exception at hand is a mistake in the program: show it whole and say what is safe."""
    _echo(
        *traceback.format_exc().split("\n"),
        "nanoferry: This is a fault in Nanoferry itself.",
        "  Nothing that the server has acknowledged is lost, and your files were not touched.",
        "  What to do: run the same command again; if it fails again, report the lines above.",
        to_stderr=True,
    )


def urgent(text: str) -> None:
    """Say something from a signal handler: one system call, no buffer that may be half written."""
    # Whoever listened may be gone: the run still ends as it was asked to.
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())


def prepare_streams() -> None:
    """Let any file name be shown: what the terminal's encoding lacks is escaped, never a crash."""
    _occupy_standard_descriptors()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _occupy_standard_descriptors() -> None:
    # A caller may have closed them (`>&-`, some schedulers). The next file opened would get the number, and what is
    # said to stdout or stderr would go into the journal.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for good
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for good
