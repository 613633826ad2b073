"""The thread that takes files out of the journal's line, page by page, and readies them for the wire."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterable, Sequence

from uploader.engine.aside import Aside
from uploader.engine.carry import Carried, give_up
from uploader.engine.crew import Crew
from uploader.engine.founding import Parents
from uploader.engine.in_hand import InHand
from uploader.engine.linking import link_files
from uploader.engine.loading import Load, Loading
from uploader.engine.outbox import Outbox
from uploader.engine.outcomes import settled
from uploader.engine.plan import Plan, decider
from uploader.engine.registering import Registering
from uploader.engine.task import DroppedRoot, Task
from uploader.engine.worker_errors import as_trouble
from uploader.model.control import Lane, Standing
from uploader.model.entries import Entry
from uploader.model.errors import Cancelled, RemoteError, Retry, SourceError, UploaderError
from uploader.model.files import Digest
from uploader.model.ports import Ports
from uploader.stages.describe import Candidate
from uploader.stages.digest import digest_file
from uploader.stages.transfer import Wire

log = logging.getLogger(__name__)

PAGE = {Lane.SMALL: 64, Lane.LARGE: 4}
"""Entries taken at a time: one look-up and one transaction each; small, so that priorities count at once."""

HASHED_BATCH = 32
WAIT_S = 0.1


class Loader:
    """Begins with what is left of earlier runs, ends when the line is empty and every row is written."""

    def __init__(
        self,
        task: Task,
        plan: Plan,
        ports: Ports,
        wire: Wire,
        *,
        crew: Crew,
        registering: Registering,
        in_hand: InHand,
        outbox: Outbox,
        aside: Aside,
    ) -> None:
        self._task, self._plan, self._ports, self._wire = task, plan, ports, wire
        self._crew, self._registering, self._aside = crew, registering, aside
        self._in_hand, self._outbox = in_hand, outbox
        self._parents = Parents(task, plan, ports)
        self._loadings = {
            root.root_id: Loading(task, root, plan, ports, self._parents) for root in task.roots
        }
        self._thread = threading.Thread(target=self._work, name="load")
        self._is_dry = dict.fromkeys(Lane, False)
        self._given_up: queue.SimpleQueue[Entry] = queue.SimpleQueue()
        self.has_only_paused = False
        """Nothing is left but files that a person has paused."""
        self.is_closed = False
        """Nothing more is taken out of the line; changed only while `InHand.line` is held."""

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def is_done(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """Wait for the thread to end; the outbox tells it to."""
        self._crew.bell.set()
        if self._thread.ident is not None:
            self._thread.join()

    def stir(self) -> None:
        """The line was changed from outside: look at it again."""
        self._crew.stir()

    def drop_job(self, entry: Entry) -> None:
        """A person cancelled a file that may have an open upload job."""
        if self._crew.lane_of(entry) is Lane.LARGE:
            self._given_up.put(entry)
            self._crew.bell.set()

    def _work(self) -> None:
        try:
            self._prepare()
            while not self.is_closed:
                self._empty_the_line()
                for root in self._task.roots:
                    if not self._outbox.is_over:
                        link_files(self._task, root, self._ports, self._parents)
                self._close_the_line()
        except Exception as error:  # noqa: BLE001 - whatever it is ends the run with everything kept
            self._outbox.fail(as_trouble(error))

    def _prepare(self) -> None:
        drop_stale_jobs(self._task, self._ports)
        self._parents.refresh()
        for root in self._task.roots:
            deciding = decider(self._task, root, self._plan, self._ports)
            for batch in settled(self._task, root, self._ports, self._parents, deciding):
                self._outbox.finish(batch)
                if self._outbox.is_over:
                    return

    def _close_the_line(self) -> None:
        """Take nothing more, unless a person has put something into the line or cancelled it meanwhile."""
        with self._in_hand.line:
            left = self._ports.journal.waiting(self._task.run)
            has_more = any(left[standing][0] for standing in (Standing.WAITING, Standing.PAUSED))
            self.is_closed = self._outbox.is_over or (not has_more and self._given_up.empty())
        self._is_dry = dict.fromkeys(Lane, False)

    def _empty_the_line(self) -> None:
        bell = self._crew.bell
        while not self._outbox.is_over:
            bell.clear()
            if self._crew.stirred.is_set():
                self._crew.stirred.clear()
                self._is_dry = dict.fromkeys(Lane, False)
            if self._step():
                continue
            if all(self._is_dry.values()) and not len(self._in_hand) and self._is_the_end():
                return
            bell.wait(WAIT_S)

    def _step(self) -> bool:
        """Do whatever is due; whether anything was."""
        has_moved = False
        while not self._given_up.empty():
            self._drop_job(self._given_up.get())
        waiting = self._crew.hashed_waiting
        if waiting >= HASHED_BATCH or (waiting and self._crew.is_hungry()):
            self._take_hashed()
            has_moved = True
        for lane in Lane:
            if not self._is_dry[lane] and self._crew.has_room(lane):
                has_moved = self._next_page(lane) or has_moved
        if self._aside.is_due():
            looked = self._aside.look()
            self._aside.put_by(looked.twins)
            self._again(looked.still)
        return has_moved

    def _next_page(self, lane: Lane) -> bool:
        with self._in_hand.line:
            entries = self._ports.journal.next_up(
                self._task.run, lane, small_bytes=self._wire.small_bytes, limit=PAGE[lane]
            )
            self._in_hand.take(entries)
        self._is_dry[lane] = not entries
        self.has_only_paused = self.has_only_paused and not entries
        for loading, page in self._by_root(entries):
            self._take_on(loading, loading.page(page))
        return bool(entries)

    def _take_hashed(self) -> None:
        found: dict[int, list[tuple[Candidate, Digest | UploaderError]]] = {}
        for one in self._crew.hashed():
            entry = one.candidate.entry
            if isinstance(one.found, Cancelled):
                self._crew.end_early(entry, one.root)
            elif isinstance(one.found, SourceError):
                self._aside.set_aside(entry, one.root, one.found)
            else:
                found.setdefault(one.root.root_id, []).append((one.candidate, one.found))
        for root_id, hashed in found.items():
            loading = self._loadings[root_id]
            self._take_on(loading, loading.hashed(hashed))

    def _again(self, entries: Sequence[Entry]) -> None:
        for loading, page in self._by_root(entries):
            self._take_on(loading, loading.again(page))

    def _take_on(self, loading: Loading, load: Load) -> None:
        """Hand on a page to those who do the next step."""
        self._outbox.finish(load.finished)
        self._aside.put_by(load.twins)
        for candidate in load.to_hash:
            self._crew.hash(loading.root, candidate)
        for cargo in load.rows_only:
            self._in_hand.arrived(cargo.candidate.entry.entry_id)
            self._registering.put(Carried(cargo))
        for cargo in load.cargo:
            self._crew.send(cargo)

    def _is_the_end(self) -> bool:
        """Nothing waits and nothing is under way: look at those set aside, then at those paused."""
        looked = self._aside.look()
        self._again(looked.still)
        if looked.still or looked.waiting or len(self._in_hand) > len(looked.twins):
            self._aside.put_by(looked.twins)
            return False
        if self._ports.journal.waiting(self._task.run)[Standing.PAUSED][0]:
            # The file that a twin waits for may be among them.
            self._aside.put_by(looked.twins)
            self.has_only_paused = True
            return False
        left = self._settle_twins(looked.twins)
        self._in_hand.let_go(entry.entry_id for entry in left)
        return not (looked.twins and len(left) < len(looked.twins))

    def _settle_twins(self, entries: Sequence[Entry]) -> list[Entry]:
        """Settle files whose record another file of this run has made; returns those that it has not."""
        results = []
        for loading, page in self._by_root(entries):
            candidates = loading.candidates(page)
            results += loading.twins([(one, self._digest_of(loading.root, one)) for one in candidates])
        self._outbox.finish(results)
        done = {entry_id for entry_id, _ in results}
        return [entry for entry in entries if entry.entry_id not in done]

    def _digest_of(self, root: DroppedRoot, candidate: Candidate) -> Digest | UploaderError:
        if candidate.digest is not None:
            return candidate.digest
        source = candidate.entry.source
        try:
            return digest_file(root.root.path / source.path, source=source, stop=lambda: self._outbox.is_over)
        except SourceError as error:
            return error

    def _by_root(self, entries: Iterable[Entry]) -> list[tuple[Loading, list[Entry]]]:
        pages: dict[int, list[Entry]] = {}
        for entry in entries:
            pages.setdefault(entry.root_id, []).append(entry)
        return [(self._loadings[root_id], page) for root_id, page in pages.items()]

    def _drop_job(self, entry: Entry) -> None:
        loading = self._loadings[entry.root_id]
        for candidate in loading.candidates([entry]):
            known = self._ports.journal.deliveries(self._task.target, candidate.table, [candidate.row_key])
            for delivery in known.values():
                give_up(delivery, self._wire)


def drop_stale_jobs(task: Task, ports: Ports) -> None:
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
