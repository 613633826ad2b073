"""What the engine asks of the world, as Protocols: object store, catalog, journal, extractor, clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

from uploader.model.control import CommandQueue, History, Lineup
from uploader.model.entries import (
    Acknowledged,
    Decision,
    Delivery,
    Entry,
    Found,
    HeldDelivery,
    Job,
    Purpose,
)
from uploader.model.events import Event
from uploader.model.files import Action, Digest, FileResult, Proof, Root, SourceFile, Stored
from validation.facts import CatalogFacts
from validation.instruments.model import Header, Preview
from validation.model import Issue

Row: TypeAlias = Mapping[str, Any]


class ObjectStore(Protocol):
    """A Hatrac. Names are percent-encoded absolute paths (`/hatrac/a/b%20c.tif`).

    Every call may raise the RemoteError tree; `NotFound`, `Conflict` and so on mean what PROTOCOL.md says.
    """

    def ensure_namespaces(self, names: Iterable[str]) -> None:
        """Create the namespaces (and parents) that are missing; call from one thread only."""

    def head(self, name: str) -> Stored | None:
        """The current version of the object, or None when the name is free to write.

        Raises Conflict when the name is dead (deleted) for ever.
        """

    def put(
        self,
        name: str,
        body: bytes | memoryview,
        *,
        md5: bytes,
        sha256: bytes | None = None,
        content_type: str,
        filename: str,
        only_new: bool,
    ) -> Stored:
        """Store a small object in one request; with `only_new` raises Conflict (412) if a version exists."""

    def open_job(
        self,
        name: str,
        *,
        size_bytes: int,
        chunk_bytes: int,
        content_type: str,
        filename: str,
        md5: bytes | None = None,
        sha256: bytes | None = None,
    ) -> str:
        """Open an upload job and return its path (`NAME;upload/JOB`)."""

    def jobs(self, name: str) -> Sequence[str]:
        """Paths of the open jobs of this name."""

    def put_chunk(self, job: str, index: int, body: bytes | memoryview, md5: bytes) -> None:
        """Send one chunk with its MD5; returns when the server has acknowledged it."""

    def finalise(self, job: str) -> Stored:
        """Publish the job's object. NotFound may mean that an earlier finalise got through."""

    def cancel_job(self, job: str) -> None:
        """Drop the job and its chunks; a job that is already gone is fine."""

    def set_checksums(self, url: str, *, md5: bytes, sha256: bytes | None) -> None:
        """Set the write-once checksums of a version and read them back; Conflict if other ones are there."""

    def read(self, url: str) -> Iterator[bytes]:
        """Stream an object's bytes."""


class Catalog(Protocol):
    """An ERMrest catalog. Tables are `schema:table`. One thread writes."""

    @property
    def server(self) -> str:
        """Identity of the server: its host, or the UUID of an embedded one."""

    @property
    def catalog_id(self) -> str:
        """The catalog's id on the server."""

    def facts(self) -> CatalogFacts:
        """Tables, columns, keys and rights, from one request that is kept for the run."""

    def annotations(self) -> Mapping[str, Any]:
        """The catalog's annotations."""

    def rows_by_key(
        self,
        table: str,
        column: str,
        values: Sequence[Any],
        *,
        where: Row | None = None,
        columns: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Rows (or only these columns of them) whose `column` is any of `values` and which equal `where`.

        Batched under the server's URL limit: requests grow with batches of about 100, not with values.
        """

    def rows(
        self, table: str, where: Row, *, columns: Sequence[str] | None = None, page: int = 2000
    ) -> Iterator[dict[str, Any]]:
        """All rows (or only these columns, RID always among them) that equal `where`, in pages by RID."""

    def query(self, path: str) -> list[dict[str, Any]]:
        """Rows of an ERMrest path as a spec writes it (`/entity/…`, `/attribute/…`)."""

    def insert(self, table: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Insert rows and return those really inserted; rows whose key exists are skipped (match by key)."""

    def update(
        self, table: str, rows: Sequence[Row], *, by: Sequence[str], columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Update `columns` of the rows that the `by` columns find; returns the rows changed."""


class Extractor(Protocol):
    """Reads headers and previews, in this process or in killable workers; never raises for bad data."""

    def headers(self, paths: Iterable[Path]) -> Iterator[Header]:
        """One header per path, in order."""

    def preview(self, path: Path, max_px: int = 512) -> Preview:
        """A preview of the file."""

    def close(self) -> None:
        """End the workers."""


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> str:
        """UTC as RFC 3339."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class OpensFiles(Protocol):
    """Opens a source for reading; a seam for fault injection."""

    def __call__(self, path: Path) -> BinaryIO:
        """Open the file for reading its bytes."""


class Journal(Lineup, CommandQueue, History, Protocol):
    """Our durable memory; its line, commands and history are in `control`.

    Every call commits before it returns; may be called from any thread.

    Raises the JournalError tree. A target is one catalog of one server; entries belong to a root and a target,
    deliveries to a target alone.
    """

    # targets, roots, runs -------------------------------------------------------------------

    def target(self, server: str, catalog: str) -> int:
        """Id of the target, made when new."""

    def root(self, root: Root) -> int:
        """Id of the dropped root, made when new."""

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

    def finish_run(self, run: str, *, outcomes: Mapping[str, int], interrupted: bool, receipt: str) -> None:
        """Note how a run ended."""

    def append(self, events: Sequence[Event]) -> None:
        """Add events to the run's log."""

    # survey ---------------------------------------------------------------------------------

    def record(self, run: str, target: int, root: int, found: Sequence[Found]) -> None:
        """Insert or refresh the entries of these files as seen by this run; action and outcome become unknown."""

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
        """Entries of this run ordered by path (or by dataset, then path), read in pages: bounded memory.

        With `undone` only those without an outcome. The caller may write entries while it iterates.
        """

    def vanished(self, run: str, target: int, root: int) -> Iterator[Entry]:
        """Entries of earlier runs of this root and target that this run did not see."""

    def add_issues(self, issues: Sequence[tuple[int, Sequence[Issue]]]) -> None:
        """Add findings to entries (entry id, findings)."""

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Write what the survey decided."""

    def counts(self, run: str, target: int, root: int) -> Mapping[Action, tuple[int, int]]:
        """Action -> (files, bytes) of the run's entries."""

    def finish(self, results: Sequence[tuple[int, FileResult]]) -> None:
        """Write the outcomes of entries (entry id, result), in one transaction."""

    def results(self, run: str) -> Iterator[FileResult]:
        """Every finished file of the run, ordered by root and path, read in pages."""

    # scratch paper of a run -----------------------------------------------------------------

    def note(self, run: str, kind: str, notes_by_key: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep values (plain JSON) under their keys until the run ends, out of memory; a key may have several."""

    def noted(self, run: str, kind: str, keys: Sequence[str]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Key -> the values kept under it, in the order they came; keys without any are not in it."""

    def drop_notes(self, run: str, kind: str) -> None:
        """Forget what was noted of this kind."""

    # caches by source identity --------------------------------------------------------------

    def headers(self, identities: Sequence[str]) -> Mapping[str, Header]:
        """Cached headers of these source identities."""

    def save_headers(self, headers: Mapping[str, Header]) -> None:
        """Keep headers by source identity."""

    def digests(self, identities: Sequence[str]) -> Mapping[str, Digest]:
        """Cached digests of these source identities."""

    def save_digests(self, digests: Mapping[str, Digest]) -> None:
        """Keep digests by source identity, in one transaction."""

    # deliveries -----------------------------------------------------------------------------

    def deliveries(self, target: int, table: str, row_keys: Sequence[str]) -> Mapping[str, Delivery]:
        """Row key -> delivery, for those that exist."""

    def delivered(self, target: int, digests: Sequence[str]) -> Mapping[str, Delivery]:
        """SHA-256 -> a registered delivery with these bytes, to recognise moved files."""

    def intend(
        self, target: int, table: str, row_key: str, object_name: str, source: SourceFile, path: str
    ) -> Delivery:
        """The delivery, made or re-opened at INTENDED for these bytes; journalled before anything is sent.

        A delivery that is STORED for the same source identity and object name is returned as it is, so that
        a killed run goes on; jobs of other bytes are marked abandoned.
        """

    def stored(
        self,
        delivery_id: int,
        stored: Stored,
        digest: Digest,
        *,
        preview_url: str = "",
        source_identity: str | None = None,
    ) -> None:
        """The server has acknowledged the object: INTENDED -> STORED; with an identity the digest is cached too."""

    def stored_all(self, acknowledged: Sequence[Acknowledged]) -> None:
        """`stored` for many; all of them or none."""

    def registered(self, rows: Sequence[tuple[int, str, str, Row]]) -> None:
        """(delivery id, RID, row digest, columns written): STORED (or INTENDED, no object) -> REGISTERED."""

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

    def held(self, target: int, after: int, limit: int) -> list[HeldDelivery]:
        """The next deliveries of a target by number, after that one: to look through all of them."""

    def reopen(self, delivery_id: int) -> None:
        """The server has lost the object: STORED or REGISTERED -> INTENDED, to be sent again."""

    def forget(self, delivery_id: int) -> bool:
        """Drop a delivery of which nothing was ever acknowledged, and its jobs; whether it was there."""

    # jobs -----------------------------------------------------------------------------------

    def job(self, delivery_id: int) -> Job | None:
        """The open job of a delivery with its acknowledged chunks."""

    def open_job(
        self, delivery_id: int, path: str, *, chunk_bytes: int, size_bytes: int, source_identity: str
    ) -> Job:
        """Note a job the server has opened."""

    def chunk(self, job_id: int, index: int, md5: str) -> None:
        """The server has acknowledged a chunk."""

    def close_job(self, job_id: int) -> None:
        """The job is finalised, cancelled or gone: forget it and its chunks."""

    def stale_jobs(self, target: int) -> list[Job]:
        """Jobs whose bytes are no longer wanted: to be cancelled on the server, then closed."""

    # life -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Finish writing and let go of the file."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The world an engine works with, as bootstrap wired it."""

    store: ObjectStore
    catalog: Catalog
    journal: Journal
    extractor: Extractor
    clock: Clock
