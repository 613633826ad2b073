"""Lets as many requests go at once as the controller permits, small and large files side by side."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from uploader.model.control import Lane
from uploader.model.errors import Cancelled
from uploader.stages.turn import Turn

_LOOK_AGAIN_S = 0.25
"""How often a waiting thread asks its own `stop`; the gate's own stop wakes it at once."""


class Permits(Protocol):
    """Who says how many, and wants to know how many there are (`Controller`)."""

    @property
    def permits(self) -> int:
        """Requests that may carry bytes at the same time."""

    def occupied(self, in_flight: int) -> None:
        """So many are under way from now on."""


def never() -> bool:
    """Nobody asks to stop."""
    return False


class Slot:
    """The right to carry bytes in one request, held while the block runs."""

    __slots__ = ("_gate", "_lane", "_stop")

    def __init__(self, gate: Gate, lane: Lane, stop: Callable[[], bool]) -> None:
        self._gate, self._lane, self._stop = gate, lane, stop

    def __enter__(self) -> Slot:
        self._gate.enter(self._lane, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate.leave(self._lane)


class Gate:
    """Slots for all threads of an engine.

    When both lanes wait, a free slot goes to the lane that has fewer requests under way, and a lane that has none
    gets one at once, if need be one more than permitted: a small file never waits for a slow chunk to end.
    Each thread sleeps on a lock of its own, so handing on a slot wakes exactly one.
    """

    def __init__(self, controller: Permits) -> None:
        self._controller = controller
        self._lock = threading.Lock()
        self._under_way = dict.fromkeys(Lane, 0)
        self._waiting: dict[Lane, deque[Turn]] = {lane: deque() for lane in Lane}
        self._last = Lane.LARGE
        self._total = 0
        self._is_open = True
        self._is_stopped = False

    @property
    def in_flight(self) -> int:
        """Slots that are held now."""
        return self._total

    @property
    def is_open(self) -> bool:
        """Whether slots are given out."""
        return self._is_open

    def under_way(self, lane: Lane) -> int:
        """Slots that are held now in a lane."""
        return self._under_way[lane]

    def waiting(self, lane: Lane) -> int:
        """Threads that wait for a slot in a lane."""
        return len(self._waiting[lane])

    def slot(self, lane: Lane, stop: Callable[[], bool] = never) -> Slot:
        """A slot for a `with` block, which waits until there is one.

        Raises Cancelled when `stop` says so, or the gate is stopped, before there is one.
        """
        return Slot(self, lane, stop)

    def close(self) -> None:
        """Give out no more slots until opened; what is under way ends by itself."""
        with self._lock:
            self._is_open = False

    def open(self) -> None:
        """Give out slots again."""
        with self._lock:
            self._is_open = True
            self._hand_out()

    def stop(self) -> None:
        """Everybody who waits, and everybody who comes later, is told Cancelled."""
        with self._lock:
            self._is_stopped = True
            for queue in self._waiting.values():
                for turn in queue:
                    turn.ring()

    def enter(self, lane: Lane, stop: Callable[[], bool] = never) -> None:
        """Take a slot; `slot` is the way to do that."""
        with self._lock:
            if self._is_stopped:
                raise _stopped()
            if not self._waiting[lane] and self._may_enter(lane):
                self._take(lane)
                return
            turn = Turn()
            self._waiting[lane].append(turn)
        try:
            while not turn.is_given:
                if self._must_end(stop):
                    raise _stopped()
                turn.wait(_LOOK_AGAIN_S)
        except BaseException:
            self._give_up(turn, lane)
            raise

    def leave(self, lane: Lane) -> None:
        """Give the slot back."""
        with self._lock:
            self._free(lane)
            self._hand_out()

    def _give_up(self, turn: Turn, lane: Lane) -> None:
        with self._lock:
            if turn.is_given:
                self._free(lane)
                self._hand_out()
            else:
                self._waiting[lane].remove(turn)

    def _must_end(self, stop: Callable[[], bool]) -> bool:
        return self._is_stopped or stop()

    def _may_enter(self, lane: Lane) -> bool:
        return self._is_open and (self._total < self._controller.permits or not self._under_way[lane])

    def _take(self, lane: Lane) -> None:
        self._under_way[lane] += 1
        self._last = lane
        self._total += 1
        self._controller.occupied(self._total)

    def _free(self, lane: Lane) -> None:
        self._under_way[lane] -= 1
        self._total -= 1
        self._controller.occupied(self._total)

    def _hand_out(self) -> None:
        while not self._is_stopped:
            lanes = [lane for lane in Lane if self._waiting[lane] and self._may_enter(lane)]
            if not lanes:
                return
            lane = min(lanes, key=lambda each: (self._under_way[each], each is self._last))
            self._take(lane)
            self._waiting[lane].popleft().give()


def _stopped() -> Cancelled:
    return Cancelled("Stopped.", detail="Everything acknowledged is kept.", remedy="Run again to go on.")
