"""An object store whose bodies go through the gate, and which tells the controller how each fared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from uploader.engine.pacing.controller import Controller
from uploader.engine.pacing.gate import Gate, never
from uploader.model.control import Lane
from uploader.model.errors import RemoteError, Retry, Throttled
from uploader.model.files import Stored
from uploader.model.ports import Clock, ObjectStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PacedStore:
    """An ObjectStore over another one: a slot for each request that carries a body, the others pass."""

    store: ObjectStore
    gate: Gate
    controller: Controller
    clock: Clock
    small_bytes: int
    """Bodies up to this size go in the lane of small files."""
    stop: Callable[[], bool] = never
    """Ends the wait for a slot (Cancelled); `Gate.stop` does so at once."""

    def ensure_namespaces(self, names: Iterable[str]) -> None:
        """See ObjectStore."""
        self.store.ensure_namespaces(names)

    def head(self, name: str) -> Stored | None:
        """See ObjectStore."""
        return self.store.head(name)

    def put(
        self,
        name: str,
        body: bytes | memoryview,
        *,
        md5: bytes,
        sha256: bytes | None = None,
        content_type: str,
        filename: str,
        only_new: bool,
    ) -> Stored:
        """See ObjectStore."""

        def send() -> Stored:
            return self.store.put(
                name,
                body,
                md5=md5,
                sha256=sha256,
                content_type=content_type,
                filename=filename,
                only_new=only_new,
            )

        return self._paced(Lane.SMALL if len(body) <= self.small_bytes else Lane.LARGE, len(body), send)

    def open_job(
        self,
        name: str,
        *,
        size_bytes: int,
        chunk_bytes: int,
        content_type: str,
        filename: str,
        md5: bytes | None = None,
        sha256: bytes | None = None,
    ) -> str:
        """See ObjectStore."""
        return self.store.open_job(
            name,
            size_bytes=size_bytes,
            chunk_bytes=chunk_bytes,
            content_type=content_type,
            filename=filename,
            md5=md5,
            sha256=sha256,
        )

    def jobs(self, name: str) -> Sequence[str]:
        """See ObjectStore."""
        return self.store.jobs(name)

    def put_chunk(self, job: str, index: int, body: bytes | memoryview, md5: bytes) -> None:
        """See ObjectStore."""
        self._paced(Lane.LARGE, len(body), lambda: self.store.put_chunk(job, index, body, md5))

    def finalise(self, job: str) -> Stored:
        """See ObjectStore."""
        return self.store.finalise(job)

    def cancel_job(self, job: str) -> None:
        """See ObjectStore."""
        self.store.cancel_job(job)

    def set_checksums(self, url: str, *, md5: bytes, sha256: bytes | None) -> None:
        """See ObjectStore."""
        self.store.set_checksums(url, md5=md5, sha256=sha256)

    def read(self, url: str) -> Iterator[bytes]:
        """See ObjectStore."""
        return self.store.read(url)

    def _paced(self, lane: Lane, size_bytes: int, send: Callable[[], T]) -> T:
        with self.gate.slot(lane, self.stop):
            began_s = self.clock.monotonic()
            try:
                sent = send()
            except RemoteError as error:
                # An answer that blames the request (exists already, not allowed) says nothing about the pace.
                if error.retry is Retry.LATER:
                    took_s = self.clock.monotonic() - began_s
                    self.controller.finished(
                        size_bytes, took_s, ok=False, throttled=isinstance(error, Throttled)
                    )
                raise
            self.controller.finished(size_bytes, self.clock.monotonic() - began_s, ok=True)
            return sent
