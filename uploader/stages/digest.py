"""Reads a file once, hashes it on the way, and notices when it changes meanwhile."""

from __future__ import annotations

import hashlib
import io
import os
import queue
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

Progress: TypeAlias = Callable[[int], None]
"""Called with the bytes read so far."""
Stop: TypeAlias = Callable[[], bool]

READ_BYTES = 1024 * 1024
"""Bytes per read: larger ones gain nothing against the time that two hashes take (measured)."""

_SHARED_FROM_BYTES = 32 * 1024 * 1024
"""Below this, files are hashed side by side, and more threads for one of them would gain nothing."""

_PIECES_BEHIND = 1


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
) -> Digest:
    """MD5 and SHA-256 of the whole file in one pass.

    Raises SourceChanged, SourceVanished or SourceUnreadable, and Cancelled once `stop` says so.
    """
    buffers, piece_bytes = Buffers(), min(READ_BYTES, max(source.size_bytes, 1))
    with _steady(path, source, open_file) as stream, _running(source) as running:
        while running.size_bytes < source.size_bytes:
            _refuse_stopped(stop, source)
            left_bytes = source.size_bytes - running.size_bytes
            piece = _filled(stream, buffers.free(piece_bytes)[:left_bytes], source)
            running.update(piece)
            del piece
            if progress is not None:
                progress(running.size_bytes)
    return running.digest()


def read_whole(
    path: Path, *, source: SourceFile, open_file: OpensFiles = open_source
) -> tuple[bytes | memoryview, Digest]:
    """The bytes of a small file and their digest; raises like `digest_file`."""
    with _steady(path, source, open_file) as stream, _running(source) as running:
        body = _filled(stream, memoryview(bytearray(source.size_bytes)), source)
        running.update(body)
    return body, running.digest()


@dataclass(frozen=True, slots=True)
class Chunk:
    """One numbered part of a file."""

    index: int
    body: memoryview
    """Belongs to the receiver while any reference to it (or to a slice of it) lives; then it is filled anew."""
    acknowledged: bool
    """The server has it already, and the file still holds the same bytes: nothing to send."""

    def md5(self) -> bytes:
        """Hash of the part; for the thread that sends it, so that parts are hashed side by side."""
        return hashlib.md5(self.body, usedforsecurity=False).digest()


class ChunkReader:
    """Iterates a file once in chunks, hashing each and the whole.

    Raises like `digest_file`, and ChunkDiffers when an acknowledged chunk is no longer what the file holds. The
    memory is that of the chunks the receiver still holds and of one more.
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
    ) -> None:
        """Where the hashes are `known`, one is computed again, to be sure that these are still the bytes.

        Not so when whoever gets the chunks checks the whole against the known hashes before it counts.
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
        source, buffers = self._source, self._buffers
        starts = range(0, source.size_bytes, self._chunk_bytes)
        with (
            _steady(Path(self.path), source, self._open_file) as stream,
            _running(source, self._kept()) as running,
        ):
            for index, start in enumerate(starts):
                _refuse_stopped(self._stop, source)
                size_bytes = min(source.size_bytes - start, self._chunk_bytes)
                body = _filled(stream, buffers.free(self._chunk_bytes)[:size_bytes], source)
                running.update(body)
                yield self._chunk(index, body)
                # Let go of it before the next buffer is looked for.
                del body
        known, is_compared = self._known, not self._is_checked_elsewhere
        if known is not None and is_compared and known.sha256 != running.hex("sha256"):
            raise _changed(source)
        self._digest = known or running.digest()

    def _kept(self) -> Sequence[str]:
        if self._known is None:
            return ("md5", "sha256")
        return () if self._is_checked_elsewhere else ("sha256",)

    def _chunk(self, index: int, body: memoryview) -> Chunk:
        acknowledged = self._acknowledged.get(index)
        chunk = Chunk(index, body, acknowledged=acknowledged is not None)
        if acknowledged is not None and acknowledged != chunk.md5().hex():
            raise ChunkDiffers(
                f"{self._source.path} no longer holds the bytes of part {index} that the server has.",
                index=index,
                detail="The parts sent so far belong to other bytes and are given up.",
                remedy="The file is sent anew by the next run, once nothing writes to it.",
                path=self._source.path,
            )
        return chunk


class _Running:
    """Hashes of the bytes so far, computed at once."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.size_bytes = 0
        self._hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}

    def update(self, piece: memoryview) -> None:
        """Take in the next bytes."""
        self.size_bytes += len(piece)
        for each in self._hashes.values():
            each.update(piece)

    def hex(self, kind: str) -> str:
        """One hash of everything taken in."""
        return self._hashes[kind].hexdigest()

    def digest(self) -> Digest:
        """Both hashes of everything taken in."""
        return Digest(self.hex("md5"), self.hex("sha256"), self.size_bytes)

    def close(self) -> None:
        """Nothing to end."""


class _RunningBeside(_Running):
    """The same in a thread for each hash, so that the next bytes are read while these are hashed."""

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__(kinds)
        self._lines = {kind: _HashLine(each.update) for kind, each in self._hashes.items()}

    def update(self, piece: memoryview) -> None:
        """Take in the next bytes, which must stay as they are until no one refers to them any more."""
        self.size_bytes += len(piece)
        for line in self._lines.values():
            line.pieces.put(piece)

    def hex(self, kind: str) -> str:
        """One hash of everything taken in; nothing can be taken in after that."""
        self._lines[kind].close()
        return super().hex(kind)

    def close(self) -> None:
        """End the threads."""
        for line in self._lines.values():
            line.close()


class _HashLine:
    """A thread that feeds one hash, a few pieces behind the reader at most."""

    def __init__(self, update: Callable[[memoryview], None]) -> None:
        self.pieces: queue.Queue[memoryview | None] = queue.Queue(_PIECES_BEHIND)
        self._update = update
        self._thread = threading.Thread(target=self._work, name="hash-line")
        self._thread.start()

    def close(self) -> None:
        """Hash what is left and end; a second call does nothing."""
        if self._thread.is_alive():
            self.pieces.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (piece := self.pieces.get()) is not None:
            self._update(piece)
            # Let go of it before waiting for the next: its memory is to be used again.
            del piece


@contextmanager
def _running(source: SourceFile, kinds: Sequence[str] = ("md5", "sha256")) -> Iterator[_Running]:
    """Empty hashes for a file; those of a large one are computed beside the reading."""
    is_shared = source.size_bytes >= _SHARED_FROM_BYTES and bool(kinds)
    running = _RunningBeside(kinds) if is_shared else _Running(kinds)
    try:
        yield running
    finally:
        running.close()


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
