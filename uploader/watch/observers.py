"""Hints that something changed in a folder. Only hints: rescans are the truth, and without hints it goes on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver


class Hints(Protocol):
    """Says when a look into the folders may pay before its time."""

    def follow(self, folders: Sequence[Path]) -> str:
        """Listen to these folders from now on; why that cannot be, in words, or nothing."""

    def take(self) -> bool:
        """Whether something has changed since the last call."""

    def close(self) -> None:
        """Listen no longer."""


class WatchdogHints:
    """What the operating system tells of changes on its own disks. Network folders tell nothing, and no error."""

    def __init__(self) -> None:
        self._changed = threading.Event()
        self._observer: BaseObserver | None = None

    def follow(self, folders: Sequence[Path]) -> str:
        """Begin anew with these folders."""
        self.close()
        try:
            self._observer = _observer(folders, self._changed)
        except ImportError as error:
            return f"no hints of changes: watchdog cannot be loaded ({error})"
        except OSError as error:
            # On Linux each folder costs a watch, and their number is limited.
            return f"no hints of changes: the system refuses ({error.strerror or error})"
        return ""

    def take(self) -> bool:
        """Whether something has changed since the last call."""
        changed = self._changed.is_set()
        self._changed.clear()
        return changed

    def close(self) -> None:
        """End the threads that listen."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()


def _observer(folders: Sequence[Path], changed: threading.Event) -> BaseObserver:
    """A running observer that raises the flag; raises ImportError or OSError."""
    # Only when something is watched: other commands must not pay for it.
    from watchdog.events import (  # noqa: PLC0415
        DirCreatedEvent,
        DirMovedEvent,
        FileClosedEvent,
        FileCreatedEvent,
        FileModifiedEvent,
        FileMovedEvent,
        FileSystemEvent,
        FileSystemEventHandler,
    )
    from watchdog.observers import Observer  # noqa: PLC0415

    class Flagging(FileSystemEventHandler):
        """Any of the events that were asked for raises the flag."""

        def on_any_event(self, event: FileSystemEvent) -> None:
            changed.set()

    # Not of files that are opened and read: our own scans and sends would be hints to scan again.
    wanted: list[type[FileSystemEvent]] = [
        FileCreatedEvent,
        DirCreatedEvent,
        FileModifiedEvent,
        FileMovedEvent,
        DirMovedEvent,
        FileClosedEvent,
    ]
    observer = Observer()
    try:
        for folder in folders:
            observer.schedule(Flagging(), str(folder), recursive=True, event_filter=wanted)
        observer.start()
    except BaseException:
        observer.stop()
        if observer.is_alive():
            observer.join()
        raise
    return observer
