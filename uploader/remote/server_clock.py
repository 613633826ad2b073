"""How far the server's clock is from ours, by the Date of its answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

# Reading a date costs as much as the rest of a small answer.
_AGAIN_AFTER_S = 60.0


class ServerClock:
    """Compares now and then; wrong by up to a second and the time that the answer took."""

    def __init__(
        self, *, wall_s: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall_s = wall_s
        self._monotonic = monotonic
        self._next_s = float("-inf")
        self.skew_s: float | None = None
        """Seconds that the server's clock is ahead of ours; None until an answer has said its time."""

    def hear(self, headers: Mapping[str, str]) -> None:
        """Look at the headers of an answer that has just arrived."""
        now_s = self._monotonic()
        if now_s < self._next_s:
            return
        if "Age" in headers or not (date := headers.get("Date", "")):
            return  # a cache's answer bears the time of another one
        self._next_s = now_s + _AGAIN_AFTER_S
        try:
            # It says whole seconds: on average half of one has gone by.
            self.skew_s = parsedate_to_datetime(date).timestamp() + 0.5 - self._wall_s()
        except (TypeError, ValueError, OverflowError, OSError):
            return
