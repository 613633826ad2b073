"""The threads that bring bytes to the store: a lane for files of one request, one for large ones, and hashers."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TypeAlias

from uploader.engine.aside import Aside
from uploader.engine.carry import Cargo, Carried, carry, give_up
from uploader.engine.control.levers import Levers
from uploader.engine.hands import Hands
from uploader.engine.in_hand import InHand, Wish
from uploader.engine.outbox import Outbox
from uploader.engine.outcomes import BY_A_PERSON, cancelled, refused
from uploader.engine.registering import Registering
from uploader.engine.task import DroppedRoot, Task
from uploader.engine.telling import Told
from uploader.engine.worker_errors import as_trouble
from uploader.model.control import Lane, Standing
from uploader.model.entries import Entry
from uploader.model.errors import (
    Cancelled,
    ChecksumMismatch,
    JournalError,
    RemoteError,
    Retry,
    SourceError,
    UploaderError,
)
from uploader.model.events import FileStarted
from uploader.model.files import Digest
from uploader.model.ports import Extractor
from uploader.stages.describe import Candidate
from uploader.stages.digest import digest_file
from uploader.stages.hashes import PartHashes
from uploader.stages.transfer import Wire

LARGE_AT_ONCE = 4
"""Large files on their way at the same time; the chunks of all of them share the permits."""

AHEAD = {Lane.SMALL: 100, Lane.LARGE: 8}
"""Files of a lane that are hashed or wait for a thread: below this the next page is loaded."""

MOST_IN_HAND = 1000
"""Files between line and row, however slowly rows are written."""

STARTS_EVERY_S = 0.05
"""Small files are so many that only some of their starts are told."""

HASHERS = 2
"""Threads of each lane that hash ahead of the wire: a small file does not wait until a large one is read."""

READERS = 2
"""Threads that read and hash small files while as many as there are permits send."""


_ToHash: TypeAlias = tuple[DroppedRoot, Candidate]


@dataclass(frozen=True, slots=True)
class Hashed:
    """What hashing a file ahead of the wire brought."""

    root: DroppedRoot
    candidate: Candidate
    found: Digest | UploaderError


class Crew:
    """Takes cargo and candidates from the loader; tells outbox, registrar and those set aside what came of them."""

    def __init__(
        self,
        task: Task,
        wire: Wire,
        extractor: Extractor,
        *,
        in_hand: InHand,
        outbox: Outbox,
        registering: Registering,
        aside: Aside,
        levers: Levers,
    ) -> None:
        self._task, self._wire, self._extractor = task, wire, extractor
        self._in_hand, self._outbox = in_hand, outbox
        self._registering, self._aside, self._levers = registering, aside, levers
        self._lanes = {
            Lane.SMALL: Hands[Cargo]("carry", self._carry, lambda: levers.controller.permits + READERS),
            Lane.LARGE: Hands[Cargo]("large", self._carry, lambda: LARGE_AT_ONCE),
        }
        self._hashing = {
            Lane.SMALL: Hands[_ToHash]("hash", self._hash, lambda: HASHERS),
            Lane.LARGE: Hands[_ToHash]("hash-large", self._hash, lambda: HASHERS),
        }
        self._hashed: queue.SimpleQueue[Hashed] = queue.SimpleQueue()
        self._being_hashed = {Lane.SMALL: 0, Lane.LARGE: 0}
        self._told_s = float("-inf")
        self.bell = threading.Event()
        """Rung when the loader may have something to do."""
        self.stirred = threading.Event()
        """Set when files came back into the line, which the loader may have found empty."""

    def close(self) -> None:
        """End every thread; files that have not begun are left where they are."""
        for hashing in self._hashing.values():
            hashing.close()
        for lane in self._lanes.values():
            lane.close()

    def stir(self) -> None:
        """The line was changed: the loader should look at it again."""
        self.stirred.set()
        self.bell.set()

    def lane_of(self, entry: Entry) -> Lane:
        """The lane in which this file goes."""
        return Lane.SMALL if entry.source.size_bytes <= self._wire.small_bytes else Lane.LARGE

    def has_room(self, lane: Lane) -> bool:
        """Whether the next page of this lane should be loaded."""
        ahead = self._being_hashed[lane] + self._lanes[lane].waiting
        return ahead < AHEAD[lane] and len(self._in_hand) < MOST_IN_HAND

    def is_hungry(self) -> bool:
        """Whether what is hashed should be readied now, however little it is."""
        return any(self._lanes[lane].waiting < AHEAD[lane] // 4 for lane in Lane)

    def send(self, cargo: Cargo) -> None:
        """Carry this file when its turn comes."""
        self._lanes[self.lane_of(cargo.candidate.entry)].put(cargo)

    def hash(self, root: DroppedRoot, candidate: Candidate) -> None:
        """Hash this file ahead of the wire; it comes back by `hashed`."""
        lane = self.lane_of(candidate.entry)
        self._being_hashed[lane] += 1
        self._hashing[lane].put((root, candidate))

    def hashed(self) -> list[Hashed]:
        """The files hashed since the last call; for the thread that calls `hash`."""
        found: list[Hashed] = []
        while not self._hashed.empty():
            one = self._hashed.get()
            self._being_hashed[self.lane_of(one.candidate.entry)] -= 1
            found.append(one)
        return found

    @property
    def hashed_waiting(self) -> int:
        """Files that `hashed` would return."""
        return self._hashed.qsize()

    def is_stopped(self, entry: Entry) -> bool:
        """Whether this file should end where it is: the run is over, or a person paused or cancelled it."""
        return self._outbox.is_over or self._in_hand.wished(entry.entry_id) is not None

    def end_early(self, entry: Entry, root: DroppedRoot, cargo: Cargo | None = None) -> None:
        """What becomes of a file that was cut short: as its person wished, or the next run's."""
        with self._in_hand.line:
            wish = self._in_hand.wished(entry.entry_id)
            if wish is not Wish.CANCEL:
                if not self._outbox.is_over:
                    self._let_wait(entry, Standing.WAITING if wish is None else Standing.PAUSED)
                # Else the run is over: it is left for the next one.
                return
        if cargo is not None:
            give_up(cargo.delivery, self._wire)
        self._outbox.finish([(entry.entry_id, cancelled(entry, root, BY_A_PERSON))])

    def _let_wait(self, entry: Entry, standing: Standing) -> None:
        self._wire.journal.put_back([entry.entry_id], standing)
        self._in_hand.let_go([entry.entry_id])
        if standing is Standing.WAITING:
            # Resumed before it had come to its end here.
            self.stir()

    def _carry(self, cargo: Cargo) -> None:
        try:
            self._carried(self._tried(cargo))
        except Exception as error:  # noqa: BLE001 - nothing may end a thread but the end of the run
            self._outbox.fail(as_trouble(error))
        self.bell.set()

    def _tried(self, cargo: Cargo) -> Carried:
        entry = cargo.candidate.entry
        if self.is_stopped(entry):
            return Carried(cargo, error=Cancelled("Stopped.", path=entry.source.path))
        source, root = entry.source, str(cargo.root.root.path)
        is_large = self.lane_of(entry) is Lane.LARGE
        if is_large or self._is_time_to_tell():
            self._outbox.tell(
                self._task.event(FileStarted, path=source.path, size_bytes=source.size_bytes, root=root)
            )
        told = Told(self._task, self._outbox, source, root, is_large=is_large)

        def stop() -> bool:
            return self.is_stopped(entry)

        with self._levers.ending.also(stop):
            return carry(cargo, self._wire, self._extractor, progress=told, stop=stop)

    def _is_time_to_tell(self) -> bool:
        """Whether a small file's start is worth an event: hundreds a second would only cost time."""
        now_s = self._task.clock.monotonic()
        if now_s - self._told_s < STARTS_EVERY_S:
            return False
        self._told_s = now_s
        return True

    def _carried(self, carried: Carried) -> None:
        cargo, error = carried.cargo, carried.error
        entry, root = cargo.candidate.entry, cargo.root
        if error is None:
            self._outbox.sent(carried.sent.sent_bytes if carried.sent else 0)
            self._in_hand.arrived(entry.entry_id)
            self._registering.put(carried)
        elif isinstance(error, Cancelled):
            self.end_early(entry, root, cargo)
        elif isinstance(error, SourceError):
            self._aside.set_aside(entry, root, error)
        elif self._is_about_all(error):
            self._outbox.fail(error)
        else:
            self._outbox.finish([(entry.entry_id, refused(entry, root, error))])

    def _is_about_all(self, error: UploaderError) -> bool:
        """Whether an error met with one file is true for every other as well: no server, no login, no room."""
        if isinstance(error, JournalError):
            return True
        if not isinstance(error, RemoteError):
            return False
        if self._levers.health is not None:
            return self._levers.health.given_up is not None
        return error.retry is not Retry.NEVER and not isinstance(error, ChecksumMismatch)

    def _hash(self, wanted: _ToHash) -> None:
        root, candidate = wanted
        entry = candidate.entry
        found: Digest | UploaderError
        try:
            found = self._digest(root, entry)
        except UploaderError as error:
            found = error
        except Exception as error:  # noqa: BLE001 - nothing may end a thread but the end of the run
            found = as_trouble(error)
        self._hashed.put(Hashed(root, candidate, found))
        self.bell.set()

    def _digest(self, root: DroppedRoot, entry: Entry) -> Digest:
        source, wire = entry.source, self._wire
        # A large file's chunks are hashed in the same pass: those who send them have that much less to do.
        is_large = self.lane_of(entry) is Lane.LARGE
        parts = PartHashes(wire.choose(source.size_bytes)) if is_large else None
        path = root.root.path / source.path
        found = digest_file(path, source=source, stop=lambda: self.is_stopped(entry), parts=parts)
        if parts is not None:
            wire.parts.note(source.identity, parts)
        return found
