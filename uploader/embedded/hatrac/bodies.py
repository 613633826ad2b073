"""Receive a request body into a file, in bounded memory, hashed on the way when the client gave an MD5."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Protocol

from starlette.types import Receive

from uploader.embedded.hatrac.folder import sync_folder
from uploader.embedded.hatrac.refusal import Refusal

BLOCK_BYTES = 1 << 20


class ClientGone(Exception):
    """The connection broke before the body was complete."""


class Sink(Protocol):
    """Takes the blocks of a body; called from one worker thread at a time."""

    def write(self, blocks: Sequence[bytes]) -> None:
        """Take more of the body."""

    def finish(self, blocks: Sequence[bytes]) -> None:
        """Take the rest; what comes of it lies with the sink."""

    def discard(self) -> None:
        """Let go of the file; what was received so far counts for nothing."""


class FileSink:
    """Writes at an offset of a file; `expected_md5` is checked in `finish`, before anything is kept."""

    def __init__(
        self,
        path: Path,
        *,
        offset: int = 0,
        expected_md5: bytes | None = None,
        becomes: Path | None = None,
        is_flushed: bool = True,
    ) -> None:
        """Without a flush the bytes survive the death of this process, not that of the machine."""
        self._path = path
        self._offset = offset
        self._expected_md5 = expected_md5
        self._becomes = becomes
        self._is_flushed = is_flushed
        self._md5 = None if expected_md5 is None else hashlib.md5(usedforsecurity=False)
        self._handle: int | None = None

    def write(self, blocks: Sequence[bytes]) -> None:
        """Take more of the body."""
        if self._handle is None:
            # Only a file of its own is made: the file of a job that was cancelled meanwhile must stay away.
            make = 0 if self._becomes is None else os.O_CREAT | os.O_EXCL
            self._handle = os.open(self._path, os.O_WRONLY | make | getattr(os, "O_BINARY", 0), 0o600)
            os.lseek(self._handle, self._offset, os.SEEK_SET)
        for block in blocks:
            if self._md5 is not None:
                self._md5.update(block)
            view = memoryview(block)
            while view:
                view = view[os.write(self._handle, view) :]

    def finish(self, blocks: Sequence[bytes]) -> None:
        """Take the rest and check it; put it on disk and move it to its place where asked."""
        self.write(blocks)
        if self._md5 is not None and self._md5.digest() != self._expected_md5:
            raise WrongMD5(self._md5.digest(), self._expected_md5 or b"")
        assert self._handle is not None  # noqa: S101 - write has just opened it
        if self._becomes is not None:
            # Moved before the flush: one journal commit of the file system then holds both, and flushing the folder
            # costs next to nothing. Nobody looks at the place before the index names it.
            self._path.replace(self._becomes)
        if self._is_flushed:
            os.fsync(self._handle)
        self._close()
        if self._becomes is not None:
            sync_folder(self._becomes.parent)

    def discard(self) -> None:
        """Close the file; a body that was to become a file of its own is removed."""
        self._close()
        if self._becomes is not None:
            self._path.unlink(missing_ok=True)
            self._becomes.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class WrongMD5(Refusal):
    """The body is not what its Content-MD5 says."""

    def __init__(self, received: bytes, expected: bytes) -> None:
        super().__init__(400, f"Received content MD5 {received!r} does not match expected {expected!r}.")


async def receive_into(sink: Sink, receive: Receive, length: int, workers: Executor) -> None:
    """Receive exactly `length` bytes; on return they are on disk, on any failure the sink is discarded.

    Blocks of 1 MiB are hashed and written by a worker while the next one arrives, so that the memory used does not
    depend on the body and the event loop never waits for a disk.
    """
    loop = asyncio.get_running_loop()
    writing: asyncio.Future[None] | None = None
    try:
        blocks: list[bytes] = []
        gathered = received = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            block = message.get("body", b"")
            more = message.get("more_body", False)
            if block:
                blocks.append(block)
                gathered += len(block)
                received += len(block)
            if gathered >= BLOCK_BYTES and more:
                if writing is not None:
                    await writing
                writing = loop.run_in_executor(workers, sink.write, blocks)
                blocks, gathered = [], 0
        if received != length:
            raise ClientGone
        if writing is not None:
            await writing
        writing = loop.run_in_executor(workers, sink.finish, blocks)
        await writing
    except BaseException:
        if writing is not None:
            # A worker may still be writing: only after it may the file be closed. Its own error is the one we have.
            await asyncio.gather(writing, return_exceptions=True)
        sink.discard()
        raise


async def read_small(receive: Receive, limit_bytes: int) -> bytes:
    """A small body whole; refused with 413 beyond the limit."""
    content = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        content += message.get("body", b"")
        more = message.get("more_body", False)
        if len(content) > limit_bytes:
            raise too_large(limit_bytes)
    return content


def too_large(limit_bytes: int) -> Refusal:
    """413, naming the limit."""
    return Refusal(
        413,
        "Request body size is larger than the current limit defined by the server, "
        f"which is {limit_bytes} bytes.",
    )
