"""The memory that chunks are read into: shared by all transfers, each piece used again when nobody refers to it."""

from __future__ import annotations

import threading


class Buffers:
    """Hands out buffers; how many there are at once is bounded by whoever asks (`Room`)."""

    def __init__(self) -> None:
        self._all: list[bytearray] = []
        self._lock = threading.Lock()

    def free(self, size_bytes: int) -> memoryview:
        """A buffer of this size that no one reads any more, or a new one; idle ones of other sizes are let go."""
        with self._lock:
            kept: list[bytearray] = []
            found: memoryview | None = None
            for buffer in self._all:
                is_idle = _is_idle(buffer)
                if is_idle and found is None and len(buffer) == size_bytes:
                    found = memoryview(buffer)
                elif is_idle and len(buffer) != size_bytes:
                    continue
                kept.append(buffer)
            if found is None:
                fresh = bytearray(size_bytes + 1)
                fresh.pop()  # leaves the room that the test for views needs
                kept.append(fresh)
                found = memoryview(fresh)
            self._all = kept
            return found


def _is_idle(buffer: bytearray) -> bool:
    """Whether no view of it lives: a bytearray refuses to change its length while one does, the one sure sign."""
    try:
        buffer.append(0)
    except BufferError:
        return False
    buffer.pop()
    return True
