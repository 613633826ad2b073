"""Opens our own memory for commands that look into it or leave a wish there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from uploader.bootstrap import Settings
from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.control import CommandQueue, EngineRecord, EngineState


@contextmanager
def memory(settings: Settings) -> Iterator[SqliteJournal | None]:
    """The journal of this account; None when nothing has ever run: looking must not create one."""
    if not settings.state_dir.is_dir():
        yield None
        return
    journal = open_journal(settings.state_dir)
    try:
        yield journal
    finally:
        journal.close()


def running_engines(queue: CommandQueue) -> list[EngineRecord]:
    """The engines that are alive and have not finished, newest first."""
    over = (EngineState.GONE, EngineState.FINISHED)
    return [engine for engine in queue.engines() if engine.state not in over]
