"""An object store that tries again: repeats what is safe to repeat, and looks before it repeats the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from uploader.engine.health.host import HostHealth
from uploader.model.errors import ChecksumMismatch, RemoteError
from uploader.model.files import Stored
from uploader.model.ports import ObjectStore
from uploader.remote.retry import TRANSFER_RETRY, RetryPolicy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PatientStore:
    """An ObjectStore over another one, which repeats nothing itself.

    It stands outside whatever hands out slots for sending: a caller that waits holds none.
    """

    store: ObjectStore
    health: HostHealth
    policy: RetryPolicy = TRANSFER_RETRY

    def ensure_namespaces(self, names: Iterable[str]) -> None:
        """See ObjectStore."""
        wanted = list(names)
        self._trying(lambda: self.store.ensure_namespaces(wanted))

    def head(self, name: str) -> Stored | None:
        """See ObjectStore."""
        return self._trying(lambda: self.store.head(name), writes=False)

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
        """See ObjectStore; after a lost reply the name is looked at, so that no second version is made."""
        in_doubt = False

        def look_and_put() -> Stored:
            nonlocal in_doubt
            if in_doubt:
                found = self.store.head(name)
                if found is not None and found.md5 == md5.hex() and found.size_bytes == len(body):
                    return found
            try:
                return self.store.put(
                    name,
                    body,
                    md5=md5,
                    sha256=sha256,
                    content_type=content_type,
                    filename=filename,
                    only_new=only_new,
                )
            except RemoteError as error:
                in_doubt = in_doubt or error.in_doubt
                raise

        return self._trying(look_and_put)

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
        """See ObjectStore; after a lost reply the job that was opened without our knowing is cancelled."""
        in_doubt = False

        def clear_and_open() -> str:
            nonlocal in_doubt
            if in_doubt:
                for lost in self.store.jobs(name):
                    self.store.cancel_job(lost)
            try:
                return self.store.open_job(
                    name,
                    size_bytes=size_bytes,
                    chunk_bytes=chunk_bytes,
                    content_type=content_type,
                    filename=filename,
                    md5=md5,
                    sha256=sha256,
                )
            except RemoteError as error:
                in_doubt = in_doubt or error.in_doubt
                raise

        return self._trying(clear_and_open)

    def jobs(self, name: str) -> Sequence[str]:
        """See ObjectStore."""
        return self._trying(lambda: self.store.jobs(name), writes=False)

    def put_chunk(self, job: str, index: int, body: bytes | memoryview, md5: bytes) -> None:
        """See ObjectStore."""
        self._trying(lambda: self.store.put_chunk(job, index, body, md5))

    def finalise(self, job: str) -> Stored:
        """See ObjectStore; NotFound after a repeat may mean that the first call got through."""

        def once() -> Stored | ChecksumMismatch:
            try:
                return self.store.finalise(job)
            except ChecksumMismatch as mismatch:
                # Asking again helps nothing: parts have to be sent again.
                return mismatch

        found = self._trying(once)
        if isinstance(found, ChecksumMismatch):
            raise found
        return found

    def cancel_job(self, job: str) -> None:
        """See ObjectStore."""
        self._trying(lambda: self.store.cancel_job(job))

    def set_checksums(self, url: str, *, md5: bytes, sha256: bytes | None) -> None:
        """See ObjectStore."""
        self._trying(lambda: self.store.set_checksums(url, md5=md5, sha256=sha256))

    def read(self, url: str) -> Iterator[bytes]:
        """See ObjectStore; a stream that breaks is opened again and goes on where it was: versions never change."""
        given_bytes = 0
        stream: Iterator[bytes] | None = None

        def next_piece() -> bytes:
            nonlocal stream
            if stream is None:
                stream = _without_first(self.store.read(url), given_bytes)
            try:
                return next(stream, b"")
            except RemoteError:
                stream = None
                raise

        while piece := self._trying(next_piece, writes=False):
            given_bytes += len(piece)
            yield piece

    def _trying(self, call: Callable[[], T], *, writes: bool = True) -> T:
        return self.health.call(call, self.policy, writes=writes)


def _without_first(pieces: Iterator[bytes], skipped_bytes: int) -> Iterator[bytes]:
    for piece in pieces:
        if len(piece) > skipped_bytes:
            yield piece[skipped_bytes:]
        skipped_bytes = max(0, skipped_bytes - len(piece))
