"""Hashes of the bytes of a file, taken in piece by piece: of the whole, and of each part it is sent in."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

from uploader.model.files import Digest

BESIDE_FROM_BYTES = 32 * 1024 * 1024
"""Below this, files are hashed side by side, and more threads for one of them would gain nothing."""

MOST_NOTED = 16
"""Files hashed ahead of the wire whose parts are remembered: 160 KB each at most."""

MD5_BYTES = 16

Done = Callable[[], None]


def nobody_waits() -> None:
    """What a reader calls when it is done with a piece for whose memory nobody waits."""


class PartHashes:
    """MD5 of each part of so many bytes; the last one may be shorter."""

    def __init__(self, chunk_bytes: int) -> None:
        self.chunk_bytes = chunk_bytes
        self._ended = bytearray()
        self._open = hashlib.md5(usedforsecurity=False)
        self._open_bytes = 0

    def update(self, piece: memoryview) -> None:
        """Take in the next bytes."""
        while piece:
            fits = piece[: self.chunk_bytes - self._open_bytes]
            self._open.update(fits)
            self._open_bytes += len(fits)
            piece = piece[len(fits) :]
            if self._open_bytes == self.chunk_bytes:
                self.end()

    def end(self) -> None:
        """End the part that is open, if one is."""
        if self._open_bytes:
            self._ended += self._open.digest()
            self._open, self._open_bytes = hashlib.md5(usedforsecurity=False), 0

    def __len__(self) -> int:
        return len(self._ended) // MD5_BYTES

    def md5(self, index: int) -> bytes:
        """Hash of one part."""
        return bytes(self._ended[index * MD5_BYTES : (index + 1) * MD5_BYTES])


class NotedParts:
    """Part hashes of files that were hashed ahead of the wire, until they are sent; the oldest are forgotten."""

    def __init__(self) -> None:
        self._parts: OrderedDict[Hashable, PartHashes] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, identity: Hashable, parts: PartHashes) -> None:
        """Keep them for whoever sends this file."""
        with self._lock:
            self._parts[identity] = parts
            if len(self._parts) > MOST_NOTED:
                self._parts.popitem(last=False)

    def take(self, identity: Hashable) -> PartHashes | None:
        """Those of this file; only once."""
        with self._lock:
            return self._parts.pop(identity, None)


class Running:
    """Hashes of the bytes so far, computed at once."""

    def __init__(self, kinds: Sequence[str], parts: PartHashes | None = None) -> None:
        self.size_bytes = 0
        self._hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
        self._updates: list[Callable[[memoryview], None]] = [each.update for each in self._hashes.values()]
        if parts is not None:
            self._updates.append(parts.update)
        self._parts = parts

    @property
    def readers(self) -> int:
        """How often `done` is called for each piece."""
        return len(self._updates)

    def update(self, piece: memoryview, done: Done = nobody_waits) -> None:
        """Take in the next bytes; each hash calls `done` when it has read them."""
        self.size_bytes += len(piece)
        for update in self._updates:
            update(piece)
            done()

    def hex(self, kind: str) -> str:
        """One hash of everything; nothing can be taken in after that."""
        self.close()
        return self._hashes[kind].hexdigest()

    def digest(self) -> Digest:
        """Both hashes of everything; nothing can be taken in after that."""
        found = Digest(self.hex("md5"), self.hex("sha256"), self.size_bytes)
        if self._parts is not None:
            self._parts.end()
        return found

    def close(self) -> None:
        """Nothing to end."""


class _RunningBeside(Running):
    """The same in a thread for each hash, so that the next bytes are read while these are hashed."""

    def __init__(self, kinds: Sequence[str], parts: PartHashes | None, *, pieces_behind: int) -> None:
        super().__init__(kinds, parts)
        self._lines = [_HashLine(update, pieces_behind) for update in self._updates]

    def update(self, piece: memoryview, done: Done = nobody_waits) -> None:
        """Take in the next bytes, which must stay as they are until each hash has called `done`."""
        self.size_bytes += len(piece)
        for line in self._lines:
            # A view each, so that each can let go of its own.
            line.pieces.put((piece[:], done))

    def close(self) -> None:
        """Hash what is left and end the threads."""
        for line in self._lines:
            line.pieces.put(None)
        for line in self._lines:
            line.join()
        self._lines = []


class _HashLine:
    """A thread that feeds one hash, a few pieces behind the reader at most."""

    def __init__(self, update: Callable[[memoryview], None], pieces_behind: int) -> None:
        self.pieces: queue.Queue[tuple[memoryview, Done] | None] = queue.Queue(pieces_behind)
        self._update = update
        self._thread = threading.Thread(target=self._work, name="hash-line")
        self._thread.start()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _work(self) -> None:
        while (item := self.pieces.get()) is not None:
            piece, done = item
            self._update(piece)
            # First the view, then the word that its memory may be filled again.
            piece.release()
            done()


@contextmanager
def running(
    size_bytes: int,
    kinds: Sequence[str] = ("md5", "sha256"),
    parts: PartHashes | None = None,
    *,
    pieces_behind: int = 1,
) -> Iterator[Running]:
    """Empty hashes for a file of this size; those of a large one are computed beside the reading."""
    is_beside = size_bytes >= BESIDE_FROM_BYTES and bool(kinds or parts)
    hashes = _RunningBeside(kinds, parts, pieces_behind=pieces_behind) if is_beside else Running(kinds, parts)
    try:
        yield hashes
    finally:
        hashes.close()
