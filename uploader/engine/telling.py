"""Turns acknowledged bytes into events: a few a second for a large file, none for one that goes in one request."""

from __future__ import annotations

from threading import Lock

from uploader.engine.outbox import Outbox
from uploader.engine.task import Task
from uploader.model.events import FileProgressed
from uploader.model.files import SourceFile

EVERY_S = 0.25


class Told:
    """Called with the bytes of one file that are acknowledged so far; by several threads."""

    def __init__(self, task: Task, outbox: Outbox, source: SourceFile, root: str, *, is_large: bool) -> None:
        self._task, self._outbox, self._source, self._root = task, outbox, source, root
        self._is_large = is_large
        self._told_s = task.clock.monotonic()
        self._told_bytes = 0
        self._lock = Lock()

    def __call__(self, sent_bytes: int) -> None:
        """So many bytes of the file are acknowledged."""
        with self._lock:
            more_bytes = max(0, sent_bytes - self._told_bytes)
            self._told_bytes = sent_bytes
            now = self._task.clock.monotonic()
            is_worth_it = sent_bytes >= self._source.size_bytes or now - self._told_s >= EVERY_S
            if is_worth_it:
                self._told_s = now
        self._outbox.moved(more_bytes)
        if is_worth_it and self._is_large:
            self._outbox.tell(
                self._task.event(
                    FileProgressed,
                    path=self._source.path,
                    size_bytes=self._source.size_bytes,
                    sent_bytes=sent_bytes,
                    root=self._root,
                )
            )
