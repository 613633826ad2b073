"""Locks on open files that the operating system itself releases when the process ends, however it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    # Windows locks are mandatory: lock one byte far behind the text, so that others can read who holds it.
    _OFFSET = 1 << 30

    def try_lock(descriptor: int) -> bool:
        """Take the lock if nobody has it."""
        os.lseek(descriptor, _OFFSET, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def wait_lock(descriptor: int) -> None:
        """Take the lock, waiting for whoever has it."""
        while True:
            os.lseek(descriptor, _OFFSET, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
            except OSError:  # gives up after ten seconds
                continue
            return

    def unlock(descriptor: int) -> None:
        """Give the lock back."""
        os.lseek(descriptor, _OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Take the lock if nobody has it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait_lock(descriptor: int) -> None:
        """Take the lock, waiting for whoever has it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def unlock(descriptor: int) -> None:
        """Give the lock back, even if a forked child still has the file open."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def open_lock_file(path: Path) -> int:
    """A descriptor of the lock file, made when missing, readable by its owner alone."""
    return os.open(path, os.O_CREAT | os.O_RDWR, 0o600)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of this file for a short while; waits for others who do the same."""
    descriptor = open_lock_file(path)
    try:
        wait_lock(descriptor)
        try:
            yield
        finally:
            unlock(descriptor)
    finally:
        os.close(descriptor)
