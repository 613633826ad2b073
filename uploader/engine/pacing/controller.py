"""Finds how many requests that carry bytes should be under way at once, by what each number achieves."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from uploader.engine.pacing.climb import Climb
from uploader.engine.pacing.epoch import Epoch, RequestCost
from uploader.model.ports import Clock

LEAST, MOST, START = 1, 64, 4

_EPOCH_S = 0.3
_FIRST_EPOCHS_S = 0.15
"""While doubling, differences are large and time is short: a run may last seconds."""
_FAILURES_THAT_COUNT = 3
_SHARE_THAT_COUNTS = 0.05
"""One error in a hundred is an accident; one in twenty says that the server has too much to do."""
_SLOWEST_FADES = 0.9
_MOST_TOLERATED = 0.5
_RATE_OVER_S = 3.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How the transfer goes, smoothed over a few seconds."""

    at_once: int
    bytes_per_s: float
    requests_per_s: float


class Controller:
    """Permits for one host. Told of every request that ended; costs the same whatever the number of requests.

    Bytes and requests both count as work, so that many small files and few large chunks have one measure.
    """

    def __init__(self, clock: Clock, *, least: int = LEAST, most: int = MOST, start: int = START) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._climb = Climb(least=least, most=max(least, most), start=start)
        self._cost = RequestCost()
        self._errors = _Errors()
        self._permits = min(max(start, least), max(least, most))
        now_s = clock.monotonic()
        self._epoch = Epoch(self._permits, now_s)
        self._in_flight = 0
        self._slot_s = 0.0
        """Seconds of slots in use since ever, up to `_slots_as_of_s`."""
        self._slots_as_of_s = now_s
        self._flow = _Flow(now_s)

    @property
    def permits(self) -> int:
        """Requests that may carry bytes at the same time."""
        return self._permits

    @property
    def stream_bytes_per_s(self) -> float:
        """What one request of the usual size moves while it is under way; 0 before any ended."""
        return self._flow.stream_bytes_per_s

    def pace(self) -> Pace:
        """How it goes now."""
        now_s = self._clock.monotonic()
        with self._lock:
            bytes_per_s, requests_per_s = self._flow.rates(now_s)
            return Pace(self._permits, bytes_per_s, requests_per_s)

    def occupied(self, in_flight: int) -> None:
        """So many requests are under way from now on; the gate says so at every change."""
        now_s = self._clock.monotonic()
        with self._lock:
            self._slot_s = self._used_s(now_s)
            self._slots_as_of_s, self._in_flight = now_s, in_flight

    def finished(self, size_bytes: int, took_s: float, *, ok: bool, throttled: bool = False) -> None:
        """A request has ended.

        `ok`: the server has taken it. `throttled`: it was told to come later (503, 429); otherwise a failure is one
        of the line or the server. Failures of the caller's own making (exists already, not allowed) are not told.
        """
        now_s = self._clock.monotonic()
        with self._lock:
            if ok:
                self._cost.learn(size_bytes, took_s)
                self._flow.add(now_s, size_bytes, took_s)
            used_s = self._used_s(now_s)
            epoch = self._epoch
            if not epoch.counts(now_s, took_s, used_s):
                return
            epoch.add(size_bytes, took_s, ok=ok)
            if not ok and self._errors.are_too_many(epoch, throttled=throttled):
                self._go_to(self._after_errors(epoch), now_s)
            elif epoch.is_over(now_s, _FIRST_EPOCHS_S if self._climb.is_leaping else _EPOCH_S):
                self._errors.fade(epoch)
                measured = epoch.measured(now_s, used_s)
                self._go_to(self._climb.next(measured, self._cost.bytes_per_request), now_s)

    def _after_errors(self, epoch: Epoch) -> int:
        if self._errors.come_at_any_level(epoch):
            return self._climb.go_on(epoch.permits)
        return self._climb.cut(epoch.permits, is_proven=epoch.requests > 0)

    def _used_s(self, now_s: float) -> float:
        return self._slot_s + self._in_flight * (now_s - self._slots_as_of_s)

    def _go_to(self, permits: int, now_s: float) -> None:
        # At the same level nothing has to go by first: what is under way began under it.
        since_s = float("-inf") if permits == self._permits and not self._epoch.failures else now_s
        longest_s = 0.0 if self._climb.is_leaping else _SLOWEST_FADES * self._epoch.longest_s
        self._permits = permits
        self._epoch = Epoch(permits, since_s, longest_s=longest_s)


class _Errors:
    """Tells errors that a lower level would avoid from those of a bad line, which come at any level."""

    def __init__(self) -> None:
        self._tolerated = _SHARE_THAT_COUNTS
        self._cut_at, self._cut_share = 0, 0.0

    def are_too_many(self, epoch: Epoch, *, throttled: bool) -> bool:
        """Whether something has to be done about them now."""
        # A server that says "slow down" is believed sooner than a line that breaks.
        enough = _FAILURES_THAT_COUNT if throttled else 2 * _FAILURES_THAT_COUNT
        expected = self._tolerated * (epoch.requests + epoch.failures)
        return epoch.failures >= max(enough, expected + 2 * math.sqrt(expected))

    def come_at_any_level(self, epoch: Epoch) -> bool:
        """Whether a cut did not help, so that more cuts would not help either; they are tolerated then."""
        share = epoch.failures / (epoch.requests + epoch.failures)
        in_vain = epoch.permits < self._cut_at and 0.5 * self._cut_share < share < _MOST_TOLERATED
        if in_vain:
            self._tolerated = min(2 * max(share, self._cut_share), _MOST_TOLERATED)
        self._cut_at, self._cut_share = epoch.permits, share
        return in_vain

    def fade(self, epoch: Epoch) -> None:
        """An epoch went by without a cut."""
        share = epoch.failures / max(1, epoch.requests + epoch.failures)
        if share < 0.25 * self._tolerated:
            self._tolerated = max(_SHARE_THAT_COUNTS, 0.9 * self._tolerated)


class _Flow:
    """Bytes and requests of the last seconds."""

    def __init__(self, now_s: float) -> None:
        self._since_s, self._bytes, self._requests = now_s, 0, 0
        self._before = (0.0, 0, 0)
        self._stream_bytes = self._stream_s = 0.0

    @property
    def stream_bytes_per_s(self) -> float:
        return self._stream_bytes / self._stream_s if self._stream_s > 0 else 0.0

    def add(self, now_s: float, size_bytes: int, took_s: float) -> None:
        self._turn(now_s)
        self._bytes += size_bytes
        self._requests += 1
        self._stream_bytes = 0.95 * self._stream_bytes + size_bytes
        self._stream_s = 0.95 * self._stream_s + took_s

    def rates(self, now_s: float) -> tuple[float, float]:
        self._turn(now_s)
        before_s, before_bytes, before_requests = self._before
        lasted_s = max(now_s - self._since_s + before_s, 0.001)
        return (self._bytes + before_bytes) / lasted_s, (self._requests + before_requests) / lasted_s

    def _turn(self, now_s: float) -> None:
        lasted_s = now_s - self._since_s
        if lasted_s >= _RATE_OVER_S:
            self._before = (lasted_s, self._bytes, self._requests)
            self._since_s, self._bytes, self._requests = now_s, 0, 0
