"""A proxy before the embedded server that behaves as lines and real servers do on bad days, by a seeded plan.

Bodies are passed on as they arrive, so what breaks in the middle is half there on both sides.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO
from urllib.parse import urlsplit

from fault_plan import TOMORROW, Fault, FaultPlan, Kind, refusal
from ledger import Body, Ledger
from loopback_server import Answer, Asked, page

__all__ = ["Fault", "FaultPlan", "FaultProxy", "Kind"]

SLICE_BYTES = 16 * 1024
TRICKLE_S = 0.05
TRICKLE_AT_MOST_S = 20.0
_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}
_RESET = struct.pack("ii", 1, 0)


class _Broken(Exception):
    """The client's connection is over."""


class FaultProxy:
    """Forwards to `upstream` what the plan lets through. `plan` and `upstream` may be exchanged while it runs."""

    def __init__(self, upstream: str, plan: FaultPlan, *, skewed_dates: bool = False) -> None:
        self.plan = plan
        self.upstream = upstream
        self.ledger = Ledger()
        self.asked: list[Asked] = []
        """Every request that reached the proxy, in order of arrival; bodies are not kept."""
        self.late = 0
        """Requests that the client has given up and the server has not heard of yet."""
        self.skewed_dates = skewed_dates
        """Every reply bears a date decades from now."""
        self.before_forwarding: Callable[[Asked], None] = lambda _: None
        self._lock = threading.Lock()
        self._connections: dict[int, socket.socket] = {}
        self._threads: dict[int, threading.Thread] = {}
        self._count = 0
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lines(self) -> list[str]:
        """What was asked, as `METHOD target`."""
        with self._lock:
            return [f"{asked.method} {asked.target}" for asked in self.asked]

    def go_down(self) -> None:
        """Nothing listens any more; connections that were open are reset."""
        with self._lock:
            self._closed = True
        # Closing a listening socket does not wake accept() on Linux: knock.
        with socket.socket() as knock:
            knock.connect_ex(("127.0.0.1", self.port))
        self._acceptor.join(timeout=10)
        self._listener.close()
        self.cut_all()

    def come_up(self) -> None:
        """Listen again, at the same port."""
        with self._lock:
            if not self._closed:
                return
            self._closed = False
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._listen()

    def cut_all(self) -> None:
        """Reset every connection, as a network that changes does."""
        with self._lock:
            connections = list(self._connections.values())
        for connection in connections:
            _hang_up(connection, reset=True)

    def close(self) -> None:
        if not self._closed:
            self.go_down()
        for thread in list(self._threads.values()):
            thread.join(timeout=10)

    def forget(self) -> None:
        """Drop what is known of requests that are over: for runs of hours."""
        with self._lock:
            self.asked = []
        self.ledger.forget()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        self._acceptor = threading.Thread(target=self._accept, name="fault-accept", daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self._count += 1
                number = self._count
                self._connections[number] = connection
                thread = threading.Thread(
                    target=self._serve, args=(connection, number), name="fault-line", daemon=True
                )
                self._threads[number] = thread
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        exchange = _Exchange(self, connection, number)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection.makefile("rb") as stream:
                while exchange.answer_next(stream):
                    pass
        except (OSError, ValueError, http.client.HTTPException, _Broken):
            return
        finally:
            exchange.close()
            _hang_up(connection)
            with self._lock:
                self._connections.pop(number, None)
                self._threads.pop(number, None)


class _Exchange:
    """The requests of one connection, each passed on over one connection to the server."""

    def __init__(self, proxy: FaultProxy, connection: socket.socket, number: int) -> None:
        self._proxy, self._connection, self._number = proxy, connection, number
        self._upstream: http.client.HTTPConnection | None = None
        self._upstream_url = ""

    def close(self) -> None:
        if self._upstream is not None:
            self._upstream.close()

    def answer_next(self, stream: BinaryIO) -> bool:
        """Take one request and answer it; false when the connection is over."""
        asked = _read_head(stream, self._number)
        if asked is None:
            return False
        self._proxy.asked.append(asked)
        size_bytes = int(asked.headers.get("content-length", "0"))
        body = self._proxy.ledger.begin(asked, size_bytes)
        fault = self._proxy.plan.strike(asked)
        try:
            return self._answer(asked, fault, _Incoming(stream, size_bytes, body), body)
        finally:
            if body is not None:
                body.is_over = True

    def _answer(self, asked: Asked, fault: Fault | None, incoming: _Incoming, body: Body | None) -> bool:
        if fault is None:
            return self._reply(asked, self._forwarded(asked, incoming), body)
        # A chunk that arrives late may be written while the job is being closed, and the whole job is sent anew.
        job_is_lost = fault.kind in (Kind.SWALLOWED, Kind.VANISHED, Kind.LATE)
        self._proxy.ledger.hit(body, job_is_lost=job_is_lost)
        match fault.kind:
            case Kind.CUT_BEFORE:
                incoming.drain()
                return False
            case Kind.CUT_BODY | Kind.RESET_BODY:
                self._forward_half(asked, incoming)
                if fault.kind is Kind.RESET_BODY:
                    _hang_up(self._connection, reset=True)
                return False
            case Kind.CUT_AFTER:
                self._forwarded(asked, incoming)
                return False
            case Kind.LATE:
                self._forward_late(asked, incoming, fault.delay_s)
                return False
            case Kind.CUT_REPLY:
                answer = self._forwarded(asked, incoming)
                return self._reply(asked, replace(answer, body_sent_bytes=len(answer.body) // 2), body)
            case Kind.CUT_HEAD | Kind.TRICKLE:
                head, content = _as_bytes(asked, self._forwarded(asked, incoming))
                half = head[: len(head) // 2]
                return self._trickled(head + content) if fault.kind is Kind.TRICKLE else self._sent(half)
            case Kind.TORN_JSON:
                answer = self._forwarded(asked, incoming)
                return self._reply(asked, replace(answer, body=answer.body[: len(answer.body) // 2]), body)
            case Kind.CLOSE_IDLE:
                return self._reply(asked, replace(self._forwarded(asked, incoming), closes=True), body)
            case Kind.DELAY:
                time.sleep(fault.delay_s)
                return self._reply(asked, self._forwarded(asked, incoming), body)
            case Kind.GATEWAY_LATE:
                self._forwarded(asked, incoming)
                words = "The gateway did not receive a timely response from the upstream server."
                return self._reply(asked, page(504, "504 Gateway Timeout", words), None)
            case Kind.VANISHED:
                self._delete_job(asked)
                return self._reply(asked, self._forwarded(asked, incoming), body)
            case _:
                incoming.drain()
                return self._reply(asked, refusal(fault, asked), None)

    def _forwarded(self, asked: Asked, incoming: _Incoming) -> Answer:
        self._proxy.before_forwarding(asked)
        upstream = self._begin(asked)
        for piece in incoming:
            upstream.send(piece)
        reply = upstream.getresponse()
        content = reply.read()
        headers = {name: value for name, value in reply.getheaders() if name.lower() not in _HOP}
        length = reply.getheader("content-length")
        if asked.method == "HEAD" and length is not None:
            headers["Content-Length"] = length
        if self._proxy.skewed_dates:
            headers = {name: value for name, value in headers.items() if name.lower() != "date"}
            headers["Date"] = TOMORROW
        return Answer(reply.status, content, headers, names_length=asked.method != "HEAD")

    def _begin(self, asked: Asked) -> http.client.HTTPConnection:
        if self._upstream is None or self._upstream_url != self._proxy.upstream:
            self.close()
            self._upstream_url = self._proxy.upstream
            parts = urlsplit(self._upstream_url)
            self._upstream = http.client.HTTPConnection(
                parts.hostname or "127.0.0.1", parts.port or 80, timeout=60
            )
        upstream = self._upstream
        upstream.putrequest(asked.method, asked.target, skip_host=True, skip_accept_encoding=True)
        for name, value in asked.headers.items():
            if name not in ("host", "connection"):
                upstream.putheader(name, value)
        upstream.putheader("Host", urlsplit(self._upstream_url).netloc)
        upstream.endheaders()
        return upstream

    def _forward_half(self, asked: Asked, incoming: _Incoming) -> None:
        upstream = self._begin(asked)
        for piece in incoming.first_half():
            upstream.send(piece)
        self.close()
        self._upstream = None

    def _forward_late(self, asked: Asked, incoming: _Incoming, delay_s: float) -> None:
        whole = b"".join(incoming)
        self._proxy.late += 1
        _hang_up(self._connection)
        time.sleep(delay_s)
        try:
            upstream = self._begin(asked)
            upstream.send(whole)
            upstream.getresponse().read()
        finally:
            self._proxy.late -= 1

    def _delete_job(self, asked: Asked) -> None:
        job = asked.path.rpartition("/")[0]
        self._begin(replace(asked, method="DELETE", target=job, headers=_without_body(asked)))
        if self._upstream is not None:
            self._upstream.getresponse().read()

    def _reply(self, asked: Asked, answer: Answer, body: Body | None) -> bool:
        head, content = _as_bytes(asked, answer)
        if body is not None:
            # Noted before it is sent: the sender may act on it at once.
            body.status = answer.status
            body.is_over = True
        self._connection.sendall(head + content[: answer.body_sent_bytes])
        return answer.body_sent_bytes is None and not answer.closes

    def _sent(self, raw: bytes) -> bool:
        self._connection.sendall(raw)
        return False

    def _trickled(self, raw: bytes) -> bool:
        until = time.monotonic() + TRICKLE_AT_MOST_S
        # The head's last byte never comes, so that only a client that watches the clock gets away.
        while not self._proxy._closed and time.monotonic() < until:
            self._connection.sendall(raw[:1] if raw[:1] not in b"\r\n" else b"X")
            raw = raw[1:] or b"X"
            time.sleep(TRICKLE_S)
        return False


class _Incoming:
    """The body of a request, counted while it arrives."""

    def __init__(self, stream: BinaryIO, size_bytes: int, body: Body | None) -> None:
        self._stream, self._left, self._body = stream, size_bytes, body

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces(0)

    def first_half(self) -> Iterator[bytes]:
        """Half of it; the rest stays on the line."""
        return self._pieces(self._left - self._left // 2)

    def drain(self) -> None:
        """Take it and let it fall."""
        for _ in self:
            pass

    def _pieces(self, until: int) -> Iterator[bytes]:
        while self._left > until:
            piece = self._stream.read1(min(SLICE_BYTES, self._left - until))  # type: ignore[attr-defined]
            if not piece:
                raise _Broken
            self._left -= len(piece)
            if self._body is not None:
                self._body.received_bytes += len(piece)
            yield piece


def _read_head(stream: BinaryIO, number: int) -> Asked | None:
    first = stream.readline()
    if not first.endswith(b"\n"):
        return None
    method, target, _ = first.decode("ascii").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline()) not in (b"\r\n", b"\n"):
        if not line.endswith(b"\n"):
            return None
        name, _, value = line.strip().decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise AssertionError("real servers refuse chunked transfer encoding")
    return Asked(method, target, headers, b"", number)


def _as_bytes(asked: Asked, answer: Answer) -> tuple[bytes, bytes]:
    headers = dict(answer.headers)
    given = {name.lower() for name in headers}
    if answer.names_length and "content-length" not in given and answer.status != 204:
        headers["Content-Length"] = str(len(answer.body))
    head = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    body = b"" if asked.method == "HEAD" else answer.body
    return "\r\n".join([*head, "", ""]).encode("latin-1"), body


def _without_body(asked: Asked) -> dict[str, str]:
    dropped = ("content-length", "content-md5", "content-type")
    return {name: value for name, value in asked.headers.items() if name not in dropped}


def _hang_up(connection: socket.socket, *, reset: bool = False) -> None:
    with contextlib.suppress(OSError):  # the other side was faster
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        connection.close()


@contextmanager
def down(proxy: FaultProxy) -> Iterator[None]:
    """The proxy does not listen while the block runs."""
    proxy.go_down()
    try:
        yield
    finally:
        proxy.come_up()
