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

SPEED = 50.0
"""The engine's clock runs so much faster: a minute of waiting for a server takes about a second."""

Put = Callable[[Any, str, Any], None]
"""`monkeypatch.setattr` or `setattr`."""


def scale(put: Put, *, read_timeout_s: float = 20.0) -> None:
    """Small chunks, short time-outs, a fast clock."""
    put(run, "Wire", SMALL_WIRE)
    put(http, "Connection", functools.partial(http.Connection, read_timeout_s=read_timeout_s))
    put(bootstrap.SystemClock, "monotonic", _fast_monotonic)
    put(bootstrap.SystemClock, "sleep", _short_sleep)


def scale_this_process() -> None:
    """The same for a program of its own, by its environment."""
    scale(setattr, read_timeout_s=float(os.environ.get("FERRY_READ_TIMEOUT_S", "20")))


def _fast_monotonic(clock: bootstrap.SystemClock) -> float:
    del clock
    return time.monotonic() * SPEED


def _short_sleep(clock: bootstrap.SystemClock, seconds: float) -> None:
    del clock
    time.sleep(max(0.0, seconds) / SPEED)
