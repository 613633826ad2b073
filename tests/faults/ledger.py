"""Counts the bytes of objects that came over the line, and which of them were on their way when something broke."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from loopback_server import Asked

NAMESPACE = "application/x-hatrac-namespace"


@dataclass
class Body:
    """One PUT of an object or of a chunk."""

    name: str
    """Object name; with `#number` for a chunk."""
    job: str
    """Path of the upload job; empty for a whole object."""
    size_bytes: int
    received_bytes: int = 0
    status: int = 0
    """What the sender was told; 0: nothing yet, or nothing at all."""
    is_over: bool = False
    """Answered or cut off."""


@dataclass
class Ledger:
    """Every body that was begun, in order; thread-safe."""

    bodies: list[Body] = field(default_factory=list)
    caught: dict[int, Body] = field(default_factory=dict)
    """Bodies that a fault hit, or that were on their way when it came; by identity."""
    lost_jobs: set[str] = field(default_factory=set)
    """Jobs whose parts a fault destroyed at the server: they have to come once more."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def begin(self, asked: Asked, size_bytes: int) -> Body | None:
        """Note the body of a request; None for one that carries no bytes of objects."""
        if asked.method != "PUT" or not asked.path.startswith("/hatrac/") or not size_bytes:
            return None
        name, _, rest = unquote(asked.path).partition(";")
        if rest.startswith("metadata/") or asked.headers.get("content-type") == NAMESPACE:
            return None
        job, _, index = asked.path.rpartition("/") if rest else ("", "", "")
        body = Body(f"{name}#{index}" if rest else name, job, size_bytes)
        with self._lock:
            self.bodies.append(body)
        return body

    def hit(self, body: Body | None, *, job_is_lost: bool = False) -> None:
        """A fault of the plan befell this body."""
        if body is not None:
            with self._lock:
                self.caught[id(body)] = body
                if job_is_lost:
                    self.lost_jobs.add(body.job)

    def interrupted(self, at_once: int) -> None:
        """Everything stops now: what is on its way is caught, and what was answered so lately that the sender may
        not have noted it, `at_once` bodies at most in all."""
        with self._lock:
            under_way = [body for body in self.bodies if not body.is_over]
            answered = [body for body in self.bodies if body.is_over and body.status]
            latest = answered[-max(0, at_once - len(under_way)) :] if at_once > len(under_way) else []
            self.caught.update({id(body): body for body in (*under_way, *latest)})

    def forget_since(self, number: int) -> None:
        """What was begun after the first `number` bodies is no longer known to the sender (power loss)."""
        with self._lock:
            self.caught.update({id(body): body for body in self.bodies[number:]})

    def forget(self) -> None:
        """Drop what is over."""
        with self._lock:
            self.bodies = [body for body in self.bodies if not body.is_over]
            self.caught.clear()

    @property
    def received_bytes(self) -> int:
        with self._lock:
            return sum(body.received_bytes for body in self.bodies)

    @property
    def in_flight_bytes(self) -> int:
        """What the faults caught on its way or destroyed."""
        with self._lock:
            lost = {id(body): body for body in self.bodies if body.job and body.job in self.lost_jobs}
            return _size_bytes((self.caught | lost).values())

    def under_way(self) -> int:
        """Bodies begun and not over."""
        with self._lock:
            return sum(not body.is_over for body in self.bodies)


def _size_bytes(bodies: Iterable[Body]) -> int:
    return sum(body.received_bytes for body in bodies)
