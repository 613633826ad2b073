"""A small HTTP/1.1 server on 127.0.0.1 whose manners a test decides, down to where the line breaks."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    """Path and query, as sent."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    connection: int
    """Number of the connection it came on, from 1."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, and what is wrong with it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False
    """Close the connection without a word."""
    body_sent_bytes: int | None = None
    """Close after so many bytes of the body, although all were announced."""
    closes: bool = False
    """Close after the answer without having said so, as an idle connection is closed."""
    delay_s: float = 0.0
    names_length: bool = True
    """Real servers leave the length out of a HEAD answer for an empty object."""
    drip_s: float = 0.0
    """Send byte by byte with this pause between them (slow loris)."""


def text(status: int, words: str, **headers: str) -> Answer:
    """A plain text answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, words.encode(), {"Content-Type": "text/plain", **named})


def page(status: int, title: str, sentence: str) -> Answer:
    """A web page as Apache writes them."""
    body = (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">\n'
        f"<html><head>\n<title>{title}</title>\n</head><body>\n<h1>{title}</h1>\n<p>{sentence}<br />\n</p>\n"
        "</body></html>\n"
    )
    return Answer(status, body.encode(), {"Content-Type": "text/html; charset=iso-8859-1"})


class LoopbackServer:
    """Answers every request by a function; one thread per connection.

    `early` sees a request before its body is read: its Answer goes out at once and the rest is left unread.
    With `deaf` bodies are never read at all.
    """

    def __init__(
        self,
        answer: Callable[[Asked], Answer],
        *,
        early: Callable[[Asked], Answer | None] = lambda asked: None,
        deaf: bool = False,
    ) -> None:
        self.asked: list[Asked] = []
        self._answer = answer
        self._early = early
        self._deaf = deaf
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="loopback-accept", daemon=True)
        self._acceptor.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lines(self) -> list[str]:
        """What was asked, as `METHOD target`."""
        with self._lock:
            return [f"{asked.method} {asked.target}" for asked in self.asked]

    def close(self) -> None:
        self._closing.set()
        with self._lock:
            self._closed = True
            connections = list(self._connections)
        # Closing a listening socket does not wake accept() on Linux: knock.
        with socket.socket() as knock:
            knock.connect_ex(("127.0.0.1", self.port))
        self._acceptor.join(timeout=10)
        self._listener.close()
        for connection in connections:
            _hang_up(connection)
        for thread in self._threads:
            thread.join(timeout=10)

    def __enter__(self) -> LoopbackServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self._connections.append(connection)
                number = len(self._connections)
            thread = threading.Thread(target=self._serve, args=(connection, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection.makefile("rb") as stream:
                # A TLS hello begins with 0x16: it is answered in plain text, as web servers do.
                if connection.recv(1, socket.MSG_PEEK) == b"\x16":
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                    return
                while (asked := _read_head(stream, number)) is not None:
                    answer = self._early(asked)
                    if answer is not None:
                        _send(connection, asked, answer, self._closing)
                        return
                    if self._deaf:
                        self._closing.wait()
                        return
                    asked = _with_body(stream, asked)
                    if asked is None:
                        return
                    with self._lock:
                        self.asked.append(asked)
                    if not _send(connection, asked, self._answer(asked), self._closing):
                        return
        except OSError:
            return
        finally:
            _hang_up(connection)


def _read_head(stream: BinaryIO, number: int) -> Asked | None:
    first = stream.readline()
    if not first:
        return None
    method, target, _ = first.decode("ascii").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise AssertionError("real servers refuse chunked transfer encoding")
    return Asked(method, target, headers, b"", number)


def _with_body(stream: BinaryIO, asked: Asked) -> Asked | None:
    length = int(asked.headers.get("content-length", "0"))
    body = stream.read(length)
    return replace(asked, body=body) if len(body) == length else None


def _send(connection: socket.socket, asked: Asked, answer: Answer, closing: threading.Event) -> bool:
    """Send the answer; false when the connection is over."""
    if answer.delay_s:
        time.sleep(answer.delay_s)
    if answer.silent:
        return False
    given = {name.lower() for name in answer.headers}
    headers = dict(answer.headers)
    if answer.names_length and "content-length" not in given and answer.status != 204:
        headers["Content-Length"] = str(len(answer.body))
    head = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    # A HEAD answer announces a body and sends none; Hatrac leaves the length out for empty objects.
    body = b"" if asked.method == "HEAD" else answer.body[: answer.body_sent_bytes]
    sent = "\r\n".join([*head, "", ""]).encode("latin-1") + body
    if answer.drip_s:
        for letter in sent:
            if closing.wait(answer.drip_s):
                return False
            connection.sendall(bytes([letter]))
    else:
        connection.sendall(sent)
    return answer.body_sent_bytes is None and not answer.closes


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was faster
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
