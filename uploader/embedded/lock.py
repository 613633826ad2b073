"""The operating system's lock on a data folder: whoever holds it is the server of that folder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROBE_S = 0.02


class LockHeld(Exception):
    """Another process holds the lock."""


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int, *, shared: bool) -> bool:
        # Windows knows only exclusive byte locks here; a probe that loses to another probe just tries again.
        del shared
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _take(handle: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def held(path: Path, *, patience_s: float = 2.0) -> Iterator[None]:
    """Hold the lock; raises LockHeld when another process keeps it.

    The patience outlasts `is_held`, which takes the lock for an instant in order to look.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + patience_s
        while not _take(handle, shared=False):
            if time.monotonic() >= deadline:
                raise LockHeld(str(path))
            time.sleep(PROBE_S)
        yield
    finally:
        os.close(handle)  # closing lets go of the lock, and so does any death of the process


def is_held(path: Path) -> bool:
    """True when some process holds the lock now."""
    try:
        handle = os.open(path, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        return not _take(handle, shared=True)
    finally:
        os.close(handle)
