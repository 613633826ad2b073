"""The files that the engine has taken out of the line and is not done with: never more than its queues hold."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from uploader.model.entries import Entry


class Wish(StrEnum):
    """What a person wants of a file that is on its way."""

    PAUSE = "pause"
    CANCEL = "cancel"


@dataclass(slots=True)
class _File:
    root_id: int
    path: str
    wish: Wish | None = None
    has_arrived: bool = False
    """Its object is stored: it is too late to pause or cancel it."""


class InHand:
    """Known by entry id; every method may be called from any thread."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {}
        self._lock = threading.Lock()
        self.line = threading.RLock()
        """Held while files pass between the journal's line and here, so that a command finds each in one place."""

    def __len__(self) -> int:
        return len(self._files)

    def take(self, entries: Iterable[Entry]) -> None:
        """These left the line."""
        with self._lock:
            for entry in entries:
                self._files[entry.entry_id] = _File(entry.root_id, entry.source.path)

    def let_go(self, entry_ids: Iterable[int]) -> int:
        """These have an outcome or are back in the line; how many of them were in hand."""
        with self._lock:
            return sum(self._files.pop(entry_id, None) is not None for entry_id in entry_ids)

    def arrived(self, entry_id: int) -> None:
        """The object is stored, the row is still to be written."""
        with self._lock:
            file = self._files.get(entry_id)
            if file is not None:
                file.has_arrived, file.wish = True, None

    def wish(self, root_id: int, path: str, wish: Wish) -> int:
        """Wish this of the files at or below a path of a root ("": all of it); how many more this reaches.

        A file that is to be cancelled stays so.
        """
        with self._lock:
            reached = [
                file
                for file in self._files.values()
                if file.root_id == root_id
                and not file.has_arrived
                and file.wish not in (wish, Wish.CANCEL)
                and is_at_or_below(file.path, path)
            ]
            for file in reached:
                file.wish = wish
            return len(reached)

    def unwish(self, root_id: int, path: str) -> int:
        """Take back the wish to pause these; how many had one."""
        with self._lock:
            reached = [
                file
                for file in self._files.values()
                if file.root_id == root_id and file.wish is Wish.PAUSE and is_at_or_below(file.path, path)
            ]
            for file in reached:
                file.wish = None
            return len(reached)

    def wished(self, entry_id: int) -> Wish | None:
        """What a person wants of this file, if anything."""
        file = self._files.get(entry_id)
        return None if file is None else file.wish


def is_at_or_below(path: str, above: str) -> bool:
    """Whether a path relative to a root lies at or below another one; everything lies below ""."""
    return not above or path == above or path.startswith(above + "/")
