"""What an engine says of itself: its record in the journal, and how the transfer goes."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

from uploader.engine.control.levers import Halt, Levers
from uploader.engine.outbox import Outbox
from uploader.engine.task import Task
from uploader.model.control import EngineRecord, EngineState, Standing
from uploader.model.events import Event, TransferPaced
from uploader.model.ports import Journal

EVERY_S = 1.0
WATCHING_EVERY_S = 30.0
"""Nothing moves: a record a second would only wear the disk."""

RATE_OVER_S = 5.0


class Speaker:
    """Speaks once a second, and at once when the state changes."""

    def __init__(self, task: Task, journal: Journal, levers: Levers) -> None:
        self._task, self._journal, self._levers = task, journal, levers
        self._outbox: Outbox | None = None
        self._said: EngineState | None = None
        self.waits_for = ""
        """What a watching engine waits for, in words."""
        self._said_of = ""
        self._said_s = float("-inf")
        self._marks: deque[tuple[float, int, int]] = deque()
        """(Seconds, bytes moved, files done) of the latest seconds."""

    def attach(self, outbox: Outbox) -> None:
        """Something can be sent from now on."""
        self._outbox = outbox

    def look(self, state: EngineState, halt: Halt | None) -> Iterator[Event]:
        """Say what is due."""
        now_s = self._task.clock.monotonic()
        every_s = WATCHING_EVERY_S if state is EngineState.WATCHING else EVERY_S
        is_due = now_s - self._said_s >= every_s
        if not is_due and state is self._said and self.waits_for == self._said_of:
            return
        if is_due and self._outbox is not None:
            yield from self._paced(now_s, self._outbox)
        self.say(state, halt)

    def say(self, state: EngineState, halt: Halt | None) -> None:
        """Write the record."""
        self._said, self._said_s = state, self._task.clock.monotonic()
        self._said_of = self.waits_for
        bytes_per_s, files_per_s = self._rates()
        files_left, bytes_left = self._left()
        outbox = self._outbox
        next_look = ""
        if halt is not None and state is EngineState.PARKED:
            now = datetime.fromisoformat(self._task.clock.now())
            next_look = (now + timedelta(seconds=halt.next_look_s)).isoformat(timespec="seconds")
        self._journal.says(
            EngineRecord(
                run=self._task.run,
                pid=os.getpid(),
                host=socket.gethostname(),
                state=state,
                cause=self._cause(state, halt),
                roots=tuple(str(root.root.path) for root in self._task.roots),
                files_done=outbox.files_done if outbox else 0,
                files_left=files_left,
                bytes_done=outbox.bytes_done if outbox else 0,
                bytes_left=bytes_left,
                bytes_per_s=bytes_per_s,
                files_per_s=files_per_s,
                at_once=self._levers.controller.permits,
                limit_bytes_per_s=self._levers.bandwidth.limit_bytes_per_s,
                next_look=next_look,
            )
        )

    def _cause(self, state: EngineState, halt: Halt | None) -> str:
        if state is EngineState.WATCHING:
            return self.waits_for
        return halt.cause if halt is not None and state is EngineState.PARKED else ""

    def _paced(self, now_s: float, outbox: Outbox) -> Iterator[Event]:
        mark = (now_s, outbox.moved_bytes, outbox.files_done)
        has_moved = bool(self._marks) and self._marks[-1][1:] != mark[1:]
        self._marks.append(mark)
        while len(self._marks) > 2 and now_s - self._marks[0][0] > RATE_OVER_S:
            self._marks.popleft()
        if not has_moved:
            return
        bytes_per_s, files_per_s = self._rates()
        files_left, bytes_left = self._left()
        yield self._task.event(
            TransferPaced,
            bytes_per_s=bytes_per_s,
            files_per_s=files_per_s,
            at_once=self._levers.controller.permits,
            chunk_bytes=self._levers.chunks.choose(0),
            limit_bytes_per_s=self._levers.bandwidth.limit_bytes_per_s,
            files_left=files_left,
            bytes_left=bytes_left,
        )

    def _rates(self) -> tuple[float, float]:
        """Bytes and files a second over the latest seconds."""
        if len(self._marks) < 2:
            return 0.0, 0.0
        (start_s, start_bytes, start_files), (end_s, end_bytes, end_files) = self._marks[0], self._marks[-1]
        span_s = max(end_s - start_s, 1e-3)
        return round((end_bytes - start_bytes) / span_s, 1), round((end_files - start_files) / span_s, 2)

    def _left(self) -> tuple[int, int]:
        """Files and bytes of the line that have no outcome yet."""
        if self._outbox is None:
            return 0, 0
        counts = self._journal.waiting(self._task.run)
        standings = (Standing.WAITING, Standing.TAKEN, Standing.PAUSED, Standing.SET_ASIDE)
        found = [counts.get(standing, (0, 0)) for standing in standings]
        return sum(files for files, _ in found), sum(size for _, size in found)
