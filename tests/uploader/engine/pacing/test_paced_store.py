"""Which requests take a slot, in which lane, and what the controller is told of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from simulated_server import SimulatedClock

from uploader.engine.pacing.controller import Controller
from uploader.engine.pacing.gate import Gate
from uploader.engine.pacing.paced_store import PacedStore
from uploader.model.control import Lane
from uploader.model.errors import (
    BadReply,
    Cancelled,
    Conflict,
    NotSignedIn,
    RemoteError,
    Throttled,
    Unreachable,
)


class Told(Controller):
    """Keeps what it is told."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(clock)
        self.heard: list[tuple[int, float, bool, bool]] = []

    def finished(self, size_bytes: int, took_s: float, *, ok: bool, throttled: bool = False) -> None:
        self.heard.append((size_bytes, took_s, ok, throttled))


@dataclass
class Behind:
    """The store behind: every call takes two seconds and notes which slots are held meanwhile."""

    clock: SimulatedClock
    held: Callable[[], tuple[int, int]] = lambda: (0, 0)
    error: RemoteError | None = None
    calls: list[tuple[str, int, int]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Callable[..., str]:
        def call(*_: Any, **__: Any) -> str:
            self.calls.append((name, *self.held()))
            self.clock.sleep(2.0)
            if self.error:
                raise self.error
            return f"{name} done"

        return call


@dataclass
class Quay:
    clock: SimulatedClock
    behind: Behind
    told: Told
    gate: Gate
    store: PacedStore

    def put(self, size_bytes: int = 100) -> Any:
        return self.store.put(
            "/hatrac/a", bytes(size_bytes), md5=b"", content_type="", filename="", only_new=True
        )


@pytest.fixture
def quay() -> Quay:
    clock = SimulatedClock()
    behind, told = Behind(clock), Told(clock)
    gate = Gate(told)
    behind.held = lambda: (gate.under_way(Lane.SMALL), gate.under_way(Lane.LARGE))
    return Quay(clock, behind, told, gate, PacedStore(behind, gate, told, clock, 1000))  # type: ignore[arg-type]


def test_bodies_take_a_slot_in_their_lane_and_are_timed(quay: Quay) -> None:
    assert quay.put(1000) == "put done"
    quay.put(1001)
    quay.store.put_chunk("/hatrac/a;upload/1", 0, bytes(5000), b"")
    assert quay.behind.calls == [("put", 1, 0), ("put", 0, 1), ("put_chunk", 0, 1)]
    assert quay.told.heard == [(1000, 2.0, True, False), (1001, 2.0, True, False), (5000, 2.0, True, False)]
    assert quay.gate.in_flight == 0


def test_other_requests_pass(quay: Quay) -> None:
    store = quay.store
    quay.gate.close()
    store.ensure_namespaces(["/hatrac"])
    store.head("/hatrac/a")
    store.open_job("/hatrac/a", size_bytes=1, chunk_bytes=1, content_type="", filename="")
    store.jobs("/hatrac/a")
    store.finalise("/hatrac/a;upload/1")
    store.cancel_job("/hatrac/a;upload/1")
    store.set_checksums("/hatrac/a:1", md5=b"", sha256=None)
    store.read("/hatrac/a:1")
    assert [held for _, *held in quay.behind.calls] == [[0, 0]] * 8
    assert quay.told.heard == []


@pytest.mark.parametrize(
    ("error", "throttled"),
    [(Throttled("busy"), True), (Unreachable("gone"), False), (BadReply("torn"), False)],
)
def test_a_failure_that_passes_counts_against_the_pace(
    quay: Quay, error: RemoteError, throttled: bool
) -> None:
    quay.behind.error = error
    with pytest.raises(type(error)):
        quay.put()
    assert quay.told.heard == [(100, 2.0, False, throttled)]
    assert quay.gate.in_flight == 0


@pytest.mark.parametrize("error", [Conflict("is there"), NotSignedIn("who?")])
def test_an_answer_about_the_request_says_nothing_of_the_pace(quay: Quay, error: RemoteError) -> None:
    quay.behind.error = error
    with pytest.raises(type(error)):
        quay.put()
    assert quay.told.heard == []
    assert quay.gate.in_flight == 0


def test_a_stopped_gate_sends_nothing(quay: Quay) -> None:
    quay.gate.stop()
    with pytest.raises(Cancelled):
        quay.put()
    assert quay.behind.calls == []
