"""The journal as the engine sees it: one object over the tables' plain functions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from uploader.journal import (
    caches,
    claims,
    deliveries,
    jobs,
    notes,
    pruning,
    repair,
    runs,
    survey,
)
from uploader.journal.connection import Database
from uploader.journal.opening import open_database
from uploader.journal.steering import SteeringJournal
from uploader.model.control import Intent
from uploader.model.entries import (
    Acknowledged,
    Decision,
    Delivery,
    Entry,
    Found,
    HeldDelivery,
    Job,
    Purpose,
    RunRecord,
)
from uploader.model.errors import JournalDamaged
from uploader.model.events import Event
from uploader.model.files import Action, Digest, FileResult, Proof, Root, SourceFile, Stored
from uploader.model.mounts import Volume, volume_of
from uploader.model.ports import Row
from validation.instruments.model import Header
from validation.model import Issue

log = logging.getLogger(__name__)


def _utc_now() -> str:
    return datetime.now(UTC).isoformat()


def open_journal(
    folder: Path,
    *,
    salvage: bool = False,
    volume: Callable[[Path], Volume] = volume_of,
    now: Callable[[], str] = _utc_now,
) -> SqliteJournal:
    """The journal of this state folder, made when new.

    Raises JournalError for an unfit folder, JournalTooNew for a newer program's file, JournalDamaged for a torn
    one; with `salvage`, for whoever runs unattended, what can be read of a torn one is saved into a new one.
    """
    try:
        return SqliteJournal(open_database(folder, volume=volume), now)
    except JournalDamaged:
        if not salvage:
            raise
    saved = repair.salvage(folder, now=now)
    log.warning("%s", saved.summary)
    return SqliteJournal(open_database(folder, volume=volume), now, salvaged=saved)


class SqliteJournal(SteeringJournal):
    """`ports.Journal` over SQLite; may be called from any thread, and several processes may share the file."""

    def __init__(
        self, database: Database, now: Callable[[], str], *, salvaged: repair.Salvage | None = None
    ) -> None:
        self.salvaged = salvaged
        """What was saved of a damaged file when this one was opened."""
        super().__init__(database, now)
        notes.prepare(database)

    def _today(self) -> int:
        """Days since 1970, UTC."""
        return (date.fromisoformat(self._now()[:10]) - date(1970, 1, 1)).days

    @property
    def path(self) -> Path:
        """Where the journal lies."""
        return self._database.path

    # targets, roots, runs -------------------------------------------------------------------

    def target(self, server: str, catalog: str) -> int:
        """Id of the target, made when new."""
        return runs.target_id(self._database, server, catalog)

    def root(self, root: Root) -> int:
        """Id of the dropped root, made when new."""
        return runs.root_id(self._database, root)

    def start_run(
        self,
        run: str,
        *,
        target: int,
        roots: Sequence[int],
        spec_id: str,
        spec_version: str,
        spec_digest: str,
        purpose: Purpose = Purpose.UPLOAD,
    ) -> None:
        """Note that a run begins, and what for."""
        runs.start_run(
            self._database,
            run,
            target=target,
            roots=roots,
            spec_id=spec_id,
            spec_version=spec_version,
            spec_digest=spec_digest,
            purpose=purpose,
            started=self._now(),
        )
        pruning.prune(self._database, today=self._today())

    def finish_run(self, run: str, *, outcomes: Mapping[str, int], interrupted: bool, receipt: str) -> None:
        """Note how a run ended."""
        runs.finish_run(
            self._database,
            run,
            outcomes=outcomes,
            interrupted=interrupted,
            receipt=receipt,
            finished=self._now(),
        )
        claims.forget(self._database, run)
        notes.forget(self._database, run)

    def runs(self, limit: int = 20) -> list[RunRecord]:
        """The latest runs, newest first."""
        return runs.latest(self._database, limit)

    def append(self, events: Sequence[Event]) -> None:
        """Add events to the run's log."""
        runs.append(self._database, events)

    # survey ---------------------------------------------------------------------------------

    def record(self, run: str, target: int, root: int, found: Sequence[Found]) -> None:
        """Insert or refresh the entries of these files as seen by this run."""
        survey.record(self._database, run, target, root, found)

    def entries(
        self,
        run: str,
        target: int,
        root: int,
        *,
        by_dataset: bool = False,
        actions: Sequence[Action] | None = None,
        undone: bool = False,
    ) -> Iterator[Entry]:
        """Entries of this run by path, or by dataset and path; the caller may write between them."""
        return survey.entries(
            self._database, run, target, root, by_dataset=by_dataset, actions=actions, undone=undone
        )

    def vanished(self, run: str, target: int, root: int) -> Iterator[Entry]:
        """Entries of earlier runs of this root and target that this run did not see."""
        return survey.vanished(self._database, run, target, root)

    def add_issues(self, issues: Sequence[tuple[int, Sequence[Issue]]]) -> None:
        """Add findings to entries (entry id, findings)."""
        survey.add_issues(self._database, issues)

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Write what the survey decided."""
        survey.decide(self._database, decisions)

    def counts(self, run: str, target: int, root: int) -> Mapping[Action, tuple[int, int]]:
        """Action -> (files, bytes) of the run's entries."""
        return survey.counts(self._database, run, target, root)

    def finish(self, results: Sequence[tuple[int, FileResult]]) -> None:
        """Write the outcomes of entries (entry id, result), in one transaction."""
        survey.finish(self._database, results, now=self._now())

    def results(self, run: str) -> Iterator[FileResult]:
        """Every finished file of the run, ordered by root and path."""
        return survey.results(self._database, run)

    # scratch paper of a run -----------------------------------------------------------------

    def note(self, run: str, kind: str, notes_by_key: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep values under their keys until the run ends, out of memory."""
        notes.note(self._database, run, kind, notes_by_key)

    def noted(self, run: str, kind: str, keys: Sequence[str]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Key -> the values kept under it, in the order they came; keys without any are not in it."""
        return notes.noted(self._database, run, kind, keys)

    def drop_notes(self, run: str, kind: str) -> None:
        """Forget what was noted of this kind."""
        notes.drop(self._database, run, kind)

    # caches by source identity --------------------------------------------------------------

    def headers(self, identities: Sequence[str]) -> Mapping[str, Header]:
        """Cached headers of these source identities."""
        return caches.headers(self._database, identities, today=self._today())

    def save_headers(self, headers: Mapping[str, Header]) -> None:
        """Keep headers by source identity."""
        caches.save_headers(self._database, headers, today=self._today())

    def digests(self, identities: Sequence[str]) -> Mapping[str, Digest]:
        """Cached digests of these source identities."""
        return caches.digests(self._database, identities, today=self._today())

    def save_digests(self, digests: Mapping[str, Digest]) -> None:
        """Keep digests by source identity, in one transaction."""
        caches.save_digests(self._database, digests, today=self._today())

    # deliveries -----------------------------------------------------------------------------

    def deliveries(self, target: int, table: str, row_keys: Sequence[str]) -> Mapping[str, Delivery]:
        """Row key -> delivery, for those that exist."""
        return deliveries.by_row_key(self._database, target, table, row_keys)

    def delivered(self, target: int, digests: Sequence[str]) -> Mapping[str, Delivery]:
        """SHA-256 -> a registered delivery with these bytes."""
        return deliveries.by_content(self._database, target, digests)

    def intend(
        self, target: int, table: str, row_key: str, object_name: str, source: SourceFile, path: str
    ) -> Delivery:
        """The delivery at INTENDED for these bytes, or as it is when they are already STORED there."""
        to = deliveries.Destination(target, table, row_key, object_name, source, path)
        return deliveries.intend(self._database, to)

    def intend_all(self, target: int, intents: Sequence[Intent]) -> list[Delivery]:
        """`intend` for many, in one transaction, in their order."""
        destinations = [
            deliveries.Destination(target, one.table, one.row_key, one.object_name, one.source, one.path)
            for one in intents
        ]
        return deliveries.intend_all(self._database, destinations)

    def stored(
        self,
        delivery_id: int,
        stored: Stored,
        digest: Digest,
        *,
        preview_url: str = "",
        source_identity: str | None = None,
    ) -> None:
        """The server has acknowledged the object: INTENDED -> STORED."""
        self.stored_all([Acknowledged(delivery_id, stored, digest, preview_url, source_identity)])

    def stored_all(self, acknowledged: Sequence[Acknowledged]) -> None:
        """`stored` for many; all of them or none."""
        deliveries.stored_all(self._database, acknowledged, today=self._today())

    def registered(self, rows: Sequence[tuple[int, str, str, Row]]) -> None:
        """(delivery id, RID, row digest, columns written): the server has acknowledged the rows."""
        deliveries.registered(self._database, rows)

    def adopt(
        self,
        target: int,
        table: str,
        row_key: str,
        object_name: str,
        source: SourceFile,
        path: str,
        digest: Digest,
        *,
        object_url: str,
        proof: Proof,
        rid: str,
        row_digest: str,
        written: Row,
    ) -> Delivery:
        """Note a delivery that was found complete in the catalog."""
        return deliveries.adopt(
            self._database,
            deliveries.Destination(target, table, row_key, object_name, source, path),
            digest,
            object_url=object_url,
            proof=proof,
            rid=rid,
            row_digest=row_digest,
            written=written,
        )

    def held(self, target: int, after: int, limit: int) -> list[HeldDelivery]:
        """The next deliveries of a target by number, after that one."""
        return deliveries.held(self._database, target, after, limit)

    def reopen(self, delivery_id: int) -> None:
        """The server has lost the object: to be sent again."""
        deliveries.reopen(self._database, delivery_id)

    def forget(self, delivery_id: int) -> bool:
        """Drop a delivery of which nothing was ever acknowledged, and its jobs; whether it was there."""
        return deliveries.forget(self._database, delivery_id)

    # jobs -----------------------------------------------------------------------------------

    def job(self, delivery_id: int) -> Job | None:
        """The open job of a delivery with its acknowledged chunks."""
        return jobs.wanted_job(self._database, delivery_id)

    def open_job(
        self, delivery_id: int, path: str, *, chunk_bytes: int, size_bytes: int, source_identity: str
    ) -> Job:
        """Note a job the server has opened."""
        return jobs.open_job(
            self._database,
            delivery_id,
            path,
            chunk_bytes=chunk_bytes,
            size_bytes=size_bytes,
            source_identity=source_identity,
        )

    def chunk(self, job_id: int, index: int, md5: str) -> None:
        """The server has acknowledged a chunk."""
        jobs.chunk(self._database, job_id, index, md5)

    def close_job(self, job_id: int) -> None:
        """The job is finalised, cancelled or gone: forget it and its chunks."""
        jobs.close_job(self._database, job_id)

    def stale_jobs(self, target: int) -> list[Job]:
        """Jobs whose bytes are no longer wanted: to be cancelled on the server, then closed."""
        return jobs.stale_jobs(self._database, target)

    # life -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Finish writing and let go of the file."""
        self._database.close()
