"""The one flow: survey, plan, ferry, receipt. Start reading here."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag

from uploader.engine.choice import Choice, Everything
from uploader.engine.control.besides import besides
from uploader.engine.control.commands import Orders
from uploader.engine.control.levers import Levers
from uploader.engine.control.lookout import Lookout
from uploader.engine.control.steering import Steering
from uploader.engine.ferry import Tally, ferry, withhold
from uploader.engine.limits import Limits
from uploader.engine.pacing.chunk_size import HASHED_AHEAD
from uploader.engine.plan import Plan
from uploader.engine.survey import survey
from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Purpose
from uploader.model.events import Event, FileFinished, FilePlanned, PlanMade, RunFinished, RunStarted
from uploader.model.files import Action, Outcome, Root
from uploader.model.ports import Ports
from uploader.report.receipt import ReceiptHead, default_path, write_receipt
from uploader.stages.match import Sidecars
from uploader.stages.transfer import Wire
from validation.check import Depth
from validation.model import Issue, Report
from validation.spec.matching import Matcher
from validation.spec.model import Spec

EVENTS_AT_ONCE = 200
"""Events are journalled in batches of at most this many."""

_CAME_ABOUT = frozenset(
    outcome.value for outcome in (Outcome.NEW, Outcome.UPDATED, Outcome.FAILED, Outcome.CANCELLED)
)
"""Outcomes of files with which a run has done something, or meant to."""

EVENTS_EVERY_S = 0.5
"""And at least this often, so that others can follow the run."""


@dataclass(slots=True)
class _Seen:
    """What a run's events say about it, for its last event and its report."""

    started: str = ""
    started_s: float = 0.0
    plan: Plan = field(default_factory=Plan)
    task: Task | None = None
    steering: Steering | None = None


class Engine:
    """Surveys and ferries a set of dropped folders by one spec to one target."""

    def __init__(
        self,
        ports: Ports,
        *,
        roots: Sequence[Root],
        spec: Spec,
        offline: bool,
        state_dir: Path,
        identity: Mapping[str, str] | None = None,
        on_stop: Callable[[], None] = lambda: None,
        levers: Levers | None = None,
        choice: Choice | None = None,
    ) -> None:
        self._ports, self._spec, self._offline, self._state_dir = ports, spec, offline, state_dir
        self._roots = tuple(roots)
        self._identity = identity or {}
        self._on_stop = on_stop
        self._levers = levers or Levers.of(Limits(), ports.clock)
        self._choice = choice
        self._orders = Orders()
        self._stopping = Flag()
        self._seen = _Seen()
        self._standing_by: tuple[Task, Steering] | None = None

    def is_stopped(self) -> bool:
        """Whether somebody has asked it to end."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ask the run to end: what is under way is finished or kept; may be called from a signal handler."""
        # Flags only: a signal handler must not wait for a lock that the thread below it holds.
        self._stopping.set()
        self._levers.ending.stop()
        self._on_stop()

    def run(
        self, *, dry_run: bool, strict: bool, depth: Depth, receipt: Path | None = None, hold: bool = False
    ) -> Iterator[Event]:
        """Survey, and unless it is a dry run, ferry; closing the iterator ends the run without leaking a thread.

        With `hold` the engine waits after the survey until it is told to resume. Raises UploaderError when the
        run cannot begin or the survey cannot go on; nothing was sent then.
        """
        return self._journalled(
            self._flow(dry_run=dry_run, strict=strict, depth=depth, receipt=receipt, hold=hold)
        )

    def survey(self, depth: Depth) -> Iterator[Event]:
        """The survey alone; `report` then holds its findings."""
        return self._journalled(self._check(depth))

    def stand_by(self, depth: Depth, lookout: Lookout) -> Iterator[Event]:
        """Take commands and say that it watches, until `lookout` has work for a run or somebody stops the engine.

        The next `run` is the one that stood by; one that is stopped before ends here.
        """
        return self._journalled(self._stand_by(depth, lookout), every_s=0.0)

    def _stand_by(self, depth: Depth, lookout: Lookout) -> Generator[Event, None, None]:
        task, steering = self._begun(depth, Purpose.WATCH)
        clock = self._ports.clock
        self._seen = _Seen(clock.now(), clock.monotonic(), task=task, steering=steering)
        yield from steering.stand_by(lookout)
        if task.stopped():
            # Nothing was begun, so nothing was interrupted.
            yield self._finished(Tally(), "", interrupted=False)
        else:
            self._standing_by = (task, steering)

    def report(self) -> Report:
        """Every finding of the latest survey."""
        task, plan = self._seen.task, self._seen.plan
        if task is None:
            raise RuntimeError("nothing was surveyed yet")
        of_files: list[Issue] = []
        files = 0
        for root in task.roots:
            for entry in self._ports.journal.entries(task.run, task.target, root.root_id):
                files += 1
                of_files += entry.issues
        not_run = tuple(found.code for found in plan.issues if found.code == "catalog.not_checked")
        subject = ", ".join(str(root.path) for root in self._roots)
        return Report((*plan.issues, *of_files), files, not_run, subject)

    def _check(self, depth: Depth) -> Generator[Event, None, None]:
        yield from self._surveyed(depth, Purpose.CHECK)
        yield self._finished(Tally(), "")

    def _flow(
        self, *, dry_run: bool, strict: bool, depth: Depth, receipt: Path | None, hold: bool
    ) -> Generator[Event, None, None]:
        purpose = Purpose.DRY_RUN if dry_run else self._carrying
        planned = yield from self._surveyed(depth, purpose, strict=strict)
        if dry_run:
            yield self._finished(Tally(), "")
            return
        task, plan = self._seen.task, self._seen.plan
        if task is None:
            raise AssertionError("the survey has made the task")
        if planned.held_by_strict or task.stopped():
            why = "Stopped before anything was sent."
            if planned.held_by_strict:
                why = "Nothing was sent: something is held and --strict is set."
            tally = yield from withhold(task, plan, self._ports, why)
        else:
            tally = yield from self._sent(task, plan, hold=hold)
        # A watched folder has runs without end: one in which nothing came about leaves no receipt.
        is_idle = self._choice is not None and not tally.outcomes.keys() & _CAME_ABOUT
        written = "" if is_idle else str(self._write_receipt(task, receipt))
        yield self._finished(tally, written)

    def _sent(self, task: Task, plan: Plan, *, hold: bool) -> Generator[Event, None, Tally]:
        ports, levers, steering = self._ports, self._levers, self._seen.steering
        if steering is None:
            raise AssertionError("the survey has made what steers")
        ports.journal.line_up(task.run, levers.limits.order)
        # How many chunks are under way is the gate's business; the other threads hash ahead of it.
        workers = levers.limits.most_at_once + HASHED_AHEAD
        with ThreadPoolExecutor(workers, thread_name_prefix="chunk") as threads:
            wire = Wire(ports.store, ports.journal, threads, sizes=levers.chunks)
            return (yield from ferry(task, plan, ports, wire, steering, hold=hold))

    def _surveyed(
        self, depth: Depth, purpose: Purpose, *, strict: bool = False
    ) -> Generator[Event, None, PlanMade]:
        ports = self._ports
        dry_run = purpose is not self._carrying
        task, steering = self._begun(depth, purpose)
        self._seen = _Seen(ports.clock.now(), ports.clock.monotonic(), task=task, steering=steering)
        yield task.event(
            RunStarted,
            roots=tuple(str(root.path) for root in self._roots),
            server=ports.catalog.server,
            catalog=ports.catalog.catalog_id,
            spec_id=self._spec.id,
            spec_version=self._spec.version,
            spec_digest=self._spec.digest,
            dry_run=dry_run,
        )
        self._levers.ending.begin_run()
        self._seen.plan = yield from besides(
            survey(task, ports, show_all=dry_run),
            steering.look if not dry_run else lambda: iter(()),
            self._levers.ending.end_run,
        )
        planned = self._planned(task, strict=strict)
        yield planned
        return planned

    @property
    def _carrying(self) -> Purpose:
        return Purpose.UPLOAD if self._choice is None else Purpose.WATCH

    def _begun(self, depth: Depth, purpose: Purpose) -> tuple[Task, Steering]:
        """The run that stood by, or a new one."""
        journal = self._ports.journal
        if self._standing_by is not None:
            begun, self._standing_by = self._standing_by, None
            journal.set_out(begun[0].run)
            return begun
        task = self._task(depth)
        journal.start_run(
            task.run,
            target=task.target,
            roots=[root.root_id for root in task.roots],
            spec_id=self._spec.id,
            spec_version=self._spec.version,
            spec_digest=self._spec.digest,
            purpose=purpose,
        )
        return task, Steering(task, journal, self._levers, self.stop, self._orders)

    def _task(self, depth: Depth) -> Task:
        journal = self._ports.journal
        catalog = self._ports.catalog
        return Task(
            run=secrets.token_hex(8),
            target=journal.target(catalog.server, catalog.catalog_id),
            roots=tuple(
                DroppedRoot(root, journal.root(root), Matcher(self._spec, root.path.as_posix()), Sidecars())
                for root in self._roots
            ),
            spec=self._spec,
            depth=depth,
            offline=self._offline,
            identity=self._identity,
            clock=self._ports.clock,
            stopped=self._stopping.is_set,
            choice=self._choice or Everything(),
        )

    def _planned(self, task: Task, *, strict: bool) -> PlanMade:
        files: Counter[str] = Counter()
        files_to_send = bytes_to_send = 0
        for root in task.roots:
            counts = self._ports.journal.counts(task.run, task.target, root.root_id)
            for action, (number, size_bytes) in counts.items():
                files[action.value] += number
                if action in {Action.NEW, Action.CHANGED_BYTES}:
                    files_to_send += number
                    bytes_to_send += size_bytes
        left = sum(files[action.value] for action in (Action.HELD, Action.CONFLICT, Action.UNMATCHED))
        # A folder that could not be opened holds files that nobody has counted.
        left += sum(found.code == "source.folder_unreadable" for found in self._seen.plan.issues)
        return task.event(
            PlanMade,
            files=dict(files),
            bytes_to_send=bytes_to_send,
            files_to_send=files_to_send,
            held_by_strict=strict and left > 0,
        )

    def _write_receipt(self, task: Task, asked: Path | None) -> Path:
        catalog, seen = self._ports.catalog, self._seen
        head = ReceiptHead(
            run=task.run,
            started=seen.started,
            finished=self._ports.clock.now(),
            server=catalog.server,
            catalog=catalog.catalog_id,
            spec_id=self._spec.id,
            spec_version=self._spec.version,
            spec_digest=self._spec.digest,
            roots=tuple(str(root.path) for root in self._roots),
            interrupted=task.stopped(),
            issues=seen.plan.issues,
        )
        path = asked or default_path(self._state_dir, task.run, seen.started)
        results = self._ports.journal.results(task.run)
        if self._choice is not None:
            # Every run of a watched folder sees all of it; listing each time what has lain there for long would
            # fill the disk.
            results = (result for result in results if result.outcome is not Outcome.SAME)
        write_receipt(path, head, results)
        return path

    def _finished(self, tally: Tally, receipt: str, *, interrupted: bool | None = None) -> Event:
        seen, task = self._seen, self._seen.task
        if task is None:
            raise AssertionError("a run that finishes has begun")
        interrupted = task.stopped() if interrupted is None else interrupted
        if seen.steering is not None:
            seen.steering.finished()
        self._ports.journal.finish_run(
            task.run, outcomes=dict(tally.outcomes), interrupted=interrupted, receipt=receipt
        )
        return task.event(
            RunFinished,
            outcomes=dict(tally.outcomes),
            sent_bytes=tally.sent_bytes,
            duration_s=round(self._ports.clock.monotonic() - seen.started_s, 3),
            interrupted=interrupted,
            receipt=receipt,
        )

    def _journalled(self, events: Iterator[Event], *, every_s: float = EVENTS_EVERY_S) -> Iterator[Event]:
        """The events, each batch in the journal; what was not yet written is written when the run ends."""
        clock = self._ports.clock
        waiting: list[Event] = []
        written_s = clock.monotonic()
        try:
            for event in events:
                if self._is_old_news(event):
                    continue
                if not isinstance(event, FilePlanned):
                    # What would be done with each file stands in its entry; the log need not repeat it.
                    waiting.append(event)
                now_s = clock.monotonic()
                if len(waiting) >= EVENTS_AT_ONCE or now_s - written_s >= every_s:
                    self._ports.journal.append(waiting)
                    waiting, written_s = [], now_s
                yield event
        finally:
            if isinstance(events, Generator):
                events.close()
            self._ports.journal.append(waiting)

    def _is_old_news(self, event: Event) -> bool:
        """Whether it says of a file of a watched folder what every run would say again: nothing came about."""
        return (
            self._choice is not None
            and isinstance(event, FileFinished)
            and event.result.outcome is Outcome.SAME
        )
