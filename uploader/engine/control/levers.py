"""What a run is steered by: pace, bandwidth, health of the host. Wired in bootstrap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from uploader.engine.health.host import HostHealth
from uploader.engine.limits import Limits
from uploader.engine.pacing.bandwidth import Bandwidth, lower_limit
from uploader.engine.pacing.chunk_size import ChunkSize
from uploader.engine.pacing.controller import Controller
from uploader.engine.pacing.gate import Gate, never
from uploader.engine.pacing.schedule import Schedule
from uploader.model.ports import Clock


@dataclass(frozen=True, slots=True)
class Halt:
    """The host is away (or a login, or room); it is looked at again by itself."""

    cause: str
    remedy: str
    next_look_s: float


class HealthNews:
    """Hears of outages from any thread; the conductor asks for them."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Halt | float] = queue.SimpleQueue()

    def parked(self, cause: str, remedy: str, next_look_s: float) -> None:
        """Nothing is sent from now on."""
        self._queue.put(Halt(cause, remedy, next_look_s))

    def resumed(self, after_s: float) -> None:
        """It goes on, after so many seconds."""
        self._queue.put(after_s)

    def news(self) -> list[Halt | float]:
        """What happened since the last call: a halt, or the seconds after which it went on."""
        found: list[Halt | float] = []
        while not self._queue.empty():
            found.append(self._queue.get())
        return found


class _OfThread(threading.local):
    """One for each thread that asks for it."""

    def __init__(self) -> None:
        self.stop: Callable[[], bool] = never


class Ending:
    """Whether whoever waits should give up: somebody stopped the engine, or this run is over."""

    def __init__(self) -> None:
        self._is_stopped = False
        self._is_over = threading.Event()
        self._of_thread = _OfThread()

    def __call__(self) -> bool:
        """Whether to end now."""
        return self._is_stopped or self._is_over.is_set() or self._of_thread.stop()

    @contextmanager
    def also(self, stop: Callable[[], bool]) -> Iterator[None]:
        """While the block runs, what waits in this thread ends as well when `stop` says so: for one file."""
        self._of_thread.stop = stop
        try:
            yield
        finally:
            self._of_thread.stop = never

    def stop(self) -> None:
        """For good; only sets a flag, so that a signal handler may call it."""
        self._is_stopped = True

    def begin_run(self) -> None:
        """A run begins: nobody need end before somebody says so."""
        self._is_over.clear()

    def end_run(self) -> None:
        """The threads of this run end."""
        self._is_over.set()


@dataclass(frozen=True, slots=True)
class Levers:
    """One set for an engine; the store, the catalog and the line of the same engine hang on them."""

    clock: Clock
    controller: Controller
    gate: Gate
    bandwidth: Bandwidth
    chunks: ChunkSize
    ending: Ending
    news: HealthNews
    health: HostHealth | None = None
    limits: Limits = field(default_factory=Limits)
    schedule: Schedule | None = None
    wall_time: Callable[[], datetime] = field(default=datetime.now)
    """Local time, for the schedule."""

    @classmethod
    def of(
        cls, limits: Limits, clock: Clock, *, ending: Ending | None = None, news: HealthNews | None = None
    ) -> Levers:
        """Levers of an engine whose host has no health to look after yet.

        Raises SettingsError for a schedule that cannot be read.
        """
        controller = Controller(clock, most=limits.most_at_once)
        return cls(
            clock,
            controller,
            Gate(controller),
            Bandwidth(clock, limits.limit_bytes_per_s),
            ChunkSize(controller),
            ending or Ending(),
            news or HealthNews(),
            limits=limits,
            schedule=Schedule.parse(limits.schedule) if limits.schedule else None,
        )

    def limit_now(self) -> int:
        """Bytes per second that limit and schedule allow at this moment; 0: no limit."""
        by_schedule = self.schedule.limit_at(self.wall_time()) if self.schedule is not None else 0
        return lower_limit(self.limits.limit_bytes_per_s, by_schedule)
