"""Runs a part of a run in a thread of its own, so that the conductor can listen to other things besides."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

from uploader.model.events import Event

R = TypeVar("R")

AHEAD = 1000
"""Events that may wait for the conductor; the part rests when it is this far ahead."""

LISTEN_S = 0.1


def besides(
    part: Generator[Event, None, R], look: Callable[[], Iterator[Event]], end: Callable[[], None]
) -> Generator[Event, None, R]:
    """The events of `part` and, ten times a second or more, those of `look`; returns what `part` returns.

    Raises what `part` raises. Closing it calls `end`, which must let `part` come to its next event soon, and waits.
    """
    work = _Work(part)
    work.start()
    try:
        while not work.is_read:
            yield from work.events()
            yield from look()
    finally:
        if not work.is_read:
            end()
        work.close()
    return work.outcome()


class _Work(Generic[R]):
    """A generator, its thread, and the queue of its events."""

    def __init__(self, part: Generator[Event, None, R]) -> None:
        self._part = part
        self._queue: queue.Queue[Event | None] = queue.Queue(AHEAD)
        self._is_over = threading.Event()
        self._returned: list[R] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="survey")
        self.is_read = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Wait for the thread to end at its next event."""
        self._is_over.set()
        self._thread.join()

    def outcome(self) -> R:
        """What the generator returned, or what it raised."""
        if self._error is not None:
            raise self._error
        return self._returned[0]

    def events(self) -> Iterator[Event]:
        """What has come by now, or within a moment; not without end, however fast they come."""
        try:
            for number in range(AHEAD):
                event = self._queue.get(block=not number, timeout=LISTEN_S)
                if event is None:
                    self.is_read = True
                    return
                yield event
        except queue.Empty:
            return

    def _run(self) -> None:
        try:
            while self._put(next(self._part)):
                pass
            self._part.close()
        except StopIteration as end:
            self._returned.append(end.value)
        except BaseException as error:  # noqa: BLE001 - handed on to the conductor, which raises it
            self._error = error
        self._put(None)

    def _put(self, event: Event | None) -> bool:
        """Hand on an event; False when nobody wants it any more."""
        while not self._is_over.is_set():
            try:
                self._queue.put(event, timeout=LISTEN_S)
            except queue.Full:
                continue
            return True
        return False
