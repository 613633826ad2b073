"""The ferry: carries out a plan. May be killed at any instruction and run again: nothing lost, nothing twice.

This thread conducts: it takes commands and tells what happens. A loader takes files out of the journal's line, a
crew brings their bytes to the store, one thread writes their rows. Every step is in the journal before it is
reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from types import TracebackType

from uploader.engine.aside import Aside
from uploader.engine.control.steering import Steering
from uploader.engine.crew import Crew
from uploader.engine.founding import Parents
from uploader.engine.in_hand import InHand
from uploader.engine.loader import Loader
from uploader.engine.outbox import Outbox
from uploader.engine.outcomes import cancelled, settled
from uploader.engine.plan import Plan, decider
from uploader.engine.registering import Registering
from uploader.engine.task import DroppedRoot, Task
from uploader.model.errors import RemoteError, UploaderError
from uploader.model.events import Event, Parked
from uploader.model.ports import Ports
from uploader.stages.batches import batched
from uploader.stages.transfer import Wire

LISTEN_S = 0.1
"""How long to wait for something to tell before looking at commands again."""

UNDONE_BATCH = 500


@dataclass(slots=True)
class Tally:
    """What a ferry has done."""

    outcomes: Counter[str] = field(default_factory=Counter)
    sent_bytes: int = 0
    parked: UploaderError | None = None


def ferry(
    task: Task, plan: Plan, ports: Ports, wire: Wire, steering: Steering, *, hold: bool = False
) -> Generator[Event, None, Tally]:
    """Carry out the journal's decisions of this run; what was left undone ends as cancelled.

    With `hold` nothing is sent before a person says so. Raises JournalError when our own memory cannot be written.
    """
    with Crossing(task, plan, ports, wire, steering) as crossing:
        outbox = crossing.outbox
        if hold:
            yield from steering.hold(lambda: iter(outbox.news(LISTEN_S)))
        crossing.begin()
        while not crossing.is_done():
            yield from outbox.news(LISTEN_S)
            yield from steering.look()
    yield from outbox.news(0)
    if outbox.trouble is not None:
        yield _parked(task, outbox.trouble)
    why = "Stopped before this file was done." if outbox.trouble is None else outbox.trouble.summary
    for root in task.roots:
        yield from _left_undone(task, root, ports, outbox, why)
    outcomes = steering.counted(outbox.outcomes)
    return Tally(outcomes, outbox.sent_bytes, outbox.trouble)


class Crossing:
    """All threads of a ferry: together they begin, and leaving the block ends every one of them."""

    def __init__(self, task: Task, plan: Plan, ports: Ports, wire: Wire, steering: Steering) -> None:
        self.in_hand = InHand()
        self.outbox = Outbox(task, ports.journal, self.in_hand)
        self._registering = Registering(task, ports, self.outbox, self.in_hand)
        self._levers = steering.levers
        aside = Aside(task, ports, self.in_hand, self.outbox)
        self._crew = Crew(
            task,
            wire,
            ports.extractor,
            in_hand=self.in_hand,
            outbox=self.outbox,
            registering=self._registering,
            aside=aside,
            levers=self._levers,
        )
        self.loader = Loader(
            task,
            plan,
            ports,
            wire,
            crew=self._crew,
            registering=self._registering,
            in_hand=self.in_hand,
            outbox=self.outbox,
            aside=aside,
        )
        steering.attach(self.loader, self.in_hand, self.outbox)

    def __enter__(self) -> Crossing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.outbox.end()
        self._levers.ending.end_run()
        self.loader.close()
        self._crew.close()
        # Last: what the crew has stored meanwhile gets its rows.
        self._registering.close()

    def begin(self) -> None:
        """Start the threads."""
        self._levers.ending.begin_run()
        self._registering.begin()
        self.loader.begin()

    def is_done(self) -> bool:
        """Whether nothing is left to do, or nothing more can be done."""
        return self.loader.is_done() or self.outbox.is_over


def withhold(task: Task, plan: Plan, ports: Ports, why: str) -> Generator[Event, None, Tally]:
    """Send nothing: say what became of the files that need nothing, and leave the others as they are."""
    outbox = Outbox(task, ports.journal, InHand())
    parents = Parents(task, plan, ports)
    for root in task.roots:
        for batch in settled(task, root, ports, parents, decider(task, root, plan, ports)):
            outbox.finish(batch)
            yield from outbox.news(0)
        yield from _left_undone(task, root, ports, outbox, why)
    return Tally(outbox.outcomes)


def _parked(task: Task, error: UploaderError) -> Event:
    if not isinstance(error, RemoteError):
        raise error
    remedy = error.remedy or "Run the same command again once the cause is gone; it goes on where it stopped."
    return task.event(Parked, cause=error.summary, remedy=remedy)


def _left_undone(task: Task, root: DroppedRoot, ports: Ports, outbox: Outbox, why: str) -> Iterator[Event]:
    """Files the run did not come to: kept as they are, taken up by the next run."""
    entries = ports.journal.entries(task.run, task.target, root.root_id)
    for batch in batched((entry for entry in entries if entry.outcome is None), UNDONE_BATCH):
        outbox.finish([(entry.entry_id, cancelled(entry, root, why)) for entry in batch])
        yield from outbox.news(0)
