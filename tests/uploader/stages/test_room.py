"""The memory of all transfers: neither lane keeps the other out, nothing is lost."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random

import pytest

from uploader.model.control import Lane
from uploader.model.errors import Cancelled
from uploader.stages.room import Room


def never() -> bool:
    return False


class Takers:
    """Threads that take room and keep it."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.pool = ThreadPoolExecutor(16)

    def take(self, size_bytes: int, lane: Lane, stop: Callable[[], bool] = never) -> Future[None]:
        """Begin to take; returns when it has the room or waits for it."""
        asked = self.room.waiting(lane)
        future = self.pool.submit(self.room.take, size_bytes, stop, lane)
        until(lambda: future.done() or self.room.waiting(lane) > asked)
        return future


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


@pytest.fixture
def takers() -> Takers:
    return Takers(Room(100))


def test_one_lane_may_have_all_of_it(takers: Takers) -> None:
    takers.take(60, Lane.LARGE).result(10)
    takers.take(40, Lane.LARGE).result(10)
    assert takers.room.free_bytes == 0


def test_what_comes_free_goes_to_the_lane_that_holds_less(takers: Takers) -> None:
    for _ in range(4):
        takers.take(25, Lane.LARGE).result(10)
    chunk, body = takers.take(25, Lane.LARGE), takers.take(5, Lane.SMALL)
    takers.room.give_back(25, Lane.LARGE)
    body.result(10)
    assert not chunk.done()
    takers.room.give_back(25, Lane.LARGE)
    chunk.result(10)


def test_room_is_saved_up_for_a_large_one_while_small_ones_come_and_go(takers: Takers) -> None:
    for _ in range(10):
        takers.take(10, Lane.SMALL).result(10)
    chunk = takers.take(40, Lane.LARGE)
    bodies = [takers.take(10, Lane.SMALL) for _ in range(4)]
    for _ in range(3):
        takers.room.give_back(10, Lane.SMALL)
    assert not any(each.done() for each in [chunk, *bodies])
    takers.room.give_back(10, Lane.SMALL)
    chunk.result(10)
    takers.room.give_back(10, Lane.SMALL)
    bodies[0].result(10)
    takers.room.give_back(40, Lane.LARGE)
    for each in bodies:
        each.result(10)


def test_who_gives_up_waiting_lets_the_next_ones_in(takers: Takers) -> None:
    takers.take(70, Lane.SMALL).result(10)
    is_stopped = threading.Event()
    chunk = takers.take(60, Lane.LARGE, is_stopped.is_set)
    body = takers.take(30, Lane.SMALL)
    assert not body.done()
    is_stopped.set()
    with pytest.raises(Cancelled):
        chunk.result(10)
    body.result(10)
    assert takers.room.free_bytes == 0


@pytest.mark.parametrize("seed", range(3))
def test_many_threads_lose_nothing_and_never_hold_more(seed: int) -> None:
    room = Room(1000)
    held = 0
    lock = threading.Lock()

    def carry(number: int) -> None:
        nonlocal held
        rng = Random(seed * 100 + number)
        lane = Lane.LARGE if number % 3 == 0 else Lane.SMALL
        for _ in range(200):
            size_bytes = rng.randint(100, 600) if lane is Lane.LARGE else rng.randint(1, 100)
            with room.held(size_bytes, never, lane):
                with lock:
                    held += size_bytes
                    assert held <= 1000
                with lock:
                    held -= size_bytes

    with ThreadPoolExecutor(12) as pool:
        for each in [pool.submit(carry, number) for number in range(12)]:
            each.result(60)
    assert room.free_bytes == 1000
