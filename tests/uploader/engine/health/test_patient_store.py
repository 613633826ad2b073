"""A patient store: repeats what is safe, and looks before it repeats the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from health_stage import StillClock, health_on
from loopback_server import Answer, Asked, LoopbackServer, text
from port_fakes import MemoryStore

from uploader.bootstrap import Settings, connect
from uploader.engine.health.host import HostHealth
from uploader.engine.health.patient_store import PatientStore
from uploader.model.errors import (
    ChecksumMismatch,
    NotSignedIn,
    QuotaFull,
    Throttled,
    Unreachable,
    UploaderError,
)
from uploader.model.files import Stored

BODY = b"bytes"
MD5 = hashlib.md5(BODY).digest()
NAME = "/hatrac/a"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def health(clock: StillClock) -> HostHealth:
    return health_on(clock, patience_s=0.0)


@pytest.fixture
def patient(store: MemoryStore, health: HostHealth) -> PatientStore:
    return PatientStore(store, health)


def lost() -> Unreachable:
    error = Unreachable("the reply is lost")
    error.in_doubt = True
    return error


def failing(store: MemoryStore, at: str, error: Callable[[], Exception], times: int = 1) -> None:
    left = [times]

    def trouble(name: str) -> None:
        if name == at and left[0]:
            left[0] -= 1
            raise error()

    store.trouble = trouble


def put(patient: PatientStore, *, only_new: bool = False) -> Stored:
    return patient.put(NAME, BODY, md5=MD5, content_type="text/plain", filename="a", only_new=only_new)


def test_a_lost_reply_makes_no_second_version(store: MemoryStore, patient: PatientStore) -> None:
    failing(store, "put done", lost)
    assert put(patient).url == f"{NAME}:1"
    assert len(store.objects[NAME]) == 1


def test_a_request_that_never_arrived_is_repeated(store: MemoryStore, patient: PatientStore) -> None:
    failing(store, "put", lost, times=2)
    put(patient)
    assert store.calls.count("put") == 3


def test_a_job_opened_without_our_knowing_is_cancelled(store: MemoryStore, patient: PatientStore) -> None:
    failing(store, "open_job done", lost)
    job = patient.open_job(NAME, size_bytes=5, chunk_bytes=5, content_type="text/plain", filename="a")
    assert list(store.open_jobs) == [job]


@pytest.mark.parametrize("error", [NotSignedIn("no login"), QuotaFull("full")])
def test_without_patience_what_only_a_person_can_mend_is_not_waited_for(
    store: MemoryStore, patient: PatientStore, health: HostHealth, error: UploaderError
) -> None:
    failing(store, "put", lambda: error, times=9)
    with pytest.raises(type(error)):
        put(patient)
    assert store.calls.count("put") == 1
    assert health.given_up is not None


def test_with_patience_a_full_disk_is_waited_for(store: MemoryStore, clock: StillClock) -> None:
    failing(store, "put", lambda: QuotaFull("full"), times=9)
    put(PatientStore(store, health_on(clock)))
    assert clock.now_s - 1000.0 >= 9 * 30.0


def test_a_server_that_asks_for_time_gets_it(
    store: MemoryStore, patient: PatientStore, clock: StillClock
) -> None:
    failing(store, "put", lambda: Throttled("busy", wait_s=30.0), times=2)
    put(patient)
    assert clock.now_s >= 1060.0


def test_patience_ends(store: MemoryStore, patient: PatientStore) -> None:
    failing(store, "put", lost, times=99)
    with pytest.raises(Unreachable):
        put(patient)
    assert store.calls.count("put") == 3


def test_asking_again_to_publish_other_bytes_helps_nothing(store: MemoryStore, patient: PatientStore) -> None:
    job = patient.open_job(
        NAME, size_bytes=5, chunk_bytes=5, content_type="text/plain", filename="a", md5=MD5
    )
    patient.put_chunk(job, 0, b"other", hashlib.md5(b"other").digest())
    with pytest.raises(ChecksumMismatch):
        patient.finalise(job)
    assert store.calls.count("finalise") == 1


def test_a_stream_that_breaks_goes_on_where_it_was(patient: PatientStore, store: MemoryStore) -> None:
    pieces = [b"first ", b"second ", b"third"]
    breaks = [1, 2]

    def read(url: str) -> Iterator[bytes]:
        for place, piece in enumerate(pieces):
            if breaks and place == breaks[0]:
                breaks.pop(0)
                raise Unreachable("the line broke")
            yield piece

    store.read = read  # type: ignore[method-assign]
    assert b"".join(patient.read("/hatrac/a:1")) == b"first second third"


def test_bytes_spoiled_on_the_way_are_sent_again(store: MemoryStore, patient: PatientStore) -> None:
    job = patient.open_job(NAME, size_bytes=5, chunk_bytes=5, content_type="text/plain", filename="a")
    failing(store, "put_chunk 0", lambda: ChecksumMismatch("changed"), times=2)
    patient.put_chunk(job, 0, BODY, MD5)
    assert store.calls.count("put_chunk 0") == 3


def test_nothing_below_the_store_repeats_as_well(
    health: HostHealth, clock: StillClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead gateway hears three requests before it counts as away, not three times as many as a loop below makes."""
    monkeypatch.setenv("NANOFERRY_TOKEN", "secret")
    asked: list[str] = []

    def answer(request: Asked) -> Answer:
        if request.target == "/authn/session":
            return text(200, '{"client": {"id": "me"}}', Content_Type="application/json")
        asked.append(request.target)
        return text(502, "bad gateway")

    server = LoopbackServer(answer)
    try:
        settings = Settings(server.url, "1", tmp_path, tmp_path / "catalog")
        with connect(settings, clock) as remote, pytest.raises(Unreachable):
            PatientStore(remote.store, health).ensure_namespaces(["/hatrac/lab/session"])
    finally:
        server.close()
    assert asked == ["/hatrac/lab/session"] * 3
