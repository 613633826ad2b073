"""Measures what one number of requests at once achieves, over a stretch long enough to mean something."""

from __future__ import annotations

import math
from dataclasses import dataclass

USUAL_REQUEST_BYTES = 125 * 1024
"""What a request costs beside its bytes, in bytes, before it was learnt."""

_LEAST_REQUEST_BYTES = 4 * 1024
_MOST_REQUEST_BYTES = 4 * 1024 * 1024
_FADE = 0.995
"""How much of what was learnt of requests is kept with each further one."""
_LEAST_SPREAD = 0.25
"""Sizes must differ by so much (standard deviation over mean) to tell a request's cost from its bytes'."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What happened in an epoch."""

    permits: int
    requests: int
    """Successful ones."""
    size_bytes: int
    request_s: float
    """Time of all requests together, failed ones too."""
    in_flight: float
    """Requests under way, on average."""

    def goodput(self, request_bytes: float) -> float:
        """Work per second, in bytes, where a request is as much work as `request_bytes`.

        Work per second of a request, times requests at once. Counting what ended within the epoch would say
        the same in the long run, but a large request that ends just before or after a bound makes it jump.
        """
        work = self.size_bytes + self.requests * request_bytes
        return self.in_flight * work / self.request_s if self.request_s > 0 else 0.0

    def log_goodput(self, request_bytes: float) -> float:
        """Its logarithm: differences are ratios."""
        return math.log(max(self.goodput(request_bytes), 1.0))


class RequestCost:
    """Learns how many bytes take as long as a request by itself: a fading line fit of time over size."""

    def __init__(self) -> None:
        self._count = self._size = self._time = self._size_size = self._size_time = 0.0
        self._bytes = float(USUAL_REQUEST_BYTES)

    def learn(self, size_bytes: int, took_s: float) -> None:
        """Take in a request that succeeded."""
        self._count = _FADE * self._count + 1
        self._size = _FADE * self._size + size_bytes
        self._time = _FADE * self._time + took_s
        self._size_size = _FADE * self._size_size + size_bytes * size_bytes
        self._size_time = _FADE * self._size_time + size_bytes * took_s

    @property
    def bytes_per_request(self) -> float:
        """The cost of a request in bytes; the last known one while all requests are of a size."""
        mean_size, mean_time = self._size / max(1.0, self._count), self._time / max(1.0, self._count)
        variance = self._size_size / max(1.0, self._count) - mean_size * mean_size
        if variance > (_LEAST_SPREAD * mean_size) ** 2:
            slope = (self._size_time / self._count - mean_size * mean_time) / variance
            fixed_s = mean_time - slope * mean_size
            if slope > 0:
                self._bytes = min(max(fixed_s / slope, _LEAST_REQUEST_BYTES), _MOST_REQUEST_BYTES)
        return self._bytes


class Epoch:
    """One stretch of time at one number of permits.

    Only requests that began under it count: the first that ends opens the epoch, so what came before has gone by.
    """

    def __init__(self, permits: int, now_s: float, *, longest_s: float = 0.0) -> None:
        self.permits = permits
        self.failures = 0
        self._decided_s = now_s
        self._opened_s = math.nan
        self._requests = 0
        self._size_bytes = 0
        self._request_s = 0.0
        self._longest_s = longest_s
        """Of the slowest request so far, or that of the epoch before, faded."""
        self._slot_s_before = 0.0

    @property
    def requests(self) -> int:
        """Requests that succeeded in it."""
        return self._requests

    def counts(self, now_s: float, took_s: float, slot_s: float) -> bool:
        """Whether a request that ended now began under it; `slot_s`: seconds of slots used since ever."""
        if now_s - took_s < self._decided_s:
            return False
        if math.isnan(self._opened_s):
            self._opened_s, self._slot_s_before = now_s, slot_s
        return True

    def add(self, size_bytes: int, took_s: float, *, ok: bool) -> None:
        """Take in a request that counts."""
        self._request_s += took_s
        self._longest_s = max(self._longest_s, took_s)
        if ok:
            self._requests += 1
            self._size_bytes += size_bytes
        else:
            self.failures += 1

    def is_over(self, now_s: float, least_s: float) -> bool:
        """Whether it has seen enough."""
        ended = self._requests + self.failures
        lasted_s = now_s - self._opened_s
        # Long enough that large requests are among those that ended, as often as they should be.
        if lasted_s < max(least_s, min(2 * self._longest_s, _MOST_S)):
            return False
        return ended >= max(8, 2 * self.permits) or (lasted_s >= _MOST_S and ended >= max(3, self.permits))

    @property
    def longest_s(self) -> float:
        """Time of the slowest request."""
        return self._longest_s

    def measured(self, now_s: float, slot_s: float) -> Measured:
        """What it has seen."""
        lasted_s = now_s - self._opened_s
        in_flight = (slot_s - self._slot_s_before) / lasted_s if lasted_s > 0 else 0.0
        return Measured(self.permits, self._requests, self._size_bytes, self._request_s, in_flight)


_MOST_S = 8.0
"""A slow line need not deliver eight large chunks before anything is learnt."""
