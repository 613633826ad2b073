"""Bounds the memory of all transfers together: who sends bytes holds room for them first, in order of arrival."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from uploader.model.errors import Cancelled

ROOM_BYTES = 64 * 1024 * 1024
"""What may be in memory on its way at any moment (DESIGN 6.12)."""

_LOOK_AGAIN_S = 0.1


class Room:
    """A number of bytes that several threads share."""

    def __init__(self, size_bytes: int = ROOM_BYTES) -> None:
        self._size_bytes = self._free_bytes = size_bytes
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def held(self, size_bytes: int, stop: Callable[[], bool]) -> Iterator[None]:
        """Hold this much while the block runs; more than there is at all counts as all of it.

        Raises Cancelled when `stop` says so before there is room.
        """
        wanted = min(size_bytes, self._size_bytes)
        self._take(wanted, stop)
        try:
            yield
        finally:
            with self._changed:
                self._free_bytes += wanted
                self._changed.notify_all()

    def _take(self, wanted: int, stop: Callable[[], bool]) -> None:
        ticket = object()
        with self._changed:
            # In order of arrival: a large file is not kept waiting by a stream of small ones.
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or self._free_bytes < wanted:
                    if stop():
                        raise Cancelled("Stopped.", detail="Nothing of this file was sent in this run.")
                    self._changed.wait(_LOOK_AGAIN_S)
                self._free_bytes -= wanted
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
