"""How much room the objects may take, counted before the bytes arrive."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from uploader.embedded.hatrac.refusal import disk_full

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Space:
    """Counts bytes against a limit; without a limit only the disk itself says when it is full."""

    def __init__(self, max_bytes: int | None, used_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._used_bytes = used_bytes
        self._lock = threading.Lock()

    def reserve(self, size_bytes: int) -> None:
        """Set room aside; refuses with 507 when there is none."""
        with self._lock:
            if self._max_bytes is not None and self._used_bytes + size_bytes > self._max_bytes:
                raise disk_full(
                    f"the data folder may hold {self._max_bytes} bytes, {self._used_bytes} are taken "
                    f"and {size_bytes} more were sent."
                )
            self._used_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Give room back."""
        with self._lock:
            self._used_bytes -= size_bytes


@contextmanager
def full_disk_is_507() -> Iterator[None]:
    """Say a full disk in the protocol's words, whether the file system or SQLite met it."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise disk_full("its disk is full.") from error
        raise
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            raise disk_full("its disk is full.") from error
        raise
