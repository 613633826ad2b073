"""The gate: as many as permitted, both lanes served, pause and stop at any moment."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from simulated_server import SimulatedClock

from uploader.engine.pacing.controller import Controller
from uploader.engine.pacing.gate import Gate
from uploader.model.control import Lane
from uploader.model.errors import Cancelled


class Permitted:
    """A number of permits that a test sets."""

    def __init__(self, permits: int) -> None:
        self.permits = permits
        self.most = 0

    def occupied(self, in_flight: int) -> None:
        self.most = max(self.most, in_flight)


class Senders:
    """Threads that enter the gate one after the other and stay until told to leave."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.entered: list[str] = []
        self._leave: dict[str, threading.Event] = {}
        self._pool = ThreadPoolExecutor(32)
        self._done: list[Future[None]] = []

    def send(self, name: str, lane: Lane) -> None:
        """Begin, and return when it has entered or waits."""
        self._leave[name] = threading.Event()
        before = self.gate.waiting(lane), len(self.entered)
        self._done.append(self._pool.submit(self._send, name, lane))
        until(lambda: (self.gate.waiting(lane), len(self.entered)) != before)

    def leave(self, name: str) -> None:
        """End one; who is next has entered when this returns."""
        left = len(self.entered)
        next_enters = self.gate.waiting(Lane.SMALL) + self.gate.waiting(Lane.LARGE) > 0 and self.gate.is_open
        self._leave[name].set()
        until(lambda: len(self.entered) > left or not next_enters)

    def end(self) -> None:
        for each in self._leave.values():
            each.set()
        for each in self._done:
            each.result(10)
        self._pool.shutdown()

    def _send(self, name: str, lane: Lane) -> None:
        with self.gate.slot(lane):
            self.entered.append(name)
            self._leave[name].wait(30)


def until(is_so: object) -> None:
    """Poll until it is so; fails after ten seconds."""
    assert callable(is_so)
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


def test_no_more_than_permitted_are_under_way() -> None:
    gate = Gate(Permitted(2))
    senders = Senders(gate)
    for name in "abc":
        senders.send(name, Lane.SMALL)
    assert gate.in_flight == 2
    assert gate.waiting(Lane.SMALL) == 1
    senders.leave("a")
    assert senders.entered == ["a", "b", "c"]
    senders.end()
    assert gate.in_flight == 0


def test_a_lane_with_nothing_under_way_need_not_wait_for_the_other() -> None:
    gate = Gate(Permitted(2))
    senders = Senders(gate)
    senders.send("chunk 1", Lane.LARGE)
    senders.send("chunk 2", Lane.LARGE)
    senders.send("file", Lane.SMALL)
    assert senders.entered[-1] == "file"
    assert gate.in_flight == 3
    # That was one more than permitted: the next one waits for two to end.
    senders.send("chunk 3", Lane.LARGE)
    assert gate.waiting(Lane.LARGE) == 1
    senders.end()


def test_a_free_slot_goes_to_the_lane_with_fewer_under_way() -> None:
    gate = Gate(Permitted(4))
    senders = Senders(gate)
    for number in range(4):
        senders.send(f"chunk {number}", Lane.LARGE)
    senders.send("chunk 4", Lane.LARGE)
    senders.send("file 0", Lane.SMALL)
    for number in range(1, 4):
        senders.send(f"file {number}", Lane.SMALL)
    assert gate.waiting(Lane.SMALL) == 3
    senders._leave["chunk 0"].set()  # pays back the one that was too many
    until(lambda: gate.in_flight == 4)
    senders.leave("chunk 1")
    assert senders.entered[-1] == "file 1"
    senders.leave("chunk 2")
    assert (gate.under_way(Lane.SMALL), gate.under_way(Lane.LARGE)) in {(3, 1), (2, 2)}
    senders.leave("file 0")
    assert gate.waiting(Lane.SMALL) + gate.waiting(Lane.LARGE) == 1
    senders.end()


def test_more_permits_let_more_in_at_the_next_end() -> None:
    permitted = Permitted(1)
    gate = Gate(permitted)
    senders = Senders(gate)
    for name in "abcd":
        senders.send(name, Lane.SMALL)
    permitted.permits = 3
    senders.leave("a")
    until(lambda: len(senders.entered) == 4)
    senders.end()


def test_fewer_permits_let_nobody_in_until_enough_have_ended() -> None:
    permitted = Permitted(3)
    gate = Gate(permitted)
    senders = Senders(gate)
    for name in "abcd":
        senders.send(name, Lane.SMALL)
    permitted.permits = 1
    for name in "ab":
        senders._leave[name].set()
    until(lambda: gate.in_flight == 1)
    assert senders.entered == ["a", "b", "c"]
    senders.leave("c")
    assert senders.entered == ["a", "b", "c", "d"]
    senders.end()


def test_closed_it_lets_what_is_under_way_end_and_nobody_in() -> None:
    gate = Gate(Permitted(2))
    senders = Senders(gate)
    senders.send("a", Lane.SMALL)
    gate.close()
    senders.send("b", Lane.SMALL)
    senders.send("c", Lane.LARGE)
    assert senders.entered == ["a"]
    senders._leave["a"].set()
    until(lambda: gate.in_flight == 0)
    assert gate.waiting(Lane.SMALL) == 1
    gate.open()
    until(lambda: len(senders.entered) == 3)
    senders.end()


def test_stopping_wakes_who_waits_and_refuses_who_comes() -> None:
    gate = Gate(Permitted(1))
    with gate.slot(Lane.SMALL), ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(gate.enter, Lane.SMALL) for _ in range(8)]
        until(lambda: gate.waiting(Lane.SMALL) == 8)
        gate.stop()
        for each in waiting:
            with pytest.raises(Cancelled):
                each.result(10)
    with pytest.raises(Cancelled), gate.slot(Lane.LARGE):
        raise AssertionError("it is stopped")
    assert gate.in_flight == 0


def test_a_waiting_thread_asks_its_own_stop() -> None:
    gate = Gate(Permitted(1))
    with gate.slot(Lane.SMALL):
        with pytest.raises(Cancelled), gate.slot(Lane.SMALL, lambda: True):
            raise AssertionError("there is no slot")
        assert gate.waiting(Lane.SMALL) == 0


def test_an_error_gives_the_slot_back() -> None:
    gate = Gate(Permitted(1))
    with pytest.raises(ZeroDivisionError), gate.slot(Lane.LARGE):
        raise ZeroDivisionError
    assert gate.in_flight == 0


@pytest.mark.parametrize("threads", [8, 48])
def test_many_threads_lose_no_slot(threads: int) -> None:
    permitted = Permitted(5)
    gate = Gate(permitted)
    inside = 0
    lock = threading.Lock()

    def send(number: int) -> None:
        nonlocal inside
        lane = Lane.LARGE if number % 4 == 0 else Lane.SMALL
        for turn in range(100):
            try:
                with gate.slot(lane, lambda turn=turn: turn % 7 == 6):
                    with lock:
                        inside += 1
                        # Permits may have been lowered meanwhile: 9 is the most there ever were.
                        assert inside <= 10
                    if turn % 10 == number % 10:
                        permitted.permits = 1 + turn % 9
                    with lock:
                        inside -= 1
            except Cancelled:
                continue

    with ThreadPoolExecutor(threads) as pool:
        for each in [pool.submit(send, number) for number in range(threads)]:
            each.result(60)
    assert gate.in_flight == 0
    assert gate.waiting(Lane.SMALL) == gate.waiting(Lane.LARGE) == 0
    assert permitted.most <= 10


@pytest.mark.bench
def test_what_a_slot_costs() -> None:
    class Real(SimulatedClock):
        def monotonic(self) -> float:
            return time.monotonic()

    for threads, permits in ((1, 4), (4, 8), (16, 8), (64, 8)):
        gate = Gate(Controller(Real(), least=permits, most=permits, start=permits))

        def take(gate: Gate = gate, count: int = 20_000 // threads) -> None:
            for _ in range(count):
                with gate.slot(Lane.SMALL):
                    pass

        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(threads) as pool:
            for each in [pool.submit(take) for _ in range(threads)]:
                each.result()
        wall_us = (time.perf_counter() - began_s) / 20_000 * 1e6
        cpu_us = (time.process_time() - began_cpu_s) / 20_000 * 1e6
        costs = f"{wall_us:5.1f} µs a slot, {cpu_us:5.1f} µs CPU"
        print(f"\ngate, {threads:2d} threads, {permits} permits: {costs}")  # noqa: T201
        if threads <= 16:
            assert cpu_us < 20
