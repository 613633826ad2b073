"""Upload jobs: open, list, look, receive chunks in any order, finish, cancel."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from uploader.embedded.hatrac import changes, fields, names, queries
from uploader.embedded.hatrac.bodies import FileSink, read_small, receive_into, too_large
from uploader.embedded.hatrac.exchange import Exchange
from uploader.embedded.hatrac.folder import copy_into, new_id, sync_folder
from uploader.embedded.hatrac.records import Job
from uploader.embedded.hatrac.refusal import bad_request, conflict, method_not_allowed, not_found
from uploader.embedded.hatrac.rights import Rights, forbidden
from uploader.embedded.hatrac.space import full_disk_is_507
from uploader.embedded.hatrac.store import MAX_BODY_BYTES, HatracStore

JOB_DOCUMENT_BYTES = 1 << 16
MISSING_SHOWN = 10
NUMBER_DIGITS = 18
LARGEST_BYTES = 1 << 50
"""More than any disk holds, less than the index can count."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is going on right now; a restarted server begins without any."""

    arriving: Counter[tuple[str, int]] = field(default_factory=Counter)
    """(job, chunk number) -> bodies being received."""
    finishing: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Jobs:
    """Answers requests about upload jobs."""

    store: HatracStore
    rights: Rights
    traffic: Traffic = field(default_factory=Traffic)

    async def handle(self, exchange: Exchange) -> None:
        """Answer by method and depth of the URL."""
        match exchange.method, exchange.target.detail:
            case "POST", ():
                await self._open(exchange)
            case (("GET" | "HEAD"), ()):
                await self._list(exchange)
            case (("GET" | "HEAD"), (job_id,)):
                await exchange.json(document(self._own_job(exchange, job_id)))
            case "PUT", (job_id, number):
                await self._receive_chunk(exchange, job_id, number)
            case "POST", (job_id,):
                await self._finish(exchange, job_id)
            case "DELETE", (job_id,):
                await self._cancel(exchange, job_id)
            case _:
                raise method_not_allowed()

    async def _open(self, exchange: Exchange) -> None:
        name, parents, store = exchange.target.name, exchange.make_parents, self.store
        owner = self.rights.must_write(exchange.client, names.url(names.parent(name)))
        if exchange.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise bad_request("Only application/json input is accepted for upload jobs.")
        job_id = new_id()
        given = await read_small(exchange.receive, JOB_DOCUMENT_BYTES)
        job = _parse(given, name, owner.id, job_id, store.folder.place(job_id))
        store.read(lambda index: changes.check_object_name(index, name, make_parents=parents))
        store.space.reserve(job.size_bytes)
        path = store.folder.path(job.file)
        try:
            await store.in_worker(lambda: _make_empty(path))
            await store.change(lambda index: changes.add_job(index, job, make_parents=parents))
        except Exception:
            store.space.release(job.size_bytes)
            path.unlink(missing_ok=True)
            raise
        await exchange.created(job_url(job))

    async def _list(self, exchange: Exchange) -> None:
        name = exchange.target.name
        self.rights.may_read(exchange.client, exchange.target.url)
        node = self.store.read(lambda index: queries.node(index, name))
        if node is None or node.is_deleted:
            raise not_found(exchange.target.url)
        await exchange.json(
            [job_url(job) for job in self.store.read(lambda index: queries.jobs(index, name))]
        )

    async def _receive_chunk(self, exchange: Exchange, job_id: str, number: str) -> None:
        store, job = self.store, self._own_job(exchange, job_id)
        index_of = _chunk_number(number, job)
        length = exchange.content_length()
        if length > MAX_BODY_BYTES:
            raise too_large(MAX_BODY_BYTES)
        if length != job.chunk_size(index_of):
            raise conflict(
                f"Uploaded chunk byte count {length} does not match job chunk size {job.chunk_size(index_of)}."
            )
        given_md5 = exchange.headers.get("content-md5")
        md5 = None if given_md5 is None else fields.digest("content-md5", given_md5)
        with self._arriving(job, index_of) as is_first:
            # Bytes that count already are never written over: a repeat goes to a file of its own.
            is_repeat = not is_first or store.read(lambda index: queries.has_chunk(index, job_id, index_of))
            side = store.folder.side() if is_repeat else None
            if side is None:
                sink = FileSink(
                    store.folder.path(job.file),
                    offset=index_of * job.chunk_bytes,
                    expected_md5=md5,
                    is_flushed=not _declares_md5(job),
                )
            else:
                path = store.folder.path(side)
                sink = FileSink(store.folder.incoming(), expected_md5=md5, becomes=path)
            try:
                with full_disk_is_507():
                    await receive_into(sink, exchange.receive, length, store.workers)
                await store.change(lambda index: changes.add_chunk(index, job, index_of, side))
                if side is None and _declares_md5(job):
                    store.following.arrived(
                        job,
                        store.folder.path(job.file),
                        index_of,
                        lambda: store.read(lambda index: queries.chunk_numbers(index, job_id)),
                    )
            except FileNotFoundError as error:
                raise not_found(job_url(job)) from error  # cancelled while this chunk was on its way
            except Exception:
                if side is not None:
                    store.folder.remove([side])
                raise
        await exchange.no_content()

    async def _finish(self, exchange: Exchange, job_id: str) -> None:
        store, job = self.store, self._own_job(exchange, job_id)
        await read_small(exchange.receive, JOB_DOCUMENT_BYTES)
        if job_id in self.traffic.finishing:
            raise conflict(f"Upload job {job_url(job)} is being finished by another request.")
        if any(
            number for (busy, number), bodies in self.traffic.arriving.items() if busy == job_id and bodies
        ):
            raise conflict(f"Upload job {job_url(job)} is still receiving chunks.")
        self.traffic.finishing.add(job_id)
        try:
            present = store.read(lambda index: queries.chunk_numbers(index, job_id))
            _refuse_holes(job, present)
            await self._settle(job)
            await self._check_md5(job)
            version = await store.change(lambda index: changes.finish_job(index, job))
        finally:
            self.traffic.finishing.discard(job_id)
        await exchange.created(f"{exchange.target.url}:{version.version}")

    async def _settle(self, job: Job) -> None:
        """Copy repeated chunks into the job's file; killed half-way, the next finish copies them again."""
        store = self.store
        sides = store.read(lambda index: queries.side_files(index, job.job))
        if not sides:
            return
        await store.in_worker(lambda: store.following.forget(job))
        target = store.folder.path(job.file)
        for number, side in sides:
            source, offset = store.folder.path(side), number * job.chunk_bytes
            await store.in_worker(lambda source=source, offset=offset: copy_into(source, target, offset))  # type: ignore[misc]
        await store.change(lambda index: changes.settle_chunks(index, job))
        await store.remove_garbage()

    async def _check_md5(self, job: Job) -> None:
        if (declared := job.metadata.get("content-md5")) is None:
            return  # every chunk was flushed before it was acknowledged
        store = self.store
        received = await store.in_worker(lambda: store.following.settled(job, store.folder.path(job.file)))
        if received != base64.b64decode(declared):
            raise conflict(
                f"Current uploaded content MD5 {received.hex().encode()!r} does not match expected "
                f"{base64.b64decode(declared).hex().encode()!r}."
            )

    async def _cancel(self, exchange: Exchange, job_id: str) -> None:
        job = self._own_job(exchange, job_id)
        if job_id in self.traffic.finishing:
            raise conflict(f"Upload job {job_url(job)} is being finished by another request.")
        await self.store.change(lambda index: changes.drop_job(index, job))
        await self.store.in_worker(lambda: self.store.following.forget(job))
        self.store.space.release(job.size_bytes)
        await self.store.remove_garbage()
        await exchange.no_content()

    def _own_job(self, exchange: Exchange, job_id: str) -> Job:
        resource = f"{exchange.target.url};upload/{job_id}"
        client = self.rights.must_write(exchange.client, resource)
        job = self.store.read(lambda index: queries.job(index, exchange.target.name, job_id))
        if job is None:
            raise not_found(resource)
        if client.id != job.owner:
            raise forbidden(resource)
        return job

    @contextmanager
    def _arriving(self, job: Job, number: int) -> Iterator[bool]:
        """Note a body that is being received; gives True to the first one of its chunk."""
        if job.job in self.traffic.finishing:
            raise conflict(f"Upload job {job_url(job)} is being finished; it takes no more chunks.")
        key, arriving = (job.job, number), self.traffic.arriving
        arriving[key] += 1
        try:
            yield arriving[key] == 1
        finally:
            arriving[key] -= 1
            if not arriving[key]:
                del arriving[key]


def job_url(job: Job) -> str:
    """URL path of a job."""
    return f"{names.url(job.name)};upload/{job.job}"


def document(job: Job) -> dict[str, object]:
    """A job as clients see it; which chunks have come is, as on a real server, not told."""
    return {
        "url": job_url(job),
        "target": names.url(job.name),
        "owner": [job.owner],
        "chunk-length": job.chunk_bytes,
        "content-length": job.size_bytes,
        **job.metadata,
    }


def _parse(given: bytes, name: str, owner: str, job_id: str, file: str) -> Job:
    try:
        wanted = json.loads(given)
    except ValueError as error:
        raise bad_request(f"Request malformed. The upload job is not valid JSON: {error}.") from error
    if not isinstance(wanted, dict):
        raise bad_request("Request malformed. An upload job is a JSON object.")
    lengths = []
    for key, smallest in (("chunk-length", 1), ("content-length", 0)):
        if key not in wanted:
            raise bad_request(f"Missing required field '{key}'.")
        value = wanted[key]
        if not isinstance(value, int) or isinstance(value, bool) or not smallest <= value <= LARGEST_BYTES:
            raise bad_request(
                f"Field '{key}' must be an integer of at least {smallest}, at most {LARGEST_BYTES}."
            )
        lengths.append(value)
    texts = {key: value for key, value in wanted.items() if isinstance(value, str)}
    return Job(job_id, name, owner, lengths[0], lengths[1], file, fields.checked(texts))


def _chunk_number(number: str, job: Job) -> int:
    if not (number.isascii() and number.isdecimal()):
        raise bad_request(f"Invalid chunk number {number}.")
    if len(number) > NUMBER_DIGITS or int(number) >= job.chunk_count:
        raise conflict(f"Uploaded chunk number {number} out of range.")
    return int(number)


def _declares_md5(job: Job) -> bool:
    """Such a job is compared with its file before it is finished, so that its chunks need no flush of their own."""
    return "content-md5" in job.metadata


def _refuse_holes(job: Job, present: set[int]) -> None:
    count = job.chunk_count - len(present)
    if not count:
        return
    absent = (str(number) for number in range(job.chunk_count) if number not in present)
    missing = list(islice(absent, MISSING_SHOWN))
    more = f" and {count - MISSING_SHOWN} more" if count > MISSING_SHOWN else ""
    raise conflict(f"Upload job {job_url(job)} is incomplete: missing chunks {', '.join(missing)}{more}.")


def _make_empty(path: Path) -> None:
    path.touch(mode=0o600)
    sync_folder(path.parent)
