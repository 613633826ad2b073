"""Extractors: headers and previews read in this process, or in a small pool of killable worker processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from uploader.engine.extract_worker import read_frame, write_frame
from validation.codes import issue
from validation.instruments import Header, Preview, read_header, read_preview
from validation.model import Issue

DEADLINE_S = 10.0
MEMORY_BYTES = 1 << 30
BATCH_FILES = 16
WATCH_INTERVAL_S = 0.05
UNREAD = "unknown"


class InlineExtractor:
    """Reads in this process: for a single file, and where no process may be started."""

    def headers(self, paths: Iterable[Path]) -> Iterator[Header]:
        """One header per path, in order."""
        return map(read_header, paths)

    def preview(self, path: Path, max_px: int = 512) -> Preview:
        """A preview of the file."""
        return read_preview(path, max_px)

    def close(self) -> None:
        """Nothing to end."""


def worker_command() -> tuple[str, ...]:
    """The command that starts a worker of this installation."""
    if getattr(sys, "frozen", False):
        return (sys.executable, "--extract-worker")
    # -P: a data folder that holds a numpy.py must not be able to run as code.
    return (sys.executable, "-P", "-m", "uploader.engine.extract_worker")


class PooledExtractor:
    """Reads in worker processes: a hang, crash or swell costs one worker and gives that file an Issue.

    Workers start when they are first needed, are used again, and end with this process: their standard input
    closes when it dies, however it dies.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        deadline_s: float = DEADLINE_S,
        memory_bytes: int = MEMORY_BYTES,
        batch_files: int = BATCH_FILES,
        command: Sequence[str] | None = None,
    ) -> None:
        self._size = workers or max(1, min(4, (os.cpu_count() or 2) - 1))
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._batch_files = batch_files
        self._command = tuple(command or worker_command())
        self._threads = ThreadPoolExecutor(self._size, thread_name_prefix="extract")
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._is_closed = False

    def headers(self, paths: Iterable[Path]) -> Iterator[Header]:
        """One header per path, in order; only a bounded number of paths is taken ahead of the reader."""
        remaining = iter(paths)
        pending: deque[Future[list[Header]]] = deque()
        try:
            while True:
                while len(pending) < 2 * self._size and (batch := list(islice(remaining, self._batch_files))):
                    pending.append(self._threads.submit(self._read_batch, batch))
                if not pending:
                    return
                yield from pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def preview(self, path: Path, max_px: int = 512) -> Preview:
        """A preview of the file; safe to call from several threads."""
        worker = self._take()
        reply = worker.ask({"preview": os.fspath(path), "max_px": max_px})
        self._give_back(worker)
        if reply is None:
            found = worker.failure(self._deadline_s)
            return Preview(None, reason=found.message, issues=(found,))
        document, block = reply
        return Preview(
            block if document["has_png"] else None,
            document["width_px"],
            document["height_px"],
            document["reason"],
            tuple(Issue.from_json(entry) for entry in document["issues"]),
        )

    def close(self) -> None:
        """End the workers, the busy ones too; headers still being read come back with an Issue."""
        with self._lock:
            self._is_closed = True
            workers = list(self._all)
        for worker in workers:
            worker.end()
        self._threads.shutdown(cancel_futures=True)

    def _read_batch(self, paths: Sequence[Path]) -> list[Header]:
        headers: list[Header] = []
        while len(headers) < len(paths):
            if self._is_closed:
                stopped = issue("header.reader_crashed", "reading was stopped", origin="workers")
                return [*headers, *(Header(UNREAD, UNREAD, issues=(stopped,)) for _ in paths[len(headers) :])]
            worker = self._take()
            left = paths[len(headers) :]
            reply = worker.ask({"headers": [os.fspath(path) for path in left]})
            while reply is not None:
                headers.append(Header.from_json(reply[0]))
                if len(headers) == len(paths):
                    break
                reply = worker.next_reply()
            self._give_back(worker)
            if reply is None:
                # The file that was being read takes the blame; the rest go to another worker.
                headers.append(Header(UNREAD, UNREAD, issues=(worker.failure(self._deadline_s),)))
        return headers

    def _take(self) -> _Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            worker = _Worker(self._command, self._deadline_s, self._memory_bytes)
            self._all.add(worker)
            if self._is_closed:
                worker.end()
        return worker

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            if worker.is_fit and not self._is_closed:
                self._idle.append(worker)
                return
            self._all.discard(worker)
        worker.end()


class _Worker:
    """One child process, asked by one thread at a time."""

    def __init__(self, command: Sequence[str], deadline_s: float, memory_bytes: int) -> None:
        # One thread per decoder: the pool is the parallelism, and idle thread stacks count as memory.
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter with fixed arguments, no shell
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | threads
        )
        self._requests = cast(BinaryIO, self._process.stdin)
        self._replies = cast(BinaryIO, self._process.stdout)
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._due: float | None = None
        self._is_overdue = False
        self._is_ended = threading.Event()
        self.is_fit = True
        self._watch = threading.Thread(target=self._watch_deadline, name="extract-watch", daemon=True)
        self._watch.start()

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes] | None:
        """Send a request and return its first reply, or None when the worker failed."""
        request = {**request, "deadline_s": self._deadline_s, "memory_bytes": self._memory_bytes}
        self._memory_bytes = 0  # the cap holds for the life of the process
        try:
            write_frame(self._requests, request)
        except (OSError, ValueError):
            self.is_fit = False
            return None
        return self.next_reply()

    def next_reply(self) -> tuple[dict[str, Any], bytes] | None:
        """The next reply of the last request, or None when the worker hung, crashed or was ended."""
        self._due = time.monotonic() + self._deadline_s
        try:
            reply = read_frame(self._replies)
        except (OSError, ValueError):
            reply = None
        self._due = None
        self.is_fit = reply is not None
        return reply

    def failure(self, deadline_s: float) -> Issue:
        """Why the last request failed."""
        if self._is_overdue:
            message = f"the reader did not finish in {deadline_s:g} s and was stopped"
            return issue("header.reader_timeout", message, origin="workers")
        message = f"the reader's process ended without an answer (status {self._process.poll()})"
        return issue("header.reader_crashed", message, origin="workers")

    def end(self) -> None:
        """Kill the process and wait for it; may be called twice and from any thread."""
        self._is_ended.set()
        self._process.kill()
        self._process.wait()
        self._watch.join()
        for stream in (self._requests, self._replies):
            try:
                stream.close()
            except OSError:
                # A request was still in the buffer; the process it was for is gone.
                continue

    def _watch_deadline(self) -> None:
        while not self._is_ended.wait(WATCH_INTERVAL_S):
            due = self._due
            if due is not None and time.monotonic() > due:
                self._is_overdue = True
                self._process.kill()
                return
