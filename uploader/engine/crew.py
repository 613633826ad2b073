"""The workers of a ferry: a few threads that carry files, more that send chunks, and one queue back."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag
from threading import Lock
from types import TracebackType

from uploader.engine.carry import Cargo, Carried, carry
from uploader.engine.task import Task
from uploader.model.errors import Cancelled, UploaderError
from uploader.model.events import Event, FileProgressed, FileStarted
from uploader.model.files import Digest, SourceFile
from uploader.model.ports import Extractor
from uploader.stages.describe import Candidate
from uploader.stages.digest import digest_file
from uploader.stages.transfer import CHUNKS_IN_FLIGHT, Wire

WORKERS = 8
PROGRESS_EVERY_S = 0.25
WAIT_S = 0.1
"""How long to wait for a worker before looking at rows that are due."""


class Crew:
    """Carries files in threads; the ferry sends cargo in and takes what came of it out."""

    def __init__(self, task: Task, wire: Wire, extractor: Extractor, *, workers: int = WORKERS) -> None:
        self._task, self._wire, self._extractor = task, wire, extractor
        self._limit = workers * 2
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="carry")
        self._done: queue.SimpleQueue[Carried] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._under_way = 0
        self._stopping = Flag()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._threads.shutdown(wait=True)

    @property
    def is_busy(self) -> bool:
        """Whether any file is under way."""
        return self._under_way > 0

    def send(self, cargo: Cargo) -> None:
        """Take up one more file."""
        self._under_way += 1
        self._threads.submit(self._carry, cargo)

    def make_room(self) -> Iterator[Carried]:
        """What came of files, until one more may be sent."""
        while self._under_way >= self._limit and not self._task.stopped():
            yield from self.wait()

    def wait(self) -> Iterator[Carried]:
        """What came of files by now, or within a moment."""
        try:
            yield self._took(self._done.get(timeout=WAIT_S))
            while True:
                yield self._took(self._done.get_nowait())
        except queue.Empty:
            return

    def rest(self) -> Iterator[Carried]:
        """What comes of the files still under way; transfers in chunks end early once stopped."""
        while self._under_way:
            yield self._took(self._done.get())

    def events(self) -> Iterator[Event]:
        """Starts and progress since the last call."""
        try:
            while True:
                yield self._events.get_nowait()
        except queue.Empty:
            return

    def stop(self) -> None:
        """Let nothing new begin and long transfers end at the next chunk."""
        self._stopping.set()

    def hashes(self, candidates: Sequence[Candidate]) -> list[Digest | UploaderError]:
        """Digest of each file, or why there is none; hashed side by side."""
        return list(self._threads.map(self._hash, candidates))

    def _stopped(self) -> bool:
        return self._stopping.is_set() or self._task.stopped()

    def _took(self, carried: Carried) -> Carried:
        self._under_way -= 1
        return carried

    def _carry(self, cargo: Cargo) -> None:
        source = cargo.candidate.entry.source
        if self._stopped():
            self._done.put(Carried(cargo, error=Cancelled("Stopped.", path=source.path)))
            return
        root = str(cargo.candidate.root.path)
        self._events.put(
            self._task.event(FileStarted, path=source.path, size_bytes=source.size_bytes, root=root)
        )
        tell = _Throttled(self._task, source, root, self._events.put)
        carried = carry(cargo, self._wire, self._extractor, progress=tell, stop=self._stopped)
        self._done.put(carried)

    def _hash(self, candidate: Candidate) -> Digest | UploaderError:
        source = candidate.entry.source
        try:
            return digest_file(candidate.root.path / source.path, source=source, stop=self._stopped)
        except UploaderError as error:
            return error


class _Throttled:
    """Turns acknowledged bytes into progress events, a few a second and the last one always."""

    def __init__(self, task: Task, source: SourceFile, root: str, put: Callable[[Event], None]) -> None:
        self._task, self._source, self._root, self._put = task, source, root, put
        self._told_at = task.clock.monotonic()
        self._lock = Lock()

    def __call__(self, sent_bytes: int) -> None:
        now = self._task.clock.monotonic()
        with self._lock:
            if sent_bytes < self._source.size_bytes and now - self._told_at < PROGRESS_EVERY_S:
                return
            self._told_at = now
        self._put(
            self._task.event(
                FileProgressed,
                path=self._source.path,
                size_bytes=self._source.size_bytes,
                sent_bytes=sent_bytes,
                root=self._root,
            )
        )


def chunk_threads() -> ThreadPoolExecutor:
    """The threads that send chunks; two large files at once keep all of them busy."""
    return ThreadPoolExecutor(2 * CHUNKS_IN_FLIGHT, thread_name_prefix="chunk")
