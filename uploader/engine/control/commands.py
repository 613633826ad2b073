"""Carries out what a person asks of a running engine, and answers in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uploader.engine.control.levers import Levers
from uploader.engine.in_hand import InHand, Wish
from uploader.engine.loader import Loader
from uploader.engine.outbox import Outbox
from uploader.engine.outcomes import BY_A_PERSON, cancelled
from uploader.engine.task import DroppedRoot, Task
from uploader.model.control import Command, Verb
from uploader.model.ports import Journal

DROPPED_AT_ONCE = 500
AT_ANY_TIME = frozenset({Verb.STOP, Verb.LIMIT})
"""Commands that make sense before the line of files is known."""


@dataclass(slots=True)
class Orders:
    """What a person wants of an engine beyond the run in which they said so."""

    is_paused: bool = False
    """Everything is paused."""
    has_limit: bool = False
    """They have set the limit: the schedule no longer does."""


class Commands:
    """The verbs; for the conductor's thread."""

    def __init__(
        self, task: Task, journal: Journal, levers: Levers, stop: Callable[[], None], orders: Orders
    ) -> None:
        self._task, self._journal, self._levers, self._stop = task, journal, levers, stop
        self.orders = orders
        self._loader: Loader | None = None
        self.is_standing_by = False
        """There is no run yet, only folders that are watched."""
        self.wants_run = False
        """While standing by, a person has said retry: they want a run now."""
        self.is_told_to_send = False
        """A person has said resume: an engine that waits to begin begins."""
        self.has_retried = False
        """Files have had more than one outcome in this run."""

    def attach(self, loader: Loader, in_hand: InHand, outbox: Outbox) -> None:
        """The line is there, and those who work on it."""
        self._loader, self._in_hand, self._outbox = loader, in_hand, outbox

    def can_take(self, command: Command) -> bool:
        """Whether it can be carried out now, or has to wait for the survey to end."""
        if self._loader is not None or command.verb in AT_ANY_TIME:
            return True
        if self.is_standing_by and command.verb is Verb.RETRY:
            return True
        return not command.path and command.verb in (Verb.PAUSE, Verb.RESUME)

    def carry_out(self, command: Command) -> str:  # noqa: PLR0911 - one arm per verb
        """Do it; what was done, in words."""
        match command.verb:
            case Verb.STOP:
                self._stop()
                return "stopping; what is acknowledged is kept"
            case Verb.LIMIT:
                return self._limit(command.value)
            case Verb.PAUSE:
                return self._pause(command.path) if command.path else self._pause_all()
            case Verb.RESUME:
                return self._resume(command.path) if command.path else self._resume_all()
            case Verb.CANCEL:
                return self._cancel(command.path)
            case Verb.RETRY:
                return self._retry(command.path)
            case Verb.PRIORITISE:
                return self._prioritise(command.path, command.value)

    def _limit(self, value: str) -> str:
        if not value.isdecimal():
            return f"the limit {value!r} is no number of bytes per second; nothing was changed"
        self._levers.bandwidth.set_limit(int(value))
        self.orders.has_limit = True
        return f"limit {int(value):,} bytes per second" if int(value) else "no limit"

    def _pause_all(self) -> str:
        self.orders.is_paused = True
        self._levers.gate.close()
        return (
            f"everything is paused; {_counted(self._levers.gate.in_flight, 'request')} under way will finish"
        )

    def _resume_all(self) -> str:
        self.orders.is_paused, self.is_told_to_send = False, True
        self._levers.gate.open()
        resumed = 0 if self._loader is None else self._resume_files("")
        return (
            f"everything goes on; {_counted(resumed, 'paused file')} among it"
            if resumed
            else "everything goes on"
        )

    def _pause(self, path: str) -> str:
        count = 0
        for root, below in self._places(path):
            with self._in_hand.line:
                count += self._journal.pause_files(self._task.run, root.root_id, below)
                count += self._in_hand.wish(root.root_id, below, Wish.PAUSE)
        return f"{_counted(count, 'file')} paused"

    def _resume(self, path: str) -> str:
        return f"{_counted(self._resume_files(path), 'file')} resumed"

    def _resume_files(self, path: str) -> int:
        count = 0
        for root, below in self._places(path):
            with self._in_hand.line:
                count += self._in_hand.unwish(root.root_id, below)
                count += self._journal.resume_files(self._task.run, root.root_id, below)
        self._stir()
        return count

    def _cancel(self, path: str) -> str:
        count = 0
        for root, below in self._places(path):
            while more := self._cancel_some(root, below):
                count += more
        self._stir()
        return f"{_counted(count, 'file')} cancelled"

    def _cancel_some(self, root: DroppedRoot, below: str) -> int:
        """Cancel a page of what is left, and what the loader has taken since the page before."""
        with self._in_hand.line:
            count = self._in_hand.wish(root.root_id, below, Wish.CANCEL)
            entries = self._journal.drop_files(self._task.run, root.root_id, below, DROPPED_AT_ONCE)
            for entry in entries:
                if self._loader is not None:
                    self._loader.drop_job(entry)
        self._outbox.finish([(entry.entry_id, cancelled(entry, root, BY_A_PERSON)) for entry in entries])
        return count + len(entries)

    def _retry(self, path: str) -> str:
        if self.is_standing_by:
            self.wants_run = True
            return "looking at every file again"
        with self._in_hand.line:
            if self._loader is not None and self._loader.is_closed:
                return "the run is ending; the next one tries them again"
            count = sum(
                self._journal.retry_files(self._task.run, root.root_id, below)
                for root, below in self._places(path)
            )
        self.has_retried = self.has_retried or count > 0
        if self._levers.health is not None:
            self._levers.health.look_now()
        self._stir()
        return f"{_counted(count, 'file')} will be tried again"

    def _prioritise(self, path: str, value: str) -> str:
        try:
            priority = int(value or "1")
        except ValueError:
            return f"the priority {value!r} is no whole number; nothing was changed"
        count = sum(
            self._journal.prioritise(self._task.run, root.root_id, below, priority)
            for root, below in self._places(path)
        )
        return f"{_counted(count, 'file')} with priority {priority}"

    def _stir(self) -> None:
        if self._loader is not None:
            self._loader.stir()

    def _places(self, path: str) -> list[tuple[DroppedRoot, str]]:
        """Where an absolute path lies in the dropped folders: the root and the path below it ("": all of it)."""
        if not path:
            return [(root, "") for root in self._task.roots]
        named = Path(path)
        places = []
        for root in self._task.roots:
            if root.root.path.is_relative_to(named):
                places.append((root, ""))
            elif named.is_relative_to(root.root.path):
                places.append((root, named.relative_to(root.root.path).as_posix()))
        return places


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
