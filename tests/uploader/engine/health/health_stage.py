"""A clock on which many threads play in turns: waits take no time, and each run of a seed goes the same way."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

from uploader.engine.health.host import HostHealth
from uploader.model.errors import UploaderError


class StillClock:
    """Sleeping only moves the hands; for a single caller."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def now(self) -> str:
        return "2026-03-01T12:00:00Z"

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


class Stage:
    """A clock. Of the actors of `play` one moves at a time; the next is the one whose wait ends first."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._turns: list[tuple[float, int, threading.Semaphore]] = []
        self._count = itertools.count()
        self._back = threading.Semaphore(0)
        self._own = threading.local()

    def now(self) -> str:
        return "2026-03-01T12:00:00Z"

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self._enqueue(seconds, self._own.turn)
        self._back.release()
        self._own.turn.acquire()

    def play(self, actors: Sequence[Callable[[], Any]], *, longest_s: float = 1e7) -> list[Any]:
        """What each actor returned, or the error of ours it raised; fails when one still waits after so long."""
        ends: list[Any] = [None] * len(actors)
        living = len(actors)
        until_s = self.now_s + longest_s

        def act(place: int, turn: threading.Semaphore) -> None:
            nonlocal living
            self._own.turn = turn
            turn.acquire()
            try:
                ends[place] = actors[place]()
            except UploaderError as error:
                ends[place] = error
            finally:
                living -= 1
                self._back.release()

        for place in range(len(actors)):
            turn = threading.Semaphore(0)
            threading.Thread(target=act, args=(place, turn), daemon=True).start()
            self._enqueue(0.0, turn)
        while living:
            at_s, _, turn = heapq.heappop(self._turns)
            assert at_s <= until_s, f"{living} actors still wait after {longest_s} s"
            self.now_s = max(self.now_s, at_s)
            turn.release()
            self._back.acquire()
        return ends

    def _enqueue(self, seconds: float, turn: threading.Semaphore) -> None:
        heapq.heappush(self._turns, (self.now_s + seconds, next(self._count), turn))


class Told:
    """What a person was told: `("parked", cause, next look)` and `("resumed", after)`."""

    def __init__(self) -> None:
        self.words: list[tuple[Any, ...]] = []

    def parked(self, cause: str, remedy: str, next_look_s: float) -> None:
        self.words.append(("parked", cause, remedy, next_look_s))

    def resumed(self, after_s: float) -> None:
        self.words.append(("resumed", after_s))

    @property
    def kinds(self) -> list[str]:
        return [word[0] for word in self.words]


def health_on(clock: Any, *, told: Told | None = None, seed: int = 1, **settings: Any) -> HostHealth:
    """The health of a host on this clock, waited for without end unless a test says otherwise."""
    told = told or Told()
    given: dict[str, Any] = {"patience_s": float("inf"), "jitter": random.Random(seed).uniform}
    return HostHealth(clock, on_park=told.parked, on_resume=told.resumed, **{**given, **settings})


def most(_low: float, high: float) -> float:
    """A jitter that always draws the longest wait."""
    return high


def least(low: float, _high: float) -> float:
    """A jitter that always draws the shortest wait."""
    return low
