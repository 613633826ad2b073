"""Reads a file once, hashes it on the way, and notices when it changes meanwhile."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from uploader.model.errors import (
    Cancelled,
    ChunkDiffers,
    SourceChanged,
    SourceUnreadable,
    SourceVanished,
)
from uploader.model.files import Digest, SourceFile
from uploader.model.ports import OpensFiles
from uploader.stages.buffers import Buffers
from uploader.stages.hashes import Done, PartHashes, Running, nobody_waits, running

Progress: TypeAlias = Callable[[int], None]
"""Called with the bytes read so far."""
Stop: TypeAlias = Callable[[], bool]

READ_BYTES = 1024 * 1024
"""Bytes per read: larger ones gain nothing against the time that two hashes take (measured)."""

_PIECES_BEHIND = 4
"""Reads that a hash may lag behind, so that the slowest one need not wait for a read."""


def open_source(path: Path) -> BinaryIO:
    """The file, unbuffered: every read here is large already."""
    return path.open("rb", buffering=0)


def digest_file(
    path: Path,
    *,
    source: SourceFile,
    progress: Progress | None = None,
    stop: Stop | None = None,
    open_file: OpensFiles = open_source,
    parts: PartHashes | None = None,
) -> Digest:
    """MD5 and SHA-256 of the whole file in one pass, and those of its parts if asked.

    Raises SourceChanged, SourceVanished or SourceUnreadable, and Cancelled once `stop` says so.
    """
    buffers, piece_bytes = Buffers(), min(READ_BYTES, max(source.size_bytes, 1))
    with (
        _steady(path, source, open_file) as stream,
        running(source.size_bytes, parts=parts, pieces_behind=_PIECES_BEHIND) as hashes,
    ):
        while hashes.size_bytes < source.size_bytes:
            _refuse_stopped(stop, source)
            left_bytes = source.size_bytes - hashes.size_bytes
            piece = _filled(stream, buffers.free(piece_bytes)[:left_bytes], source)
            hashes.update(piece)
            del piece
            if progress is not None:
                progress(hashes.size_bytes)
    return hashes.digest()


def read_whole(
    path: Path, *, source: SourceFile, open_file: OpensFiles = open_source
) -> tuple[bytes | memoryview, Digest]:
    """The bytes of a small file and their digest; raises like `digest_file`."""
    with _steady(path, source, open_file) as stream, running(source.size_bytes) as hashes:
        body = _filled(stream, memoryview(bytearray(source.size_bytes)), source)
        hashes.update(body)
    return body, hashes.digest()


@dataclass(frozen=True, slots=True)
class Chunk:
    """One numbered part of a file."""

    index: int
    body: memoryview
    """The receiver's until `done`; then it is filled anew."""
    acknowledged: bool
    """The server has it already, and the file still holds the same bytes: nothing to send."""
    known_md5: bytes | None
    left: Done

    def md5(self) -> bytes:
        """Hash of the part; for the thread that sends it, so that parts are hashed side by side."""
        return self.known_md5 or hashlib.md5(self.body, usedforsecurity=False).digest()

    def done(self) -> None:
        """The receiver has read it: call once, for every chunk."""
        self.body.release()
        self.left()


class _Readers:
    """Calls back once so many readers have let go of a piece of memory."""

    def __init__(self, count: int, leave: Done) -> None:
        self._count, self._leave = count, leave
        self._lock = threading.Lock()

    def left(self) -> None:
        """One of them has."""
        with self._lock:
            self._count -= 1
            is_last = not self._count
        if is_last:
            self._leave()


def _room_for_any() -> Done:
    return nobody_waits


class ChunkReader:
    """Iterates a file once in chunks, hashing each and the whole.

    Raises like `digest_file`, and ChunkDiffers when an acknowledged chunk is no longer what the file holds.
    `hold` waits until there is memory for a chunk and returns what is called once nobody reads it any more,
    neither the receiver nor a hash.
    """

    def __init__(
        self,
        path: Path,
        *,
        source: SourceFile,
        chunk_bytes: int,
        acknowledged: Mapping[int, str] | None = None,
        known: Digest | None = None,
        is_checked_elsewhere: bool = False,
        stop: Stop | None = None,
        open_file: OpensFiles = open_source,
        buffers: Buffers | None = None,
        parts: PartHashes | None = None,
        hold: Callable[[], Done] = _room_for_any,
    ) -> None:
        """Where the hashes are `known`, one is computed again, to be sure that these are still the bytes.

        Not so when whoever gets the chunks checks the whole against the known hashes before it counts. With `parts`
        the chunks bear the hashes that were computed with the known ones: who checks them checks the bytes too.
        """
        self.path = str(path)
        self._source = source
        self._chunk_bytes = chunk_bytes
        self._acknowledged = acknowledged or {}
        self._known = known
        self._is_checked_elsewhere = is_checked_elsewhere
        self._stop = stop
        self._open_file = open_file
        self._buffers = buffers or Buffers()
        self._parts = parts
        self._hold = hold
        self._digest: Digest | None = None

    @property
    def finished(self) -> bool:
        """Whether the whole file was read and had not changed."""
        return self._digest is not None

    @property
    def digest(self) -> Digest:
        """The hashes of the whole file, once it was read to its end."""
        if self._digest is None:
            raise RuntimeError("the file has not been read to its end")
        return self._digest

    def __iter__(self) -> Iterator[Chunk]:
        source = self._source
        with (
            _steady(Path(self.path), source, self._open_file) as stream,
            running(source.size_bytes, self._kept()) as hashes,
        ):
            for index in range(-(-source.size_bytes // self._chunk_bytes)):
                _refuse_stopped(self._stop, source)
                yield self._next(index, stream, hashes)
        known, is_compared = self._known, not self._is_checked_elsewhere
        if known is not None and is_compared and known.sha256 != hashes.hex("sha256"):
            raise _changed(source)
        self._digest = known or hashes.digest()

    def _next(self, index: int, stream: BinaryIO, hashes: Running) -> Chunk:
        size_bytes = min(self._source.size_bytes - index * self._chunk_bytes, self._chunk_bytes)
        leave = self._hold()
        readers = _Readers(1 + hashes.readers, leave)
        try:
            body = _filled(stream, self._buffers.free(self._chunk_bytes)[:size_bytes], self._source)
        except BaseException:
            leave()
            raise
        hashes.update(body, readers.left)
        chunk = self._chunk(index, body, readers.left)
        try:
            self._refuse_different(chunk)
        except BaseException:
            chunk.done()
            raise
        return chunk

    def _kept(self) -> Sequence[str]:
        if self._known is None:
            return ("md5", "sha256")
        return () if self._is_checked_elsewhere else ("sha256",)

    def _chunk(self, index: int, body: memoryview, left: Done) -> Chunk:
        known_md5 = self._parts.md5(index) if self._parts is not None else None
        return Chunk(index, body, acknowledged=index in self._acknowledged, known_md5=known_md5, left=left)

    def _refuse_different(self, chunk: Chunk) -> None:
        if chunk.acknowledged and self._acknowledged[chunk.index] != chunk.md5().hex():
            raise ChunkDiffers(
                f"{self._source.path} no longer holds the bytes of part {chunk.index} that the server has.",
                index=chunk.index,
                detail="The parts sent so far belong to other bytes and are given up.",
                remedy="The file is sent anew by the next run, once nothing writes to it.",
                path=self._source.path,
            )


@contextmanager
def _steady(path: Path, source: SourceFile, open_file: OpensFiles) -> Iterator[BinaryIO]:
    """The open file; raises when it is not, or after reading is no longer, the file that the scan saw."""
    with _translated(source):
        _refuse_changed(path, source)
        stream = open_file(path)
    try:
        yield stream
    finally:
        stream.close()
    with _translated(source):
        _refuse_changed(path, source)


def _refuse_changed(path: Path, source: SourceFile) -> None:
    # lstat: a link that took the file's place leads to other bytes, and a pipe would block the opening.
    state = path.lstat()
    same = (
        stat.S_ISREG(state.st_mode)
        and state.st_size == source.size_bytes
        and state.st_mtime_ns == source.mtime_ns
        and (not source.file_id.isdecimal() or int(source.file_id) == state.st_ino)
    )
    if not same:
        raise _changed(source)


def _filled(stream: BinaryIO, view: memoryview, source: SourceFile) -> memoryview:
    """The view, full of the next bytes of the stream."""
    reader = cast("io.RawIOBase", stream)
    done = 0
    with _translated(source):
        while done < len(view):
            count = reader.readinto(view[done : done + READ_BYTES])
            if not count:
                raise _changed(source)
            done += count
    return view


@contextmanager
def _translated(source: SourceFile) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceVanished(
            f"{source.path} is no longer there.",
            detail="Nothing of it was sent.",
            remedy="If it was moved, drop the folder it is in now.",
            path=source.path,
        ) from error
    except OSError as error:
        raise SourceUnreadable(
            f"{source.path} cannot be read: {error.strerror or os.strerror(error.errno or 0)}.",
            detail="What was sent of it before is kept and not counted as done.",
            remedy="Give this account the right to read it, or close the program that locks it, and run again.",
            path=source.path,
        ) from error


def _changed(source: SourceFile) -> SourceChanged:
    return SourceChanged(
        f"{source.path} changed since it was looked at.",
        detail="Nothing of it counts as sent.",
        remedy="It is taken by the next run, once nothing writes to it.",
        path=source.path,
    )


def _refuse_stopped(stop: Stop | None, source: SourceFile) -> None:
    if stop is not None and stop():
        raise Cancelled(
            f"Stopped while {source.path} was read.",
            detail="Everything acknowledged is kept.",
            remedy="Run again to go on.",
            path=source.path,
        )
