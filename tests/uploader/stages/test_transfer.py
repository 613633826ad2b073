"""One file into the store: in one piece, in parts, again after a crash, beside what is there already."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from port_fakes import MemoryStore

from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.errors import Cancelled, ChecksumMismatch, Conflict, SourceChanged, Unreachable
from uploader.model.files import Digest, Proof, SourceFile
from uploader.stages.hashes import NotedParts, PartHashes
from uploader.stages.room import Room
from uploader.stages.transfer import Sending, Sent, Wire, transfer

NAME = "/hatrac/lab/a.dat"
CHUNK = 1000


@dataclass
class Pier:
    """One file, one store, one journal."""

    path: Path
    journal: SqliteJournal
    threads: ThreadPoolExecutor
    store: MemoryStore = field(default_factory=MemoryStore)
    told: list[int] = field(default_factory=list)
    room: Room = field(default_factory=lambda: Room(4 * CHUNK))
    parts: NotedParts = field(default_factory=NotedParts)

    def write(self, body: bytes) -> None:
        self.path.write_bytes(body)

    def send(
        self, *, may_replace: bool = False, hashed: bool = False, stop: Callable[[], bool] = lambda: False
    ) -> Sent:
        """As a run would: the intent is journalled, then the bytes go."""
        state = self.path.stat()
        source = SourceFile("a.dat", state.st_size, state.st_mtime_ns)
        target = self.journal.target("memory", "1")
        known = self.journal.deliveries(target, "s:T", ["k"]).get("k")
        delivery = self.journal.intend(target, "s:T", "k", NAME, source, "a.dat")
        body = self.path.read_bytes()
        digest = Digest(hashlib.md5(body).hexdigest(), hashlib.sha256(body).hexdigest(), len(body))
        sending = Sending(
            self.path, source, "application/octet-stream", "a.dat", delivery,
            may_replace=may_replace, in_doubt=known is not None, digest=digest if hashed else None,
        )  # fmt: skip
        wire = Wire(
            self.store, self.journal, self.threads,
            room=self.room, parts=self.parts, small_bytes=CHUNK, chunk_bytes=CHUNK,
        )  # fmt: skip
        return transfer(sending, wire, progress=self.told.append, stop=stop)

    @property
    def versions(self) -> list[bytes]:
        return [body for _, body, _ in self.store.objects.get(NAME, [])]

    def fail(self, at: str, error: Exception, *, times: int = 1) -> None:
        """Fail the first calls of this name."""
        left = [times]

        def trouble(name: str) -> None:
            if name == at and left[0]:
                left[0] -= 1
                raise error

        self.store.trouble = trouble


@pytest.fixture
def pier(tmp_path: Path) -> Iterator[Pier]:
    journal = open_journal(tmp_path / "state")
    with ThreadPoolExecutor(4) as threads:
        pier = Pier(tmp_path / "a.dat", journal, threads)
        yield pier
        # Whatever happened, the memory is free for others.
        assert pier.room.free_bytes == 4 * CHUNK
    journal.close()


SMALL, LARGE = b"small", bytes(range(256)) * 20
assert len(LARGE) > 5 * CHUNK


def test_a_small_file_goes_in_one_request(pier: Pier) -> None:
    pier.write(SMALL)
    sent = pier.send()
    assert pier.store.calls == ["put", "put done"]
    assert pier.versions == [SMALL]
    assert (sent.sent_bytes, sent.stored.proof) == (len(SMALL), Proof.JOB_MD5)
    assert sent.digest.sha256 == hashlib.sha256(SMALL).hexdigest()
    assert pier.told == [len(SMALL)]


def test_an_empty_file_is_a_file(pier: Pier) -> None:
    pier.write(b"")
    pier.send()
    assert pier.versions == [b""]


@pytest.mark.parametrize("hashed", [False, True])
def test_a_large_file_goes_in_parts_and_gets_its_checksums(pier: Pier, *, hashed: bool) -> None:
    pier.write(LARGE)
    sent = pier.send(hashed=hashed)
    assert pier.versions == [LARGE]
    assert pier.store.objects[NAME][0][2]["md5"] == hashlib.md5(LARGE).hexdigest()
    assert sent.stored.proof is Proof.CHUNK_MD5
    assert pier.told[-1] == len(LARGE)
    assert pier.store.open_jobs == {}


def test_parts_that_were_acknowledged_are_not_sent_again(pier: Pier) -> None:
    pier.write(LARGE)
    pier.fail("put_chunk 4", Unreachable("the line broke"))
    with pytest.raises(Unreachable):
        pier.send()
    pier.store.calls.clear()
    sent = pier.send()
    again = [call for call in pier.store.calls if call.startswith("put_chunk") and "done" not in call]
    assert 1 <= len(again) <= 2
    assert "open_job" not in pier.store.calls
    assert sent.sent_bytes < len(LARGE)
    assert pier.versions == [LARGE]


def test_a_job_whose_opening_was_not_noted_is_cancelled(pier: Pier) -> None:
    pier.write(LARGE)
    pier.fail("open_job done", Unreachable("the reply is lost"))
    with pytest.raises(Unreachable):
        pier.send()
    assert len(pier.store.open_jobs) == 1
    pier.send()
    assert pier.store.open_jobs == {}
    assert pier.versions == [LARGE]


def test_a_lost_reply_to_the_last_step_is_looked_up(pier: Pier) -> None:
    pier.write(LARGE)
    pier.fail("finalise done", Unreachable("the reply is lost"))
    sent = pier.send()
    assert pier.versions == [LARGE]
    assert sent.stored.url.startswith(f"{NAME}:J")


def test_a_small_object_in_doubt_is_adopted(pier: Pier) -> None:
    pier.write(SMALL)
    pier.fail("put done", Unreachable("the reply is lost"))
    with pytest.raises(Unreachable):
        pier.send()
    sent = pier.send()
    assert (sent.sent_bytes, sent.stored.proof) == (0, Proof.ADOPTED)
    assert pier.versions == [SMALL]


@pytest.mark.parametrize("body", [SMALL, LARGE])
def test_an_object_of_these_bytes_is_adopted_and_of_others_a_conflict(pier: Pier, body: bytes) -> None:
    md5 = hashlib.md5(body)
    pier.store.objects[NAME] = [("V", body, {"md5": md5.hexdigest()})]
    pier.write(body)
    assert pier.send().sent_bytes == 0
    assert pier.versions == [body]
    pier.write(body[::-1] + b"!")
    with pytest.raises(Conflict):
        pier.send()
    assert pier.versions == [body]


@pytest.mark.parametrize("body", [SMALL, LARGE])
def test_changed_bytes_make_a_second_version(pier: Pier, body: bytes) -> None:
    pier.write(body)
    pier.send()
    pier.write(body + b" more")
    pier.send(may_replace=True)
    assert pier.versions == [body, body + b" more"]


def test_an_object_without_a_checksum_is_read_before_it_is_adopted(pier: Pier) -> None:
    """The server was still publishing when our repetition found neither the job nor the object."""
    pier.store.objects[NAME] = [("V", LARGE, {})]
    pier.write(LARGE)
    sent = pier.send()
    assert (sent.sent_bytes, sent.stored.proof) == (0, Proof.DOWNLOAD)
    assert pier.store.objects[NAME][0][2]["md5"] == hashlib.md5(LARGE).hexdigest()
    pier.store.objects[NAME] = [("V", LARGE[::-1], {})]
    os.utime(pier.path, (1, 1))
    with pytest.raises(Conflict):
        pier.send()


def test_a_job_that_somebody_cancelled_is_begun_anew(pier: Pier) -> None:
    pier.write(LARGE)
    pier.fail("put_chunk 3", Unreachable("the line broke"))
    with pytest.raises(Unreachable):
        pier.send()
    pier.store.open_jobs.clear()
    pier.send()
    assert pier.versions == [LARGE]


def test_a_job_of_which_parts_are_lost_is_begun_anew_once(pier: Pier) -> None:
    pier.write(LARGE)
    pier.fail("finalise", ChecksumMismatch("other bytes"))
    pier.send(hashed=True)
    assert pier.versions == [LARGE]
    assert pier.store.calls.count("open_job") == 2
    assert pier.store.open_jobs == {}


def test_a_store_that_never_agrees_is_believed_the_second_time(pier: Pier) -> None:
    pier.write(LARGE)
    pier.fail("finalise", ChecksumMismatch("other bytes"), times=9)
    with pytest.raises(ChecksumMismatch):
        pier.send(hashed=True)
    assert pier.store.open_jobs == {}
    assert pier.versions == []


def test_a_file_that_changes_on_its_way_gives_its_job_up(pier: Pier) -> None:
    pier.write(LARGE)
    # The third part is on its way when somebody writes.
    pier.store.trouble = lambda name: os.utime(pier.path, (1, 1)) if name == "put_chunk 3" else None
    with pytest.raises(SourceChanged):
        pier.send()
    assert pier.store.open_jobs == {}
    assert pier.versions == []


def test_bytes_that_changed_between_hashing_and_sending_are_never_published(pier: Pier) -> None:
    pier.write(LARGE)
    times = (pier.path.stat().st_atime_ns, pier.path.stat().st_mtime_ns)

    def overwrite(name: str) -> None:
        # Size and time stay as they were: only the declared hash can tell.
        if name == "open_job":
            pier.write(LARGE[::-1])
            os.utime(pier.path, ns=times)

    pier.store.trouble = overwrite
    with pytest.raises(SourceChanged, match="changed after it was hashed"):
        pier.send(hashed=True)
    assert pier.store.open_jobs == {}
    assert pier.versions == []

    pier.store.trouble = lambda name: None
    pier.send(hashed=True)
    assert pier.versions == [LARGE[::-1]]


class CheckingStore(MemoryStore):
    """Answers as a server does when a part is not what its MD5 says."""

    def put_chunk(self, job: str, index: int, body: bytes | memoryview, md5: bytes) -> None:
        if hashlib.md5(body).digest() != md5:
            raise ChecksumMismatch("the part is not what its MD5 says", status=400)
        super().put_chunk(job, index, body, md5)


def noted(pier: Pier, body: bytes, chunk_bytes: int) -> None:
    """Hash the parts as one does who hashes the whole ahead of the wire."""
    state, parts = pier.path.stat(), PartHashes(chunk_bytes)
    parts.update(memoryview(body))
    parts.end()
    pier.parts.note(SourceFile("a.dat", state.st_size, state.st_mtime_ns).identity, parts)


def test_parts_hashed_with_the_whole_are_sent_as_they_were_hashed(pier: Pier) -> None:
    pier.write(LARGE)
    noted(pier, LARGE, 2 * CHUNK)
    pier.send(hashed=True)
    assert pier.versions == [LARGE]
    assert sum(call.startswith("put_chunk") for call in pier.store.calls) == 2 * 3  # begun and done


def test_a_part_that_is_not_what_was_hashed_is_refused_by_the_store(pier: Pier) -> None:
    pier.write(LARGE)
    pier.store = CheckingStore()
    noted(pier, LARGE[::-1], CHUNK)
    # The digest of the whole agrees with the file, so the parts were wrong: once more, hashed anew.
    pier.send(hashed=True)
    assert pier.versions == [LARGE]
    assert pier.store.calls.count("open_job") == 2


def test_bytes_that_changed_under_an_equal_time_do_not_resume(pier: Pier) -> None:
    pier.write(LARGE)
    pier.fail("put_chunk 4", Unreachable("the line broke"))
    with pytest.raises(Unreachable):
        pier.send()
    times = (pier.path.stat().st_atime_ns, pier.path.stat().st_mtime_ns)
    pier.write(LARGE[::-1])
    os.utime(pier.path, ns=times)
    with pytest.raises(SourceChanged):
        pier.send()
    assert pier.store.open_jobs == {}
    pier.send()
    assert pier.versions == [LARGE[::-1]]


def test_a_stop_keeps_what_was_acknowledged(pier: Pier) -> None:
    pier.write(LARGE)
    with pytest.raises(Cancelled):
        pier.send(stop=lambda: bool(pier.told))
    assert len(pier.store.open_jobs) == 1
    pier.store.calls.clear()
    sent = pier.send()
    assert 0 < sent.sent_bytes < len(LARGE)
    assert pier.versions == [LARGE]


def test_room_is_given_in_order_of_arrival_and_a_stop_ends_the_wait() -> None:
    room = Room(10)
    with room.held(8, lambda: False):
        with pytest.raises(Cancelled), room.held(4, lambda: True):
            raise AssertionError("there is no room")
        with room.held(2, lambda: False):
            pass
    # More than there is at all waits for everything, not for ever.
    with room.held(99, lambda: False):
        pass
