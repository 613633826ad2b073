"""A store and a scripted catalog on 127.0.0.1, and a clock that does not wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loopback_server import Answer, Asked, LoopbackServer
from rude_hatrac import RudeHatrac

from uploader.remote.credentials import Credentials
from uploader.remote.hatrac import HatracStore
from uploader.remote.http import Connection


class StillClock:
    """Sleeping only moves the hands."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._now_s = 1000.0

    def now(self) -> str:
        return "2026-03-01T12:00:00Z"

    def monotonic(self) -> float:
        return self._now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now_s += seconds


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def serve() -> Iterator[Callable[..., LoopbackServer]]:
    """Starts servers that answer by a function, and stops them."""
    started: list[LoopbackServer] = []

    def start(answer: Callable[[Asked], Answer], **manners: Any) -> LoopbackServer:
        started.append(LoopbackServer(answer, **manners))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Connection]]:
    """Opens connections signed with the stand-ins' token, and closes them."""
    opened: list[Connection] = []

    def open_connection(url: str, *, token: str = "secret", **settings: Any) -> Connection:
        opened.append(Connection(url, Credentials(token=token), **settings))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.close()


@pytest.fixture
def hatrac() -> Iterator[RudeHatrac]:
    server = RudeHatrac()
    yield server
    server.close()


@pytest.fixture
def store(hatrac: RudeHatrac, connect: Callable[..., Connection], clock: StillClock) -> HatracStore:
    return HatracStore(connect(hatrac.server.url), clock=clock)
