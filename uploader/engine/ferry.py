"""The ferry: carries out a plan. May be killed at any instruction and run again: nothing lost, nothing twice.

One thread (this one) talks to the catalog and yields events; workers bring bytes to the store. Every step is in the
journal before it is reported.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from uploader.engine.carry import Carried
from uploader.engine.crew import Crew
from uploader.engine.founding import Parents
from uploader.engine.linking import link_files
from uploader.engine.loading import Loading
from uploader.engine.outcomes import NOTHING_TO_DO, refused, result_of, settled
from uploader.engine.plan import Plan, decider
from uploader.engine.registrar import Registrar
from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Entry
from uploader.model.errors import Cancelled, ChecksumMismatch, RemoteError, Retry, UploaderError
from uploader.model.events import Event, FileFinished, Parked
from uploader.model.files import Action, FileResult, Outcome
from uploader.model.ports import Ports
from uploader.stages.batches import batched

log = logging.getLogger(__name__)

PAGE = 100
"""Entries loaded at a time: one look-up and one set of namespaces for each page."""

TO_DO = (Action.NEW, Action.CHANGED_BYTES, Action.CHANGED_ROW, Action.MOVED)


@dataclass(slots=True)
class Tally:
    """What a ferry has done so far."""

    sent_bytes: int = 0
    parked: UploaderError | None = None


def ferry(task: Task, plan: Plan, ports: Ports, crew: Crew) -> Generator[Event, None, Tally]:
    """Carry out the journal's decisions of this run; what was left undone ends as cancelled."""
    tally = Tally()
    parents = Parents(task, plan, ports)
    registrar = Registrar(task, ports)
    try:
        _drop_stale_jobs(task, ports)
        parents.refresh()
        for root in task.roots:
            for batch in settled(task, root, ports, parents, decider(task, root, plan, ports)):
                yield from _finish(task, ports, batch)
            yield from _root(
                task, root, ports, Loading(task, root, plan, ports, parents), crew, registrar, tally
            )
    except RemoteError as error:
        # About the server, not about a file: everything is kept, a person is needed.
        yield from _park(task, tally, error)
    crew.stop()
    for carried in crew.rest():
        yield from _taken_in(task, ports, registrar, carried, tally)
    try:
        yield from _finish(task, ports, registrar.flush())
        for root in task.roots:
            link_files(task, root, ports, parents)
    except RemoteError as error:
        yield from _park(task, tally, error)
    why = "Stopped before this file was done." if tally.parked is None else tally.parked.summary
    for root in task.roots:
        yield from _left_undone(task, root, ports, why)
    return tally


def _drop_stale_jobs(task: Task, ports: Ports) -> None:
    """Cancel the uploads of bytes that have changed since: nobody will finish them, and they cost room."""
    for job in ports.journal.stale_jobs(task.target):
        try:
            ports.store.cancel_job(job.path)
        except RemoteError as error:
            if error.retry is not Retry.NEVER:
                raise
            # It may belong to another account by now; it is not worth a run.
            log.warning("the upload job %s cannot be cancelled: %s", job.path, error.summary)
        ports.journal.close_job(job.job_id)


def withhold(task: Task, plan: Plan, ports: Ports, why: str) -> Iterator[Event]:
    """Send nothing: say what became of the files that need nothing, and leave the others as they are."""
    parents = Parents(task, plan, ports)
    for root in task.roots:
        for batch in settled(task, root, ports, parents, decider(task, root, plan, ports)):
            yield from _finish(task, ports, batch)
        yield from _left_undone(task, root, ports, why)


def _root(
    task: Task,
    root: DroppedRoot,
    ports: Ports,
    loading: Loading,
    crew: Crew,
    registrar: Registrar,
    tally: Tally,
) -> Iterator[Event]:
    twins: list[Entry] = []
    entries = ports.journal.entries(task.run, task.target, root.root_id, by_dataset=True, actions=TO_DO)
    for page in batched((entry for entry in entries if entry.outcome is None), PAGE):
        if task.stopped() or tally.parked is not None:
            return
        load = loading.page(page, crew)
        twins += load.twins
        yield from _finish(task, ports, load.finished)
        for cargo in load.rows_only:
            registrar.add(Carried(cargo))
        for cargo in load.cargo:
            yield from crew.events()
            for carried in crew.make_room():
                yield from crew.events()
                yield from _taken_in(task, ports, registrar, carried, tally)
            if task.stopped() or tally.parked is not None:
                return
            crew.send(cargo)
            if registrar.is_due():
                yield from _finish(task, ports, registrar.flush())
    yield from _ashore(task, ports, crew, registrar, tally)
    for page in batched(twins, PAGE):
        if not task.stopped() and tally.parked is None:
            yield from _finish(task, ports, loading.twins(page, crew))


def _ashore(task: Task, ports: Ports, crew: Crew, registrar: Registrar, tally: Tally) -> Iterator[Event]:
    """Take in everything that is under way, and its rows."""
    while crew.is_busy and not task.stopped() and tally.parked is None:
        for carried in crew.wait():
            yield from _taken_in(task, ports, registrar, carried, tally)
        yield from crew.events()
        if registrar.is_due() or not crew.is_busy:
            yield from _finish(task, ports, registrar.flush())
    yield from _finish(task, ports, registrar.flush())


def _taken_in(
    task: Task, ports: Ports, registrar: Registrar, carried: Carried, tally: Tally
) -> Iterator[Event]:
    """Hand a stored file to the registrar, or say why it is not stored."""
    error = carried.error
    if error is None:
        tally.sent_bytes += carried.sent.sent_bytes if carried.sent else 0
        registrar.add(carried)
        return
    if isinstance(error, Cancelled):
        return
    is_of_this_file = error.retry is Retry.NEVER or isinstance(error, ChecksumMismatch)
    if isinstance(error, RemoteError) and not is_of_this_file:
        # Retried in vain, no login, or no room: true for every other file as well.
        yield from _park(task, tally, error)
        return
    entry, root = carried.cargo.candidate.entry, carried.cargo.root
    yield from _finish(task, ports, [(entry.entry_id, refused(entry, root, error))])


def _finish(task: Task, ports: Ports, results: Sequence[tuple[int, FileResult]]) -> Iterator[Event]:
    """Journal outcomes, then tell of them."""
    if results:
        ports.journal.finish(results)
    for _, result in results:
        yield task.event(FileFinished, result=result)


def _park(task: Task, tally: Tally, error: UploaderError) -> Iterator[Event]:
    if tally.parked is None:
        tally.parked = error
        remedy = (
            error.remedy or "Run the same command again once the cause is gone; it goes on where it stopped."
        )
        yield task.event(Parked, cause=error.summary, remedy=remedy)


def _left_undone(task: Task, root: DroppedRoot, ports: Ports, why: str) -> Iterator[Event]:
    """Files the run did not come to: kept as they are, taken up by the next run."""
    entries = ports.journal.entries(task.run, task.target, root.root_id)
    for batch in batched((entry for entry in entries if entry.outcome is None), 500):
        yield from _finish(task, ports, [(entry.entry_id, _cancelled(entry, root, why)) for entry in batch])


def _cancelled(entry: Entry, root: DroppedRoot, why: str) -> FileResult:
    if entry.action in NOTHING_TO_DO:
        return result_of(entry, root, NOTHING_TO_DO[entry.action])
    result = result_of(entry, root, Outcome.CANCELLED)
    return replace(result, error=f"{why} What was acknowledged is kept; run again to go on.")
