"""What the threads of a ferry tell: outcomes go into the journal first, then to whoever listens, in one queue."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Sequence

from uploader.engine.in_hand import InHand
from uploader.engine.task import Task
from uploader.model.errors import Cancelled, UploaderError
from uploader.model.events import Event, FileFinished
from uploader.model.files import FileResult
from uploader.model.ports import Journal

MOST_EVENTS = 4_000
"""Events kept for a listener that does not listen; beyond, they go to the journal alone."""


class Outbox:
    """Every method may be called from any thread; `news` from the one that listens."""

    def __init__(self, task: Task, journal: Journal, in_hand: InHand) -> None:
        self._task, self._journal, self._in_hand = task, journal, in_hand
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self.trouble: UploaderError | None = None
        """Why the ferry must end before its time: about the server or the journal, not about one file."""
        self.outcomes: Counter[str] = Counter()
        self.sent_bytes = 0
        """Over the wire in this run, of files that arrived."""
        self.moved_bytes = 0
        """Acknowledged so far, of files still on their way, too."""
        self.files_done = self.bytes_done = 0
        """Of the line: files with an outcome, and their bytes."""

    @property
    def is_over(self) -> bool:
        """Whether the threads should end: somebody stopped the run, or it cannot go on."""
        return self._ending.is_set() or self._task.stopped()

    def end(self) -> None:
        """Let every thread end as soon as it can."""
        self._ending.set()

    def fail(self, error: UploaderError) -> None:
        """End the ferry for this cause; the first one counts."""
        with self._lock:
            if self.trouble is None and not isinstance(error, Cancelled):
                self.trouble = error
        self._ending.set()

    def sent(self, size_bytes: int) -> None:
        """A file has arrived, for which so many bytes went over the wire."""
        with self._lock:
            self.sent_bytes += size_bytes

    def moved(self, size_bytes: int) -> None:
        """So many more bytes were acknowledged."""
        with self._lock:
            self.moved_bytes += size_bytes

    def tell(self, event: Event) -> None:
        """Something that is of the moment: lost when nobody listens for long."""
        if self._events.qsize() < MOST_EVENTS:
            self._events.put(event)

    def finish(self, results: Sequence[tuple[int, FileResult]]) -> None:
        """Journal the outcomes of entries (entry id, result), then tell of them."""
        if not results:
            return
        events = [self._task.event(FileFinished, result=result) for _, result in results]
        # Together: a person may have a failed file tried again as soon as the journal knows of it.
        with self._in_hand.line:
            self._journal.finish(results)
            let_go = [result for entry_id, result in results if self._in_hand.let_go([entry_id])]
        with self._lock:
            self.outcomes.update(result.outcome.value for _, result in results)
            self.files_done += len(let_go)
            self.bytes_done += sum(result.size_bytes for result in let_go)
        if self._events.qsize() >= MOST_EVENTS:
            self._journal.append(events)
            return
        for event in events:
            self._events.put(event)

    def news(self, wait_s: float) -> list[Event]:
        """What was told since the last call; waits a moment for the first."""
        events: list[Event] = []
        try:
            events.append(self._events.get(timeout=wait_s) if wait_s else self._events.get_nowait())
            while len(events) < MOST_EVENTS:
                events.append(self._events.get_nowait())
        except queue.Empty:
            pass
        return events
