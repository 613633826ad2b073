"""A line: what counts as too slow, in both directions, and what does not."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from urllib3.connection import HTTPConnection

from uploader.remote.answer_reader import AnswerReader
from uploader.remote.line import Line, Patience
from uploader.remote.line_faults import AnswerLate, HungUp, TooSlow, TornAnswer
from uploader.remote.reply_head import ReplyHead

QUICK = Patience(window_s=0.05, least_bytes=1024)
HEAD = b"PUT /x HTTP/1.1\r\n\r\n"
BODY = memoryview(bytes(range(256)) * 4096)  # 1 MiB, more than a socket pair takes unread


class Ends:
    """Our end as a line, the other one as a socket; what a thread of the other side does ends with the test."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        for end in (ours, self.theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.wire = HTTPConnection("localhost")
        self.wire.sock = ours
        self.threads: list[threading.Thread] = []

    def line(
        self,
        patience: Patience = QUICK,
        monotonic: Callable[[], float] = time.monotonic,
        timeout_s: float = 0.05,
    ) -> Line:
        line = Line(self.wire, patience, monotonic=monotonic)
        line.expect_answer(timeout_s)
        return line

    def other_side(self, act: Callable[[], object]) -> None:
        def quietly() -> None:
            with contextlib.suppress(OSError):
                act()

        self.threads.append(threading.Thread(target=quietly))
        self.threads[-1].start()

    def close(self) -> None:
        self.wire.close()
        with contextlib.suppress(OSError):
            self.theirs.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(timeout=10)
        self.theirs.close()

    def take(self, size_bytes: int) -> bytes:
        taken = b""
        while len(taken) < size_bytes and (block := self.theirs.recv(65536)):
            taken += block
        return taken


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def read_head(line: Line) -> ReplyHead:
    return AnswerReader(line, "GET").head()


# sending ---------------------------------------------------------------------------------------


def test_head_and_body_arrive_as_given_whatever_the_slices(ends: Ends) -> None:
    taken: list[bytes] = []
    ends.other_side(lambda: taken.append(ends.take(len(HEAD) + len(BODY))))
    ends.line(Patience()).send(HEAD, BODY, slice_bytes=100_001)
    ends.threads[0].join(timeout=10)
    assert taken == [HEAD + bytes(BODY)]


def test_a_line_that_takes_nothing_is_too_slow_after_a_window(ends: Ends) -> None:
    with pytest.raises(TooSlow) as caught:
        ends.line().send(HEAD, BODY)
    assert caught.value.sending
    assert caught.value.moved_bytes < len(BODY)


def test_a_trickle_is_too_slow_although_it_never_falls_silent(ends: Ends) -> None:
    stop = threading.Event()

    def sip() -> None:
        while not stop.wait(0.005):
            ends.theirs.recv(16)

    ends.other_side(sip)
    try:
        with pytest.raises(TooSlow):
            ends.line(Patience(window_s=0.1, least_bytes=512 * 1024)).send(HEAD, BODY)
    finally:
        stop.set()


def test_waiting_for_the_bandwidth_limit_is_not_slowness(ends: Ends) -> None:
    """The clock leaps an hour at every pause; only the calls of the system count."""
    leaps_s = [0.0]
    paces: list[int] = []

    def pace(size_bytes: int) -> None:
        paces.append(size_bytes)
        leaps_s[0] += 3600.0

    ends.other_side(lambda: ends.take(len(HEAD) + len(BODY)))
    line = ends.line(Patience(window_s=5.0), lambda: time.monotonic() + leaps_s[0])
    line.send(HEAD, BODY, slice_bytes=300_000, pace=pace)
    assert paces == [300_000, 300_000, 300_000, len(BODY) - 900_000]


def test_the_machine_s_own_sleep_is_nobody_s_slowness(ends: Ends) -> None:
    """The first call seems to have lasted an hour with little sent: the lid was closed."""
    hours = iter([0.0, 0.0, 3600.0])
    last = [0.0]

    def clock() -> float:
        last[0] = next(hours, last[0])
        return last[0]

    ends.other_side(lambda: ends.take(len(HEAD) + len(BODY)))
    ends.line(Patience(window_s=5.0, least_bytes=1 << 30), clock).send(HEAD, BODY)


# receiving -------------------------------------------------------------------------------------


def test_silence_is_no_answer(ends: Ends) -> None:
    with pytest.raises(AnswerLate) as caught:
        read_head(ends.line())
    assert not caught.value.has_begun


def test_a_slow_loris_gets_no_more_than_the_time_of_the_answer(ends: Ends) -> None:
    stop = threading.Event()

    def drip() -> None:
        for letter in b"HTTP/1.1 200 OK\r\nX-Endless: " + b"a" * 10_000:
            if stop.wait(0.01):
                return
            ends.theirs.sendall(bytes([letter]))

    ends.other_side(drip)
    started_s = time.monotonic()
    try:
        with pytest.raises(AnswerLate) as caught:
            read_head(ends.line(timeout_s=0.1))
    finally:
        stop.set()
    assert caught.value.has_begun
    assert time.monotonic() - started_s < 5


def test_a_download_that_dwindles_is_too_slow(ends: Ends) -> None:
    stop = threading.Event()

    def dwindle() -> None:
        ends.theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(5000))
        while not stop.wait(0.01):
            ends.theirs.sendall(b"x")

    ends.other_side(dwindle)
    answer = AnswerReader(ends.line(timeout_s=5.0), "GET")
    try:
        with pytest.raises(TooSlow) as caught:
            list(answer.blocks(answer.head()))
    finally:
        stop.set()
    assert not caught.value.sending


def test_who_reads_slowly_is_not_blamed_on_the_line(ends: Ends) -> None:
    leaps_s = [0.0]
    ends.other_side(
        lambda: ends.theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000))
    )
    line = ends.line(Patience(window_s=5.0, least_bytes=1024), lambda: time.monotonic() + leaps_s[0], 5.0)
    answer = AnswerReader(line, "GET")
    size_bytes = 0
    for block in answer.blocks(answer.head()):
        size_bytes += len(block)
        leaps_s[0] += 3600.0
    assert size_bytes == 300_000


def test_an_answer_that_came_while_the_machine_slept_is_read(ends: Ends) -> None:
    """The wait ends an hour late by the clock; the answer lies there."""
    clock_s = [0.0]
    came = threading.Event()

    def answer_late() -> None:
        came.wait(5)
        ends.theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def clock() -> float:
        clock_s[0] += 3600.0
        came.set()
        return clock_s[0]

    ends.other_side(answer_late)
    assert read_head(ends.line(monotonic=clock, timeout_s=0.15)).status == 200


@pytest.mark.parametrize(
    ("sent", "fault"),
    [(b"", HungUp), (b"HTTP/1.1 200 OK\r\nCont", TornAnswer)],
)
def test_a_line_that_ends_before_its_answer(sent: bytes, fault: type[Exception], ends: Ends) -> None:
    ends.theirs.sendall(sent)
    ends.theirs.shutdown(socket.SHUT_RDWR)
    with pytest.raises(fault):
        read_head(ends.line(timeout_s=5.0))
