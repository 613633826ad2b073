"""Files that changed, vanished or are locked: set aside, looked at again, sent once they hold still, or refused.

Which files these are stands in the journal; here is only how often and when each of them was looked at.
"""

from __future__ import annotations

import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from uploader.engine.in_hand import InHand, Wish
from uploader.engine.outbox import Outbox
from uploader.engine.outcomes import BY_A_PERSON, cancelled, refused
from uploader.engine.task import DroppedRoot, Task
from uploader.model.control import Standing
from uploader.model.entries import Entry
from uploader.model.errors import SourceError
from uploader.model.events import FileSetAside
from uploader.model.files import FileResult, SourceFile
from uploader.model.ports import Ports

PAGE = 500
TRIES = 3
"""So many times a file is set aside before it is refused."""

STILL_S = 1.0
"""A file that reads the same over this time holds still."""

PATIENCE_S = 60.0
"""A file that never holds still is refused after this time."""

LOOK_EVERY_S = 5.0
"""How often to look while others are sent."""


@dataclass(slots=True)
class _Record:
    since_s: float
    error: SourceError
    tries: int = 1
    looks: int = 0
    seen: SourceFile | None = None
    """As it was at the last look."""
    seen_s: float = 0.0


@dataclass(slots=True)
class Looked:
    """What a look at the files set aside brought."""

    still: list[Entry] = field(default_factory=list)
    """They hold still: to be decided anew and sent."""
    twins: list[Entry] = field(default_factory=list)
    """They wait for another file's delivery, not for themselves."""
    waiting: int = 0
    """They wait on."""


class Aside:
    """`set_aside` may be called from any thread, `look` from one."""

    def __init__(self, task: Task, ports: Ports, in_hand: InHand, outbox: Outbox) -> None:
        self._task, self._ports, self._in_hand, self._outbox = task, ports, in_hand, outbox
        self._roots: Mapping[int, DroppedRoot] = {root.root_id: root for root in task.roots}
        self._records: dict[int, _Record] = {}
        self._lock = threading.Lock()
        self._looked_s = task.clock.monotonic()

    def set_aside(self, entry: Entry, root: DroppedRoot, error: SourceError) -> None:
        """Put a file by that could not be read as it was planned; the last time it is refused."""
        now = self._task.clock.monotonic()
        with self._lock:
            record = self._records.get(entry.entry_id)
            if record is None:
                record = self._records[entry.entry_id] = _Record(now, error)
                is_first = True
            else:
                record.tries += 1
                record.error, is_first = error, False
            record.seen, record.seen_s = entry.source, now
        if record.tries > TRIES:
            self._refuse([(entry, error)])
            return
        self._put_back([entry])
        if is_first:
            self._outbox.tell(
                self._task.event(
                    FileSetAside, path=entry.source.path, why=error.summary, root=str(root.root.path)
                )
            )

    def put_by(self, twins: list[Entry]) -> None:
        """Files that lead to a record which another file of this run makes: they wait for it."""
        for twin in twins:
            # What was odd about it is over: it no longer waits for itself.
            self._records.pop(twin.entry_id, None)
        self._put_back(twins)

    def is_due(self) -> bool:
        """Whether some are set aside and have waited long enough to be looked at while others are sent."""
        return bool(self._records) and self._task.clock.monotonic() - self._looked_s >= LOOK_EVERY_S

    def look(self) -> Looked:
        """Look at all that are set aside; refuses those whose time is over."""
        looked = Looked()
        now = self._looked_s = self._task.clock.monotonic()
        with self._in_hand.line:
            entries = self._ports.journal.aside(self._task.run, PAGE)
            self._in_hand.take(entries)
        back: list[Entry] = []
        over: list[tuple[Entry, SourceError]] = []
        for entry in entries:
            record = self._records.get(entry.entry_id)
            if record is None:
                looked.twins.append(entry)
            elif (still := self._still(entry, record, now)) is not None:
                looked.still.append(still)
            elif record.looks >= TRIES or now - record.since_s >= PATIENCE_S:
                over.append((entry, record.error))
            else:
                back.append(entry)
        self._refuse(over)
        self._put_back(back)
        looked.waiting = len(back)
        return looked

    def _still(self, entry: Entry, record: _Record, now: float) -> Entry | None:
        """The entry with what its file is now, when it holds still and can be opened."""
        if now - record.seen_s < STILL_S:
            return None
        root = self._roots[entry.root_id]
        found = source_now(root, entry.source)
        if found is None:
            record.looks += 1
            record.seen_s = now
            return None
        if found != record.seen:
            record.seen, record.seen_s = found, now
            return None
        if found == entry.source:
            return entry
        # As it is now, not as the survey saw it; its cached header and hashes are those of other bytes.
        return self._ports.journal.replace_source(entry.entry_id, found)

    def _refuse(self, over: list[tuple[Entry, SourceError]]) -> None:
        results: list[tuple[int, FileResult]] = []
        for entry, error in over:
            self._records.pop(entry.entry_id, None)
            results.append((entry.entry_id, refused(entry, self._roots[entry.root_id], error)))
        self._outbox.finish(results)

    def _put_back(self, entries: list[Entry]) -> None:
        if not entries:
            return
        by_wish: dict[Wish | None, list[Entry]] = {}
        with self._in_hand.line:
            for entry in entries:
                by_wish.setdefault(self._in_hand.wished(entry.entry_id), []).append(entry)
            given_up = by_wish.pop(Wish.CANCEL, [])
            for wish, some in by_wish.items():
                ids = [entry.entry_id for entry in some]
                self._ports.journal.put_back(ids, Standing.SET_ASIDE if wish is None else Standing.PAUSED)
                self._in_hand.let_go(ids)
        self._outbox.finish(
            [
                (entry.entry_id, cancelled(entry, self._roots[entry.root_id], BY_A_PERSON))
                for entry in given_up
            ]
        )


def source_now(root: DroppedRoot, source: SourceFile) -> SourceFile | None:
    """The file as it lies there now; None when it is gone, is no file any more, or cannot be opened."""
    path = root.root.path / source.path
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode):
            return None
        with path.open("rb", buffering=0):
            pass
    except OSError:
        return None
    # Where the system gives no file number, the scan names a file by its path, and that is still right.
    file_id = str(state.st_ino) if source.file_id.isdecimal() else source.file_id
    return replace(source, size_bytes=state.st_size, mtime_ns=state.st_mtime_ns, file_id=file_id)
