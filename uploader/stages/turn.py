"""One thread's place in a queue: it sleeps until it is woken, and wakes nobody else."""

from __future__ import annotations

import threading


class Turn:
    """A waiting thread; whoever hands out what it waits for sets `is_given` under its own lock and rings."""

    __slots__ = ("_bell", "is_given", "size")

    def __init__(self, size: int = 1) -> None:
        self.size = size
        """How much it waits for."""
        self.is_given = False
        self._bell = threading.Lock()
        self._bell.acquire()

    def wait(self, timeout_s: float) -> None:
        """Sleep until rung, at most this long."""
        self._bell.acquire(timeout=timeout_s)

    def give(self) -> None:
        """It is given what it waits for: wake it."""
        self.is_given = True
        self.ring()

    def ring(self) -> None:
        """Wake it, to look whether it should go on waiting; call under the lock of the queue."""
        if self._bell.locked():
            self._bell.release()
