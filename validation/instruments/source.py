"""Bounded access to a file's bytes: every read names its place, is counted and stays inside the file."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from validation.errors import ValidationError

HEADER_BUDGET_BYTES = 64 << 20
"""More than any honest header needs; a header that asks for more is refused."""


class Malformed(ValidationError):
    """The bytes break their own format so that reading cannot go on; becomes an Issue at the boundary."""

    def __init__(self, message: str, *, offset_bytes: int | None = None, is_truncated: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.offset_bytes = offset_bytes
        self.is_truncated = is_truncated


class Readable(Protocol):
    """What a Source needs of a stream."""

    def seek(self, offset: int, /) -> int:
        """Go to the byte."""

    def read(self, size: int, /) -> bytes:
        """That many bytes, fewer only at the end."""


class Source:
    """A file, or bytes inside a file, that readers read from by offset."""

    def __init__(self, stream: Readable, size_bytes: int, path: Path | None = None) -> None:
        self._stream = stream
        self.size_bytes = size_bytes
        self.path = path
        """For decoders that open files themselves; None for embedded bytes."""
        self.bytes_read = 0
        self.budget_bytes = HEADER_BUDGET_BYTES

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; shorter at the end of the file, empty outside it.

        Raises Malformed when all reads together pass the budget.
        """
        if offset < 0 or size <= 0 or offset >= self.size_bytes:
            return b""
        size = min(size, self.size_bytes - offset)
        if self.bytes_read + size > self.budget_bytes:
            raise Malformed(
                f"the header asks for more than {self.budget_bytes >> 20} MiB", offset_bytes=offset
            )
        self._stream.seek(offset)
        data = self._stream.read(size)
        self.bytes_read += len(data)
        return data

    def exactly(self, offset: int, size: int, what: str) -> bytes:
        """Exactly `size` bytes; raises Malformed (truncated) when the file ends before them."""
        data = self.read_at(offset, size)
        if len(data) != size:
            raise Malformed(
                f"{what} should lie at byte {offset} and be {size} bytes long, "
                f"but the file has {self.size_bytes} bytes",
                offset_bytes=offset,
                is_truncated=True,
            )
        return data


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """The file as a Source; raises OSError when it is not a regular file or cannot be opened."""
    # Unbuffered: a buffer would read blocks that nobody asked for. A FIFO would block open() for ever.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("not a regular file")
    with path.open("rb", buffering=0) as stream:
        size_bytes = stream.seek(0, 2)
        yield Source(_Whole(stream), size_bytes, path)


class _Whole:
    """A raw stream whose `read` never returns less than there is (raw reads may)."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def seek(self, offset: int) -> int:
        return self._stream.seek(offset)

    def read(self, size: int) -> bytes:
        parts = []
        while size > 0 and (part := self._stream.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
