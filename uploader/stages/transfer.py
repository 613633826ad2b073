"""Brings the bytes of one file into the object store: once, proven, and resumable chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from uploader.model.control import Lane
from uploader.model.entries import Delivery, DeliveryState, Job
from uploader.model.errors import (
    Cancelled,
    ChecksumMismatch,
    Conflict,
    NotFound,
    RemoteError,
    SourceChanged,
)
from uploader.model.files import Digest, Proof, SourceFile, Stored
from uploader.model.ports import Journal, ObjectStore
from uploader.stages.adopting import adopted, finalise, made_meanwhile, proven
from uploader.stages.buffers import Buffers
from uploader.stages.digest import Chunk, ChunkReader, digest_file, read_whole
from uploader.stages.hashes import NotedParts, PartHashes
from uploader.stages.room import Room

SMALL_BYTES = 8 * 1024 * 1024
"""Files up to this size go in one request: the whole body is held once per file on its way."""

CHUNK_BYTES = 8 * 1024 * 1024
"""Size of a chunk: at 100 MB/s a lost one costs 80 ms; the server's limit is 128 MiB."""

CHUNKS_IN_FLIGHT = 3
"""Chunks of one file sent at the same time while one more is read."""

Progress: TypeAlias = Callable[[int], None]
Stop: TypeAlias = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Sending:
    """One object to be stored: what it is called and where its bytes lie."""

    path: Path
    source: SourceFile
    content_type: str
    filename: str
    delivery: Delivery
    may_replace: bool
    """A new version may be put over an existing one (changed bytes); otherwise other bytes are a conflict."""
    in_doubt: bool
    """An earlier run intended this delivery: the server may hold it, or a job of it, without our knowing."""
    digest: Digest | None = None
    """Known beforehand, from the cache or because the name needs it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The object is in the store."""

    stored: Stored
    digest: Digest
    sent_bytes: int
    """Bytes that went over the wire in this run; 0 for an adopted object."""


class ChunkSizes(Protocol):
    """Chooses how large the chunks of a file are, and how many are on their way at once."""

    def choose(self, size_bytes: int) -> int:
        """Bytes per chunk for a new job of a file of this size."""

    def chunks_in_flight(self, chunk_bytes: int) -> int:
        """Chunks of one file that may be hashed or sent at once; asked again for each chunk."""


@dataclass(frozen=True, slots=True)
class FixedChunks:
    """Always the same."""

    chunk_bytes: int = CHUNK_BYTES
    in_flight: int = CHUNKS_IN_FLIGHT

    def choose(self, size_bytes: int) -> int:
        """See ChunkSizes."""
        return self.chunk_bytes

    def chunks_in_flight(self, chunk_bytes: int) -> int:
        """See ChunkSizes."""
        return self.in_flight


@dataclass(frozen=True, slots=True)
class Wire:
    """What a transfer works with: the store, the journal, the threads that send chunks, and the memory for them."""

    store: ObjectStore
    journal: Journal
    chunk_threads: Executor
    room: Room = field(default_factory=Room)
    buffers: Buffers = field(default_factory=Buffers)
    parts: NotedParts = field(default_factory=NotedParts)
    small_bytes: int = SMALL_BYTES
    sizes: ChunkSizes = field(default_factory=FixedChunks)
    chunk_bytes: int = 0
    """Chunks of this size, whatever `sizes` would choose; 0: as it chooses."""

    def choose(self, size_bytes: int) -> int:
        """Bytes per chunk for a new job of a file of this size."""
        return self.chunk_bytes or self.sizes.choose(size_bytes)


def transfer(sending: Sending, wire: Wire, *, progress: Progress, stop: Stop) -> Sent:
    """Store the object unless the store has it already, and return what the server acknowledged.

    Raises Conflict when the name holds other bytes that are not ours to replace, SourceChanged when the file
    changes under the transfer, Cancelled when `stop` says so, and the RemoteError tree.
    """
    delivery = sending.delivery
    if delivery.state is DeliveryState.STORED and delivery.digest is not None:
        stored = Stored(
            delivery.object_name,
            delivery.object_url,
            sending.source.size_bytes,
            delivery.digest.md5,
            delivery.digest.sha256,
            delivery.proof,
        )
        return Sent(stored, delivery.digest, 0)
    if sending.source.size_bytes <= wire.small_bytes:
        with wire.room.held(sending.source.size_bytes, stop):
            return _send_whole(sending, wire, progress)
    try:
        return _send_chunks(sending, wire, progress, stop)
    except _JobUnusable:
        # Its parts are lost or are not what was sent: once more, in a job of its own.
        try:
            return _send_chunks(sending, wire, progress, stop)
        except _JobUnusable as again:
            raise again.cause from None


class _JobUnusable(Exception):
    """The server refuses to go on with a job; it has been given up on both sides."""

    def __init__(self, cause: RemoteError) -> None:
        super().__init__(cause.summary)
        self.cause = cause


def _send_whole(sending: Sending, wire: Wire, progress: Progress) -> Sent:
    body, digest = read_whole(sending.path, source=sending.source)
    if sending.digest is not None and sending.digest.md5 != digest.md5:
        raise _changed_since_hashed(sending.source, digest, wire)
    name = sending.delivery.object_name
    if sending.in_doubt:
        held = adopted(wire.store, wire.store.head(name), digest)
        if held is not None:
            return Sent(held, digest, 0)
    try:
        stored = wire.store.put(
            name,
            body,
            md5=bytes.fromhex(digest.md5),
            sha256=bytes.fromhex(digest.sha256),
            content_type=sending.content_type,
            filename=sending.filename,
            only_new=not sending.may_replace,
        )
    except Conflict:
        # 412: a version exists. It is ours if the bytes agree (a reply was lost), else somebody else's.
        held = adopted(wire.store, wire.store.head(name), digest)
        if held is None:
            raise
        return Sent(held, digest, 0)
    progress(digest.size_bytes)
    return Sent(proven(stored, digest, Proof.JOB_MD5), digest, digest.size_bytes)


def _refuse_changed(sending: Sending, wire: Wire, stop: Stop, cause: Exception) -> None:
    """Raises SourceChanged when the file no longer has the digest that the job was opened with."""
    if sending.digest is None:
        return
    now = digest_file(sending.path, source=sending.source, stop=stop)
    if now != sending.digest:
        raise _changed_since_hashed(sending.source, now, wire) from cause


def _changed_since_hashed(source: SourceFile, found: Digest, wire: Wire) -> SourceChanged:
    # Size and time may be what they were: the next look must not trust the old digest again.
    wire.journal.save_digests({source.identity: found})
    return SourceChanged(
        f"{source.path} changed after it was hashed.",
        detail="Nothing of it counts as sent.",
        remedy="It is taken by the next run.",
        path=source.path,
    )


def _send_chunks(sending: Sending, wire: Wire, progress: Progress, stop: Stop) -> Sent:
    name, source = sending.delivery.object_name, sending.source
    parts: PartHashes | None = None
    job = wire.journal.job(sending.delivery.delivery_id)
    if job is None:
        found = wire.store.head(name)
        if found is not None:
            digest = sending.digest or digest_file(sending.path, source=source, stop=stop)
            held = adopted(wire.store, found, digest)
            if held is not None:
                return Sent(held, digest, 0)
            if not sending.may_replace:
                raise _other_bytes(sending)
        if sending.in_doubt:
            # Opened by a run that died before it could journal the job (DESIGN 6.5).
            for orphan in wire.store.jobs(name):
                wire.store.cancel_job(orphan)
        # Hashed with the whole, ahead of the wire; none if an earlier run did that.
        parts = wire.parts.take(source.identity) if sending.digest is not None else None
        job = _open_job(sending, wire, parts)
        # The job says what the whole must be, and the server looks: nobody need hash it a second time here.
        is_checked_there = sending.digest is not None
    else:
        is_checked_there = False  # what an earlier run declared is not known
    chunk_bytes = job.chunk_bytes

    def hold() -> Callable[[], None]:
        wire.room.take(chunk_bytes, stop, Lane.LARGE)
        return lambda: wire.room.give_back(chunk_bytes, Lane.LARGE)

    reader = ChunkReader(
        sending.path,
        source=source,
        chunk_bytes=chunk_bytes,
        acknowledged=job.chunks,
        known=sending.digest,
        is_checked_elsewhere=is_checked_there,
        stop=stop,
        buffers=wire.buffers,
        parts=parts,
        hold=hold,
    )
    try:
        sent_bytes = _send_missing(reader, job, wire, progress, stop)
        digest = reader.digest
        other = None if sending.may_replace else made_meanwhile(wire.store, name, job)
        if other is None:
            stored = finalise(wire.store, name, job, digest)
    except SourceChanged:
        wire.store.cancel_job(job.path)
        wire.journal.close_job(job.job_id)
        raise
    except (NotFound, Conflict, ChecksumMismatch) as error:
        # Cancelled by somebody, parts missing, or other bytes than were declared: the server says so only now.
        wire.store.cancel_job(job.path)
        wire.journal.close_job(job.job_id)
        _refuse_changed(sending, wire, stop, error)
        raise _JobUnusable(error) from error
    if other is not None:
        return _instead(other, sending, job, wire, digest)
    wire.store.set_checksums(stored.url, md5=bytes.fromhex(digest.md5), sha256=bytes.fromhex(digest.sha256))
    wire.journal.close_job(job.job_id)
    return Sent(proven(stored, digest, Proof.CHUNK_MD5), digest, sent_bytes)


def _open_job(sending: Sending, wire: Wire, parts: PartHashes | None) -> Job:
    digest = sending.digest
    chunk_bytes = parts.chunk_bytes if parts is not None else wire.choose(sending.source.size_bytes)
    path = wire.store.open_job(
        sending.delivery.object_name,
        size_bytes=sending.source.size_bytes,
        chunk_bytes=chunk_bytes,
        content_type=sending.content_type,
        filename=sending.filename,
        md5=bytes.fromhex(digest.md5) if digest else None,
        sha256=bytes.fromhex(digest.sha256) if digest else None,
    )
    return wire.journal.open_job(
        sending.delivery.delivery_id,
        path,
        chunk_bytes=chunk_bytes,
        size_bytes=sending.source.size_bytes,
        source_identity=sending.source.identity,
    )


def _send_missing(reader: ChunkReader, job: Job, wire: Wire, progress: Progress, stop: Stop) -> int:
    """Send every chunk the server has not acknowledged, a few at a time; returns the bytes sent."""
    pending: dict[Future[None], int] = {}
    done_bytes = sent_bytes = 0

    def send(chunk: Chunk) -> None:
        try:
            md5 = chunk.md5()
            wire.store.put_chunk(job.path, chunk.index, chunk.body, md5)
        finally:
            chunk.done()
        wire.journal.chunk(job.job_id, chunk.index, md5.hex())

    def collect(*, until: int) -> None:
        nonlocal done_bytes, sent_bytes
        while len(pending) > until:
            finished, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                size = pending.pop(future)
                future.result()
                done_bytes += size
                sent_bytes += size
                progress(done_bytes)

    try:
        for chunk in reader:
            if stop():
                chunk.done()
                raise _stopped(reader)
            size_bytes = len(chunk.body)
            if chunk.acknowledged:
                chunk.done()
                done_bytes += size_bytes
                continue
            pending[wire.chunk_threads.submit(send, chunk)] = size_bytes
            collect(until=max(0, wire.sizes.chunks_in_flight(job.chunk_bytes) - 1))
        collect(until=0)
        if stop():
            raise _stopped(reader)
    except BaseException:
        # What is on its way is let finish, so that every acknowledgement reaches the journal.
        wait(pending)
        raise
    return sent_bytes


def _stopped(reader: ChunkReader) -> Cancelled:
    return Cancelled("Stopped.", detail="Acknowledged chunks are kept.", path=reader.path)


def _instead(found: Stored, sending: Sending, job: Job, wire: Wire, digest: Digest) -> Sent:
    """Take the object that is there in place of ours, when it holds the same bytes."""
    wire.store.cancel_job(job.path)
    wire.journal.close_job(job.job_id)
    held = adopted(wire.store, found, digest)
    if held is None:
        raise _other_bytes(sending)
    return Sent(held, digest, 0)


def _other_bytes(sending: Sending) -> Conflict:
    return Conflict(
        f"The store holds other bytes under {sending.delivery.object_name}.",
        detail="Nothing was published.",
        remedy="Compare the record with the file; rename the file or have the record corrected.",
        path=sending.source.path,
    )
