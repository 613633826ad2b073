"""The lines to one server: kept open, lent to one thread at a time, never more than the cap."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from uploader.remote.dialing import Route, dial
from uploader.remote.line import Line, Patience


class LinePool:
    """Lends lines; whoever finds all of them lent waits."""

    def __init__(
        self,
        route: Route,
        *,
        most: int,
        patience: Patience,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._route = route
        self._most = most
        self._patience = patience
        self._monotonic = monotonic
        self._idle: list[Line] = []
        """Oldest first; the youngest is lent first, so that the rest may grow old and close."""
        self._lent = 0
        self._is_closed = False
        self._returned = threading.Condition(threading.Lock())

    @property
    def open_lines(self) -> int:
        """Lines that are lent or idle."""
        with self._returned:
            return self._lent + len(self._idle)

    def take(self, *, fresh: bool = False) -> Line:
        """A line for one request; a new one with `fresh`, or when no idle one can be trusted.

        Raises NotConnected.
        """
        line = self._wait_for_one(fresh=fresh)
        try:
            return line or Line(
                dial(self._route, self._patience.connect_s), self._patience, monotonic=self._monotonic
            )
        except BaseException:
            self._hand_back()
            raise

    def give_back(self, line: Line) -> None:
        """Keep the line for the next request, if its last answer was read to the end and allows it."""
        with self._returned:
            self._lent -= 1
            kept = line.may_be_kept and not self._is_closed
            if kept:
                line.idle_since_s = self._monotonic()
                self._idle.append(line)
            self._returned.notify()
        if not kept:
            line.close()

    def close(self) -> None:
        """Close the idle lines now and the lent ones when they come back."""
        with self._returned:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for line in idle:
            line.close()

    def _wait_for_one(self, *, fresh: bool) -> Line | None:
        while True:
            with self._returned:
                while self._lent >= self._most:
                    self._returned.wait()
                old = self._outdated()
                line = self._idle.pop() if self._idle and not fresh else None
                if fresh and self._lent + len(self._idle) >= self._most:
                    old.append(self._idle.pop(0))
                self._lent += 1
            for aged in old:
                aged.close()
            if line is None or line.is_quiet:
                return line
            line.close()
            self._hand_back()

    def _outdated(self) -> list[Line]:
        now_s = self._monotonic()
        old = [line for line in self._idle if now_s - line.idle_since_s > line.idle_s]
        if old:
            self._idle = [line for line in self._idle if now_s - line.idle_since_s <= line.idle_s]
        return old

    def _hand_back(self) -> None:
        with self._returned:
            self._lent -= 1
            self._returned.notify()
