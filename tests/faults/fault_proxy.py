"""A proxy before the embedded server that behaves as lines and real servers do on bad days, by a seeded plan."""

from __future__ import annotations

import http.client
import random
import re
import socket
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from loopback_server import Answer, Asked, LoopbackServer, page, text


class Kind(StrEnum):
    """What goes wrong."""

    CUT_BEFORE = "the line breaks before the server hears of the request"
    CUT_BODY = "the line breaks in the middle of the request's body"
    CUT_AFTER = "the server has done it, the reply is lost"
    CUT_REPLY = "the server has done it, half of the reply's body arrives"
    CLOSE_IDLE = "the reply arrives, then the kept connection is closed"
    DELAY = "the request arrives late"
    ABORTED = "503 Transaction aborted"
    BUSY = "503 with Retry-After"
    SLOW_DOWN = "429 with Retry-After"
    GATEWAY = "502 with a web page"
    NAMESPACE_RACE = "500 duplicate key of a namespace"
    SIGNED_OUT = "401"
    ANONYMOUS = "a dead login reads as nobody: no rows, no session"
    FULL = "507"
    SWALLOWED = "204 for a chunk that the server never saw: a hole"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble, which requests it befalls and how often."""

    kind: Kind
    where: str = ""
    """Regular expression searched in `METHOD target`."""
    rate: float = 1.0
    """Share of the matching requests, by the plan's seed."""
    after: int = 0
    """So many matching requests go well first."""
    at_most: int | None = None
    """So many times in all."""
    per_request: int | None = 1
    """So many times for the same request, so that repetition gets through; None: always."""
    delay_s: float = 0.05
    retry_after_s: int = 1


@dataclass
class FaultPlan:
    """Decides for each request. The draw depends on seed, request and its how-manieth time, not on threads."""

    faults: list[Fault]
    seed: int = 0
    struck: Counter[Kind] = field(default_factory=Counter)
    """How often each kind has happened."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: Counter[tuple[int, str]] = Counter()
        self._matched: Counter[int] = Counter()
        self._done: Counter[int] = Counter()
        self._done_here: Counter[tuple[int, str]] = Counter()

    def strike(self, asked: Asked) -> Fault | None:
        """The fault that befalls this request, if any."""
        line = f"{asked.method} {asked.target}"
        with self._lock:
            for index, fault in enumerate(self.faults):
                if re.search(fault.where, line) and self._is_due(index, fault, line):
                    self.struck[fault.kind] += 1
                    return fault
        return None

    def _is_due(self, index: int, fault: Fault, line: str) -> bool:
        here = (index, line)
        self._seen[here] += 1
        self._matched[index] += 1
        if self._matched[index] <= fault.after:
            return False
        if fault.at_most is not None and self._done[index] >= fault.at_most:
            return False
        if fault.per_request is not None and self._done_here[here] >= fault.per_request:
            return False
        # A string seeds the same draw in every process; a tuple's hash would not.
        draw = random.Random(f"{self.seed}/{index}/{line}/{self._seen[here]}").random()
        if draw >= fault.rate:
            return False
        self._done[index] += 1
        self._done_here[here] += 1
        return True


class FaultProxy:
    """Forwards to `upstream` what the plan lets through. `plan` may be exchanged while it runs."""

    def __init__(self, upstream: str, plan: FaultPlan) -> None:
        self.plan = plan
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._server = LoopbackServer(self._answer)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def asked(self) -> list[Asked]:
        """Every request that reached the proxy, in order of arrival."""
        return self._server.asked

    def lines(self) -> list[str]:
        return self._server.lines()

    def close(self) -> None:
        self._server.close()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, asked: Asked) -> Answer:
        fault = self.plan.strike(asked)
        if fault is None:
            return self._forward(asked)
        match fault.kind:
            case Kind.CUT_BEFORE:
                return Answer(silent=True)
            case Kind.CUT_BODY:
                self._forward_half(asked)
                return Answer(silent=True)
            case Kind.CUT_AFTER:
                self._forward(asked)
                return Answer(silent=True)
            case Kind.CUT_REPLY:
                reply = self._forward(asked)
                return Answer(reply.status, reply.body, reply.headers, body_sent_bytes=len(reply.body) // 2)
            case Kind.CLOSE_IDLE:
                reply = self._forward(asked)
                return Answer(reply.status, reply.body, reply.headers, closes=True)
            case Kind.DELAY:
                reply = self._forward(asked)
                return Answer(reply.status, reply.body, reply.headers, delay_s=fault.delay_s)
            case _:
                return _refusal(fault, asked)

    def _forward(self, asked: Asked) -> Answer:
        upstream = http.client.HTTPConnection(self._host, self._port, timeout=60)
        try:
            upstream.request(
                asked.method, asked.target, body=asked.body or None, headers=self._headers(asked)
            )
            reply = upstream.getresponse()
            body = reply.read()
        finally:
            upstream.close()
        skipped = {"connection", "transfer-encoding", "keep-alive", "date"}
        headers = {name: value for name, value in reply.getheaders() if name.lower() not in skipped}
        return Answer(reply.status, body, headers)

    def _forward_half(self, asked: Asked) -> None:
        head = [f"{asked.method} {asked.target} HTTP/1.1"]
        head += [f"{name}: {value}" for name, value in self._headers(asked).items()]
        with socket.create_connection((self._host, self._port), timeout=60) as line:
            line.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + asked.body[: len(asked.body) // 2])

    def _headers(self, asked: Asked) -> dict[str, str]:
        return {**asked.headers, "host": f"{self._host}:{self._port}", "connection": "close"}


def _refusal(fault: Fault, asked: Asked) -> Answer:
    wait = str(fault.retry_after_s)
    match fault.kind:
        case Kind.ABORTED:
            return text(503, "The service is temporarily unavailable. Detail: Transaction aborted.")
        case Kind.BUSY:
            return text(503, "The service is temporarily unavailable.", Retry_After=wait)
        case Kind.SLOW_DOWN:
            return text(429, "Too many requests.", Retry_After=wait)
        case Kind.GATEWAY:
            return page(
                502, "502 Bad Gateway", "The proxy received an invalid response from an upstream server."
            )
        case Kind.NAMESPACE_RACE:
            return text(500, 'duplicate key value violates unique constraint "name_name_key"')
        case Kind.SIGNED_OUT:
            return text(401, f"Authentication required for access to {asked.path}")
        case Kind.FULL:
            return text(507, "Insufficient storage.")
        case Kind.SWALLOWED:
            return Answer(204)
        case _:
            if asked.path == "/authn/session":
                return text(404, "No existing login session found.")
            return Answer(200, b"[]\n", {"Content-Type": "application/json"})
