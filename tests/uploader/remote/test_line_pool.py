"""Lines are kept while they are young, lent to one thread each, and never more than the cap."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from loopback_server import Answer, Asked, LoopbackServer

from uploader.remote.answer_reader import AnswerReader
from uploader.remote.dialing import Route
from uploader.remote.line import Line, Patience
from uploader.remote.line_faults import NotConnected
from uploader.remote.line_pool import LinePool

Serve = Callable[[Callable[[Asked], Answer]], LoopbackServer]


class Hands:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def pool(serve: Serve, hands: Hands) -> Iterator[LinePool]:
    server = serve(lambda asked: Answer(200, b"ok"))
    made = LinePool(Route("127.0.0.1", server.port, None, None), most=2, patience=Patience(), monotonic=hands)
    yield made
    made.close()


def used(line: Line) -> Line:
    """The line after one request and its answer."""
    line.send(b"GET /x HTTP/1.1\r\n\r\n", memoryview(b""))
    line.expect_answer(5.0)
    answer = AnswerReader(line, "GET")
    assert b"".join(answer.blocks(answer.head())) == b"ok"
    return line


def test_a_young_line_is_used_again_an_old_one_is_not(pool: LinePool, hands: Hands) -> None:
    first = used(pool.take())
    pool.give_back(first)
    hands.now_s += 3.9
    assert pool.take() is first
    pool.give_back(used(first))
    hands.now_s += 4.1
    second = pool.take()
    assert second is not first
    pool.give_back(second)
    assert pool.open_lines == 0  # the old one was closed, this one carried nothing


def test_a_line_on_which_something_waits_is_not_used_again(serve: Serve) -> None:
    server = serve(lambda asked: Answer(200, b"ok", closes=True))
    pool = LinePool(Route("127.0.0.1", server.port, None, None), most=2, patience=Patience())
    line = used(pool.take())
    pool.give_back(line)
    for thread in server._threads:
        thread.join(timeout=10)  # it has hung up
    other = pool.take()
    assert other is not line
    pool.give_back(other)
    pool.close()


def test_a_fresh_line_takes_the_place_of_an_idle_one(pool: LinePool) -> None:
    lines = [used(pool.take()), used(pool.take())]
    for line in lines:
        pool.give_back(line)
    assert pool.open_lines == 2
    fresh = pool.take(fresh=True)
    assert fresh not in lines
    assert pool.open_lines == 2
    pool.give_back(fresh)


def test_there_are_never_more_lines_than_the_cap(serve: Serve) -> None:
    server = serve(lambda asked: Answer(200, b"ok"))
    pool = LinePool(Route("127.0.0.1", server.port, None, None), most=3, patience=Patience())
    most_open: list[int] = []

    def work() -> None:
        for _ in range(20):
            line = pool.take()
            used(line)
            most_open.append(pool.open_lines)
            pool.give_back(line)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(server.asked) == 160
    assert max(most_open) <= 3
    assert len({asked.connection for asked in server.asked}) <= 3
    pool.close()


def test_a_line_that_can_t_be_made_frees_its_place(hands: Hands, serve: Serve) -> None:
    server = serve(lambda asked: Answer(200, b"ok"))
    server.close()
    pool = LinePool(Route("127.0.0.1", server.port, None, None), most=1, patience=Patience(), monotonic=hands)
    for _ in range(3):
        with pytest.raises(NotConnected):
            pool.take()
    assert pool.open_lines == 0


def test_a_closed_pool_keeps_nothing(pool: LinePool) -> None:
    line = used(pool.take())
    pool.close()
    pool.give_back(line)
    assert pool.open_lines == 0
