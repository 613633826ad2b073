"""What goes wrong, where and how often: a seeded plan that a proxy carries out."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from loopback_server import Answer, Asked, page, text

YESTERDAY = "Fri, 20 Nov 2020 04:00:00 GMT"
TOMORROW = "Mon, 20 Nov 2090 04:00:00 GMT"


class Kind(StrEnum):
    """What goes wrong."""

    CUT_BEFORE = "the line breaks before the server hears of the request"
    CUT_BODY = "the line breaks in the middle of the request's body"
    RESET_BODY = "the connection is reset in the middle of the request's body"
    LATE = "the line breaks; the server hears of the request only a moment later"
    CUT_AFTER = "the server has done it, the reply is lost"
    CUT_REPLY = "the server has done it, half of the reply's body arrives"
    CUT_HEAD = "the server has done it, half of the reply's head arrives"
    CLOSE_IDLE = "the reply arrives, then the kept connection is closed"
    DELAY = "the reply arrives late"
    TRICKLE = "the server has done it, the reply's head comes byte by byte and never ends"
    ABORTED = "503 Transaction aborted"
    BUSY = "503 with Retry-After"
    SLOW_DOWN = "429 with Retry-After"
    BROKEN = "500 without a reason"
    GATEWAY = "502 with a web page"
    GATEWAY_LATE = "504 with a web page, after the server has done it"
    PORTAL = "200 with the sign-in page of a hotel's network"
    TORN_JSON = "200 whose JSON ends in the middle"
    NAMESPACE_RACE = "500 duplicate key of a namespace"
    SIGNED_OUT = "401"
    ANONYMOUS = "a dead login reads as nobody: no rows, no session"
    FULL = "507"
    SWALLOWED = "204 for a chunk that the server never saw: a hole"
    VANISHED = "somebody deletes the upload job just before a chunk of it arrives"
    WRONG_CLOCK = "503 whose Date is years ago and whose Retry-After is a date of that clock"


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


def refusal(fault: Fault, asked: Asked) -> Answer:
    """What is answered in the server's place."""
    wait = str(fault.retry_after_s)
    match fault.kind:
        case Kind.ABORTED:
            return text(503, "The service is temporarily unavailable. Detail: Transaction aborted.")
        case Kind.BUSY:
            return text(503, "The service is temporarily unavailable.", Retry_After=wait)
        case Kind.SLOW_DOWN:
            return text(429, "Too many requests.", Retry_After=wait)
        case Kind.BROKEN:
            return text(500, "Internal server error.")
        case Kind.WRONG_CLOCK:
            # One second later by the server's clock, which is years behind ours.
            return text(503, "Busy.", Date=YESTERDAY, Retry_After=YESTERDAY.replace(":00 ", ":01 "))
        case Kind.GATEWAY:
            sentence = "The proxy received an invalid response from an upstream server."
            return page(502, "502 Bad Gateway", sentence)
        case Kind.PORTAL:
            return page(200, "Welcome to our network", "Please accept the terms to go on.")
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
