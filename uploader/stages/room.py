"""Bounds the memory of all transfers together: who sends bytes holds room for them first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from uploader.model.control import Lane
from uploader.model.errors import Cancelled
from uploader.stages.turn import Turn

ROOM_BYTES = 64 * 1024 * 1024
"""What may be in memory on its way at any moment (DESIGN 6.12)."""

_LOOK_AGAIN_S = 0.1


class Room:
    """A number of bytes that several threads share.

    Half of it belongs to each lane. A lane that nobody else waits for may have all of it; as soon as both wait,
    what is given back goes to the lane that holds less, so neither a stream of small files nor a few large ones
    can keep the other out. Within a lane it goes by arrival.
    """

    def __init__(self, size_bytes: int = ROOM_BYTES) -> None:
        self.size_bytes = size_bytes
        """All of it."""
        self._lock = threading.Lock()
        self._held = dict.fromkeys(Lane, 0)
        self._waiting: dict[Lane, deque[Turn]] = {lane: deque() for lane in Lane}

    @property
    def free_bytes(self) -> int:
        """What nobody holds."""
        return self.size_bytes - sum(self._held.values())

    def waiting(self, lane: Lane) -> int:
        """Threads of a lane that wait for room."""
        return len(self._waiting[lane])

    @contextmanager
    def held(self, size_bytes: int, stop: Callable[[], bool], lane: Lane = Lane.SMALL) -> Iterator[None]:
        """Hold this much while the block runs; more than there is at all counts as all of it.

        Raises Cancelled when `stop` says so before there is room.
        """
        self.take(size_bytes, stop, lane)
        try:
            yield
        finally:
            self.give_back(size_bytes, lane)

    def take(self, size_bytes: int, stop: Callable[[], bool], lane: Lane) -> None:
        """Wait for this much; to be given back with the same numbers, by any thread."""
        turn = Turn(min(size_bytes, self.size_bytes))
        with self._lock:
            self._waiting[lane].append(turn)
            self._hand_out()
        try:
            while not turn.is_given:
                if stop():
                    raise Cancelled("Stopped.", detail="Nothing of this file was sent in this run.")
                turn.wait(_LOOK_AGAIN_S)
        except BaseException:
            self._leave(turn, lane)
            raise

    def give_back(self, size_bytes: int, lane: Lane) -> None:
        """Let go of what `take` took."""
        with self._lock:
            self._held[lane] -= min(size_bytes, self.size_bytes)
            self._hand_out()

    def _leave(self, turn: Turn, lane: Lane) -> None:
        with self._lock:
            if turn.is_given:
                self._held[lane] -= turn.size
            else:
                self._waiting[lane].remove(turn)
            # It may have been all that kept the ones behind it waiting.
            self._hand_out()

    def _hand_out(self) -> None:
        while lanes := [lane for lane in Lane if self._waiting[lane]]:
            # The lane that holds less comes first, and room is saved up for it: a large chunk would otherwise
            # never find enough while small bodies take every byte that comes free.
            lane = min(lanes, key=self._held.__getitem__)
            turn = self._waiting[lane][0]
            if turn.size > self.free_bytes:
                return
            self._waiting[lane].popleft()
            self._held[lane] += turn.size
            turn.give()
