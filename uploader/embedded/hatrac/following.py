"""Follows the files of upload jobs while their chunks arrive: hashes them from the start and flushes them, beside.

Only for jobs that declared an MD5, which is compared with the file when the job is finished. What is noted here is
lost with the process: the next one reads the files again.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from uploader.embedded.hatrac.records import Job

READ_BYTES = 1 << 20
MOST_JOBS = 1000
"""Jobs that nobody ever finishes are forgotten, the oldest first."""
_READING = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_WRITING = os.O_WRONLY | getattr(os, "O_BINARY", 0)


class Following:
    """The jobs that are followed, and the threads that do it."""

    def __init__(self) -> None:
        self._followed: OrderedDict[str, _Followed] = OrderedDict()
        self._lock = threading.Lock()
        # Apart from those that receive: neither waits for the other. One file's hash keeps one thread busy.
        self._hashing = ThreadPoolExecutor(2, thread_name_prefix="hatrac-hash")
        self._flushing = ThreadPoolExecutor(2, thread_name_prefix="hatrac-flush")

    def arrived(self, job: Job, path: Path, number: int, present: Callable[[], set[int]]) -> None:
        """A chunk is in the job's file; `present` tells those of earlier times, when this is the first one here."""
        followed = self._of(job, path, present)
        followed.add(number)
        self._hashing.submit(followed.hash_on)
        self._flushing.submit(followed.flush_on)

    def settled(self, job: Job, path: Path) -> bytes:
        """MD5 of the complete file, which is on disk on return; nothing may write to it meanwhile."""
        followed = self._of(job, path, set)
        flushed = self._flushing.submit(followed.flush)
        md5 = followed.md5()
        flushed.result()
        self.forget(job)
        return md5

    def forget(self, job: Job) -> None:
        """Bytes of the job were replaced or are removed: nobody has its file open on return."""
        with self._lock:
            followed = self._followed.pop(job.job, None)
        if followed is not None:
            followed.end()

    def close(self) -> None:
        """Finish what is under way."""
        with self._lock:
            left = list(self._followed.values())
            self._followed.clear()
        for followed in left:
            followed.end()
        self._hashing.shutdown()
        self._flushing.shutdown()

    def _of(self, job: Job, path: Path, present: Callable[[], set[int]]) -> _Followed:
        with self._lock:
            followed = self._followed.get(job.job)
            if followed is None:
                followed = self._followed[job.job] = _Followed(job, path, present())
                if len(self._followed) > MOST_JOBS:
                    self._followed.popitem(last=False)
            return followed


class _Followed:
    """One job's file: how far its hash has come."""

    def __init__(self, job: Job, path: Path, present: set[int]) -> None:
        self._job = job
        self._path = path
        self._present = present
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hashed_bytes = 0
        self._is_over = False
        self._hashing = threading.Lock()
        self._flushing = threading.Lock()

    def add(self, number: int) -> None:
        """One more chunk is there."""
        self._present.add(number)

    def hash_on(self) -> None:
        """Hash the chunks that follow without a gap, unless somebody is at it."""
        # A chunk that comes while the one at work is just leaving is taken by the next caller, or at the end.
        if not self._hashing.acquire(blocking=False):
            return
        try:
            while (
                not self._is_over and (number := self._hashed_bytes // self._job.chunk_bytes) in self._present
            ):
                self._hash_to(min((number + 1) * self._job.chunk_bytes, self._job.size_bytes))
                self._present.discard(number)
        except FileNotFoundError:
            return  # cancelled meanwhile
        finally:
            self._hashing.release()

    def md5(self) -> bytes:
        """The hash of the whole file."""
        with self._hashing:
            self._hash_to(self._job.size_bytes)
            return self._md5.digest()

    def flush_on(self) -> None:
        """Put on disk what is there by now, unless somebody is at it: at the end little is left to do."""
        if not self._flushing.acquire(blocking=False):
            return
        try:
            if not self._is_over:
                _sync(self._path)
        except FileNotFoundError:
            return  # cancelled meanwhile
        except OSError:
            # A disk that fails says so again to the flush that counts, the last one.
            return
        finally:
            self._flushing.release()

    def flush(self) -> None:
        """Put everything on disk."""
        with self._flushing:
            _sync(self._path)

    def end(self) -> None:
        """Begin nothing more and wait for what is under way."""
        self._is_over = True
        with self._hashing, self._flushing:
            pass

    def _hash_to(self, end_bytes: int) -> None:
        handle = os.open(self._path, _READING)
        try:
            os.lseek(handle, self._hashed_bytes, os.SEEK_SET)
            while self._hashed_bytes < end_bytes and (
                block := os.read(handle, min(READ_BYTES, end_bytes - self._hashed_bytes))
            ):
                self._md5.update(block)
                self._hashed_bytes += len(block)
        finally:
            os.close(handle)


def _sync(path: Path) -> None:
    handle = os.open(path, _WRITING)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
