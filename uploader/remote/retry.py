"""Repeats a call whose error says that its cause passes: exponential waits with full jitter, under a budget."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from uploader.model.errors import Retry, UploaderError
from uploader.model.ports import Clock

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a call is repeated."""

    attempts: int = 8
    """Calls in all, the first one included."""
    first_wait_s: float = 0.5
    """Upper bound of the first wait; it doubles with each one."""
    longest_wait_s: float = 60.0
    budget_s: float = 600.0
    """No wait begins that would end later than this after the first call."""
    settle_s: float = 1.0
    """Least wait after a request that may have been carried out, so that what it did can be seen."""


class Repeats(Protocol):
    """Makes a request and repeats it while that helps: `retrying` with its settings, or an engine's own way."""

    def __call__(
        self, request: Callable[[], _T], *, repeat_in_doubt: bool = True, writes: bool = False
    ) -> _T:
        """The answer; with `repeat_in_doubt` false a request that may have been carried out is not repeated."""


ONCE = RetryPolicy(attempts=1)
"""For adapters under an engine that repeats whole calls itself."""

TRANSFER_RETRY = RetryPolicy()
"""For objects and chunks: a dropped line may take minutes to come back."""

CATALOG_RETRY = RetryPolicy(attempts=16, first_wait_s=0.02, longest_wait_s=1.5, budget_s=30.0)
"""For rows: PostgreSQL aborts up to half of overlapping transactions, and the next try usually gets through."""


def retrying(
    call: Callable[[], _T],
    *,
    policy: RetryPolicy,
    clock: Clock,
    repeat_in_doubt: bool = True,
    on_wait: Callable[[UploaderError, float], None] | None = None,
    jitter: Callable[[float, float], float] = random.uniform,
) -> _T:
    """The result of `call`, repeated while its error says LATER and attempts and budget last.

    The last error is raised when they are spent. With `repeat_in_doubt` false an error whose request may
    have been carried out is raised at once. `on_wait` hears the error and the wait before each repetition.
    """
    started_s = clock.monotonic()
    ceiling_s = policy.first_wait_s
    attempt = 1
    while True:
        try:
            return call()
        except UploaderError as error:
            in_doubt = bool(getattr(error, "in_doubt", False))
            if error.retry is not Retry.LATER or (in_doubt and not repeat_in_doubt):
                raise
            # Jitter over the whole range spreads many clients best; what the server asked for is the least.
            asked_s = float(getattr(error, "wait_s", 0.0))
            wait_s = asked_s + jitter(0.0, ceiling_s)
            spent_s = clock.monotonic() - started_s
            if attempt >= policy.attempts or spent_s + wait_s > policy.budget_s:
                raise
            if on_wait is not None:
                on_wait(error, wait_s)
        clock.sleep(wait_s)
        ceiling_s = min(ceiling_s * 2, policy.longest_wait_s)
        attempt += 1
