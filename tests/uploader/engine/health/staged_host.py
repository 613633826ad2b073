"""A host on a stage: answers after a moment, by its state at that time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from uploader.engine.health.breaker import LookTimes
from uploader.model.errors import (
    Unreachable,
    UploaderError,
)

CALLERS = 64
TAKES_S = 0.05
SELDOM = LookTimes(poll_s=1.0)
"""Callers that wait look up once a second: an hour of 64 callers is then no long play."""


@dataclass
class Host:
    """Answers after a moment, and by its state at that time."""

    clock: Any
    trouble: Callable[[float], UploaderError | None] = lambda _now_s: None
    asked: list[float] = field(default_factory=list)
    looked: list[float] = field(default_factory=list)

    def request(self) -> str:
        self.asked.append(self.clock.monotonic())
        return self._answered()

    def probe(self) -> None:
        self.looked.append(self.clock.monotonic())
        self._answered()

    def _answered(self) -> str:
        self.clock.sleep(TAKES_S)
        error = self.trouble(self.clock.monotonic())
        if error is not None:
            raise error
        return "done"


def away_until(end_s: float) -> Callable[[float], UploaderError | None]:
    return lambda now_s: Unreachable("Nothing listens.") if now_s < end_s else None


def failing(*errors: UploaderError) -> Callable[[], str]:
    """A request that fails in these ways, one after another, and then does not."""
    waiting = list(errors)

    def request() -> str:
        if waiting:
            raise waiting.pop(0)
        return "done"

    return request
