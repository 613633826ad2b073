"""How often a request may be repeated: a budget of its own, and one of the host's that all requests share."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from uploader.engine.health.breaker import Jitter
from uploader.model.errors import Aborted, ChecksumMismatch, Retry, UploaderError
from uploader.remote.retry import CATALOG_RETRY, RetryPolicy

RESENDS = 3
"""Bytes that arrive changed are sent again so often; a machine that spoils them every time needs a person."""

DENIALS = 3
"""A call that finds no room so often while others do is about itself: its file is too large for what is left."""


@dataclass(slots=True)
class CallBudget:
    """The repetitions of one call; time spent parked does not count."""

    policy: RetryPolicy
    started_s: float
    jitter: Jitter = random.uniform
    _attempts: int = 0
    _resends: int = 0
    _aborted: int = 0
    _denials: int = 0
    _parked_s: float = 0.0
    _others_went_on: bool = False

    def wait_s(self, error: UploaderError, now_s: float) -> float:
        """How long to wait before the call is repeated; raises the error when it should not be."""
        if error.retry is Retry.NEVER:
            raise error
        if error.retry is Retry.AFTER_FIX:
            # The breaker lets one caller through from time to time, for as long as patience lasts.
            self._denials += self._others_went_on
            self._others_went_on = False
            if self._denials >= DENIALS:
                raise error
            return 0.0
        if isinstance(error, ChecksumMismatch):
            self._resends += 1
            if self._resends > RESENDS:
                raise error
            return 0.0
        if isinstance(error, Aborted) and self._aborted < CATALOG_RETRY.attempts:
            self._aborted += 1
            return self._backoff_s(CATALOG_RETRY, self._aborted)
        self._attempts += 1
        asked_s = float(getattr(error, "wait_s", 0.0))
        wait_s = asked_s + self._backoff_s(self.policy, self._attempts)
        if getattr(error, "in_doubt", False):
            # The server may still be at it: what we look for before repeating must have had time to appear.
            wait_s = max(wait_s, self.policy.settle_s)
        active_s = now_s - self.started_s - self._parked_s
        if self._attempts >= self.policy.attempts or active_s + wait_s > self.policy.budget_s:
            raise error
        return wait_s

    def parked(self, seconds: float) -> None:
        """The host was away, and it was not this call that found out: earlier failures were the host's."""
        self._parked_s += seconds
        self._attempts = 0
        self._others_went_on = True

    def looked(self, seconds: float) -> None:
        """The host was away, and this call is the one that finds out."""
        self._parked_s += seconds

    def _backoff_s(self, policy: RetryPolicy, attempt: int) -> float:
        # Jitter over the whole range spreads many callers best.
        ceiling_s = min(policy.first_wait_s * 2.0 ** min(attempt - 1, 30), policy.longest_wait_s)
        return self.jitter(0.0, ceiling_s)


@dataclass(slots=True)
class RetryBudget:
    """Repetitions that one host has to bear: a share of what succeeds, a burst, and a trickle. Not thread-safe.

    With 64 callers a server that fails half of its requests would otherwise get half as many again, and again.
    """

    share: float = 0.2
    """Repetitions that every success pays for."""
    burst: float = 20.0
    per_s: float = 1.0
    """The trickle: so that nobody waits for ever where nothing succeeds."""
    _tokens: float = field(default=20.0)
    _at_s: float | None = None

    def succeeded(self) -> None:
        """A request was answered."""
        self._tokens = min(self._tokens + self.share, self.burst)

    def take(self, now_s: float) -> float:
        """Pay for one repetition; how long it must wait for that, in seconds."""
        if self._at_s is not None:
            self._tokens = min(self._tokens + (now_s - self._at_s) * self.per_s, self.burst)
        self._at_s = now_s
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self.per_s)
