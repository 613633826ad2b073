"""A patient store: repeats what is safe, looks before it repeats the rest, and does not wait for a person."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from port_fakes import MemoryStore

from uploader.engine.retry import PatientStore
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


class StillClock:
    """Sleeping only moves the hands."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now(self) -> str:
        return "2026-03-01T12:00:00Z"

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def patient(store: MemoryStore) -> PatientStore:
    return PatientStore(store, StillClock())


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
    failing(store, "put", lost, times=3)
    put(patient)
    assert store.calls.count("put") == 4


def test_a_job_opened_without_our_knowing_is_cancelled(store: MemoryStore, patient: PatientStore) -> None:
    failing(store, "open_job done", lost)
    job = patient.open_job(NAME, size_bytes=5, chunk_bytes=5, content_type="text/plain", filename="a")
    assert list(store.open_jobs) == [job]


@pytest.mark.parametrize("error", [NotSignedIn("no login"), QuotaFull("full")])
def test_what_only_a_person_can_mend_is_not_waited_for(
    store: MemoryStore, patient: PatientStore, error: UploaderError
) -> None:
    failing(store, "put", lambda: error, times=9)
    with pytest.raises(type(error)):
        put(patient)
    assert store.calls.count("put") == 1


def test_a_server_that_asks_for_time_gets_it(store: MemoryStore, patient: PatientStore) -> None:
    failing(store, "put", lambda: Throttled("busy", wait_s=30.0), times=2)
    put(patient)
    assert patient.clock.monotonic() >= 60


def test_patience_ends(store: MemoryStore, patient: PatientStore) -> None:
    failing(store, "put", lost, times=99)
    with pytest.raises(Unreachable):
        put(patient)
    assert store.calls.count("put") <= 8


def test_asking_again_to_publish_other_bytes_helps_nothing(store: MemoryStore, patient: PatientStore) -> None:
    job = patient.open_job(
        NAME, size_bytes=5, chunk_bytes=5, content_type="text/plain", filename="a", md5=MD5
    )
    patient.put_chunk(job, 0, b"other", hashlib.md5(b"other").digest())
    with pytest.raises(ChecksumMismatch):
        patient.finalise(job)
    assert store.calls.count("finalise") == 1
