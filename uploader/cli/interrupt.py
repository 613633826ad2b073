"""Ctrl-C: the first lets the engine finish cleanly, the second ends the program at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from uploader.cli.console import urgent
from uploader.cli.exits import Exit

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name))


@contextmanager
def stops_cleanly(stop: Callable[[], None]) -> Iterator[None]:
    """While this is open, Ctrl-C or a polite kill calls `stop`; only in the main thread."""
    asked = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            # Safe: the journal holds every acknowledged step, as after a power cut.
            os._exit(Exit.INTERRUPTED)
        asked = True
        urgent("Stopping: what is on its way is finished first. Press Ctrl-C again to stop at once.")
        stop()

    earlier = [(number, signal.signal(number, on_signal)) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in earlier:
            signal.signal(number, handler)
