"""The engine's sizes and waits made small for tests of faults: the one place that knows where they are set."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Any

from ferry_world import SMALL_WIRE

from uploader import bootstrap
from uploader.engine import run
from uploader.remote import http

CHUNK_BYTES = 4096
"""Files up to this size go whole, larger ones in chunks of it."""

AT_ONCE = 16
"""Bodies that an engine may have sent without having noted the answer: one for each thread that sends, with room."""

LONGEST_WAIT_S = 0.02
"""A wait between two tries is cut to this."""

Put = Callable[[Any, str, Any], None]
"""`monkeypatch.setattr` or `setattr`."""


def scale(put: Put, *, read_timeout_s: float = 20.0, longest_wait_s: float = LONGEST_WAIT_S) -> None:
    """Small chunks, short time-outs, waits that end soon."""
    put(run, "Wire", SMALL_WIRE)
    put(http, "Connection", functools.partial(http.Connection, read_timeout_s=read_timeout_s))
    put(bootstrap.SystemClock, "sleep", functools.partialmethod(_nap, longest_wait_s))


def scale_this_process() -> None:
    """The same for a program of its own, by its environment."""
    scale(setattr, read_timeout_s=float(os.environ.get("FERRY_READ_TIMEOUT_S", "20")))


def _nap(clock: bootstrap.SystemClock, longest_s: float, seconds: float) -> None:
    del clock
    time.sleep(min(seconds, longest_s))
