"""`nanoferry engine`: hosts the engine for another program, which steers and watches it through the journal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable

import click

from uploader.bootstrap import open_engine
from uploader.cli.console import Console
from uploader.cli.display import follow
from uploader.cli.exits import after
from uploader.cli.interrupt import stops_cleanly
from uploader.cli.run_options import Asked, run_options
from uploader.cli.spec_choice import chosen_spec
from uploader.model.events import Event, RunStarted
from uploader.report.summary import Folding
from validation.check import Depth

_EXAMPLES = """\b
Examples:
  nanoferry engine --dir /data/session7 &     goes on when the terminal closes
  nanoferry follow /data/session7             watch it
  nanoferry stop                              end it
"""


@click.command("engine", epilog=_EXAMPLES)
@run_options
@click.option(
    "--hold", is_flag=True, help="Survey, then wait for `nanoferry resume` before anything is sent."
)
@click.option(
    "--with-parent", is_flag=True, help="End cleanly when standard input closes: with the program that asked."
)
def command(*, asked: Asked, hold: bool, with_parent: bool) -> int:
    """Carry folders without a word, for the app and other programs.

    One JSON line on standard output says that the run is up (`run`, `pid`); after it comes nothing but the exit
    code. The end of the caller does not end the run unless --with-parent is given; SIGTERM ends it cleanly.
    """
    _outlive_the_terminal()
    spec, limits = chosen_spec(asked.spec), asked.limits
    opened = open_engine(asked.settings, roots=asked.roots, spec=spec, limits=limits)
    with opened as engine, stops_cleanly(engine.stop):
        if with_parent:
            threading.Thread(target=_stop_at_the_end_of_input, args=(engine.stop,), daemon=True).start()
        events = engine.run(
            dry_run=False, strict=asked.strict, depth=Depth.HEADERS, receipt=asked.receipt, hold=hold
        )
        return after(follow(events, OneLine(Console(json_lines=True))))


class OneLine:
    """Says which run is up, and nothing after it."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, event: Event, _so_far: Folding) -> None:
        """Say that the run has begun."""
        if isinstance(event, RunStarted):
            # Whoever asked may be gone already; the run goes on all the same.
            with contextlib.suppress(OSError):
                self._console.emit({"schema": "nanoferry.engine/1", "run": event.run, "pid": os.getpid()})
            _let_go_of_stdout()

    def close(self) -> None:
        """Nothing to leave behind."""


def _outlive_the_terminal() -> None:
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _let_go_of_stdout() -> None:
    """The reader sees the end of our words at once, and nobody's closed pipe can hurt the run."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _stop_at_the_end_of_input(stop: Callable[[], None]) -> None:
    # Not through sys.stdin: a thread that waits inside it would trouble the interpreter when it ends.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    stop()
