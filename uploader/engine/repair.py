"""Compares what the journal delivered with server and disk, and heals what has come apart (DESIGN 6.5).

Both directions: objects without a record, records without an object; and what was begun and never finished.
Bytes and rows are written by a plain upload: this only finds, forgets, cancels and marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from uploader.model.entries import Delivery, DeliveryState, HeldDelivery, Job
from uploader.model.errors import SourceError
from uploader.model.files import Digest, Proof, Stored
from uploader.model.ports import Catalog, Journal, ObjectStore
from uploader.stages.digest import digest_file
from uploader.stages.one_file import source_of

_NOWHERE = (
    "The file is gone and the server no longer holds its object."
    " Look for a copy, put it back and run this again."
)
_AWAY = "the folder of its file is not there now: connect its disk and run this again."

PAGE: Final = 200
ASKED_AT_ONCE: Final = 8


class Trouble(StrEnum):
    """What is wrong with a delivery."""

    NO_RECORD = "an object without a record"
    NO_OBJECT = "a record without its object"
    UNFINISHED = "begun and never finished"
    STRAY_JOB = "an upload job that nobody wants"


class Cure(StrEnum):
    """What heals it."""

    UPLOAD = "upload"
    """The next upload of its folder does what is missing."""
    SEND_AGAIN = "send-again"
    """The journal must learn that the object is lost; then the next upload sends it again."""
    ADOPT = "adopt"
    """The object is ours: the journal only missed the answer."""
    FORGET = "forget"
    """Nothing of it is left anywhere: the journal forgets it, and its upload jobs are cancelled."""
    CANCEL = "cancel"
    """Cancel the upload job on the server."""
    NONE = "none"
    """A person must decide; `why` says what there is."""


class OnDisk(StrEnum):
    """What the disk says of the file of a delivery."""

    SAME = "same"
    CHANGED = "changed"
    GONE = "gone"
    """Its dropped folder is there and it is not."""
    AWAY = "away"
    """Its dropped folder is not there either: a disk that is not connected says nothing about its files."""


@dataclass(frozen=True, slots=True)
class Ailment:
    """One delivery that has come apart, and what would heal it."""

    trouble: Trouble
    cure: Cure
    path: str
    """The file; absolute where the journal knows its dropped folder."""
    why: str
    """For a person: what there is, what is missing, what to do."""
    root: str = ""
    """The dropped folder that an upload must take."""
    delivery: Delivery | None = None
    """None for an upload job whose delivery goes its own way."""
    job: Job | None = None
    adopted: Stored | None = None
    """The object to be taken for ours."""

    @property
    def needs_upload(self) -> bool:
        """Whether an upload of `root` completes the cure."""
        return self.cure in (Cure.UPLOAD, Cure.SEND_AGAIN)

    def to_json(self) -> dict[str, str]:
        """One line of `nanoferry repair --json`."""
        held = self.delivery
        return {
            "schema": "nanoferry.ailment/1",
            "trouble": self.trouble.value,
            "cure": self.cure.value,
            "path": self.path,
            "root": self.root,
            "why": self.why,
            "object_url": held.object_url if held else "",
            "table": held.table if held else "",
            "rid": held.rid if held else "",
            "job": self.job.path if self.job else "",
        }


@dataclass(frozen=True, slots=True)
class _Known:
    """A delivery with what disk and server say of it."""

    held: HeldDelivery
    root: str
    file: Path
    disk: OnDisk
    has_row: bool

    def ailment(self, trouble: Trouble, cure: Cure, why: str) -> Ailment:
        """What is wrong with it. A file whose folder nobody knows can be uploaded by a person only."""
        return Ailment(trouble, cure, str(self.file), why, self.root, self.held.delivery)


class Examination:
    """Looks through the deliveries of one target."""

    def __init__(
        self,
        journal: Journal,
        store: ObjectStore,
        catalog: Catalog,
        *,
        roots: Sequence[Path] = (),
        within: Sequence[Path] = (),
        on_page: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`roots`: dropped folders to look for files in; `within`: only files at or below these folders."""
        self._journal, self._store, self._catalog = journal, store, catalog
        self._target = journal.target(catalog.server, catalog.catalog_id)
        self._roots = tuple(str(root) for root in roots)
        self._within, self._on_page = tuple(within), on_page

    def ailments(self) -> Iterator[Ailment]:
        """Everything that has come apart. Raises the RemoteError tree: no answer is not an answer."""
        after = looked_at = 0
        with ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="repair") as pool:
            while page := self._journal.held(self._target, after, PAGE):
                after = page[-1].delivery.delivery_id
                mine = [(each, place) for each in page if self._is_wanted(place := self._place(each))]
                rows = self._rows([each.delivery for each, _ in mine])
                # The disk is read in one thread; only the server is asked several things at once.
                objects = pool.map(lambda one: self._has_object(one[0].delivery), mine)
                for (each, place), has_object in zip(mine, objects, strict=True):
                    yield from self._examined(each, place, rows, has_object=has_object)
                looked_at += len(page)
                self._on_page(looked_at)
        if not self._within:
            yield from self._stray_jobs()

    def _examined(
        self, held: HeldDelivery, place: tuple[str, Path], rows: set[tuple[str, str]], *, has_object: bool
    ) -> Iterator[Ailment]:
        delivery = held.delivery
        has_row = not delivery.rid or (delivery.table, delivery.rid) in rows
        if delivery.state is DeliveryState.REGISTERED and has_object and has_row:
            return  # whole: its file may change or go as it likes
        root, file = place
        known = _Known(held, root, file, _on_disk(root, file, delivery), has_row)
        if delivery.state is DeliveryState.INTENDED:
            yield from self._unfinished(known)
        else:
            yield _lost(known) if not has_object else _unregistered(known)

    def _place(self, held: HeldDelivery) -> tuple[str, Path]:
        """The dropped folder and the file below it that is there, or the most likely one where none is."""
        roots = list(dict.fromkeys((*held.roots, *self._roots)))
        there = next((root for root in roots if Path(root, held.path).is_file()), "")
        root = there or (roots[0] if roots else "")
        return root, Path(root, held.path)

    def _is_wanted(self, place: tuple[str, Path]) -> bool:
        return not self._within or any(place[1].is_relative_to(folder) for folder in self._within)

    def _has_object(self, delivery: Delivery) -> bool:
        """Whether the server holds the acknowledged version; what was never acknowledged is not asked for."""
        if delivery.state is DeliveryState.INTENDED or not delivery.object_url:
            return True
        return self._store.head(delivery.object_url) is not None

    def _rows(self, deliveries: Sequence[Delivery]) -> set[tuple[str, str]]:
        """(Table, RID) of the records that are there: one look-up per table."""
        wanted: dict[str, list[str]] = {}
        for delivery in deliveries:
            if delivery.rid and delivery.state is DeliveryState.REGISTERED:
                wanted.setdefault(delivery.table, []).append(delivery.rid)
        return {
            (table, str(row["RID"]))
            for table, rids in wanted.items()
            for row in self._catalog.rows_by_key(table, "RID", rids, columns=("RID",))
        }

    def _unfinished(self, known: _Known) -> Iterator[Ailment]:
        delivery = known.held.delivery
        if known.disk is OnDisk.AWAY:
            return
        if known.disk is not OnDisk.GONE:
            yield known.ailment(
                Trouble.UNFINISHED, Cure.UPLOAD, "Its upload was begun; the next one finishes it."
            )
        elif delivery.is_lost:
            yield known.ailment(Trouble.NO_OBJECT, Cure.NONE, _NOWHERE)
        elif not delivery.rid:
            # With a record an update was begun: the record and the version before it stand.
            yield self._abandoned(known, delivery)

    def _abandoned(self, known: _Known, delivery: Delivery) -> Ailment:
        """The file of a first upload is gone: nobody will finish it."""
        found = self._store.head(delivery.object_name) if delivery.object_name else None
        if found is None:
            why = "The file is gone and the server holds nothing of it."
            return known.ailment(Trouble.UNFINISHED, Cure.FORGET, why)
        sent = self._journal.digests([delivery.source_identity]).get(delivery.source_identity)
        if sent is not None and (sent.md5, sent.size_bytes) == (found.md5, found.size_bytes):
            ours = replace(found, sha256=sent.sha256, proof=Proof.ADOPTED)
            why = f"The file is gone, but its object arrived ({found.url}): the journal missed the answer."
            return replace(known.ailment(Trouble.UNFINISHED, Cure.ADOPT, why), adopted=ours)
        why = f"The file is gone; what lies at {found.url} is not known to be ours and stays as it is."
        return known.ailment(Trouble.UNFINISHED, Cure.FORGET, why)

    def _stray_jobs(self) -> Iterator[Ailment]:
        for job in self._journal.stale_jobs(self._target):
            name = job.path.partition(";")[0]
            why = "It was opened for bytes that nobody will send any more, and takes room on the server."
            yield Ailment(Trouble.STRAY_JOB, Cure.CANCEL, name, why, job=job)


def treat(journal: Journal, store: ObjectStore, ailment: Ailment) -> bool:
    """Do what the cure needs apart from an upload; whether there was anything to do.

    Raises the RemoteError tree; what was done before is kept and need not be done again.
    """
    delivery, job, adopted = ailment.delivery, ailment.job, ailment.adopted
    if ailment.cure is Cure.CANCEL and job is not None:
        store.cancel_job(job.path)
        journal.close_job(job.job_id)
        return True
    if delivery is None:
        return False
    if ailment.cure is Cure.SEND_AGAIN:
        journal.reopen(delivery.delivery_id)
    elif ailment.cure is Cure.FORGET:
        if delivery.state is DeliveryState.STORED:
            journal.reopen(delivery.delivery_id)
        for open_job in store.jobs(delivery.object_name) if delivery.object_name else ():
            store.cancel_job(open_job)
        return journal.forget(delivery.delivery_id)
    elif ailment.cure is Cure.ADOPT and adopted is not None:
        digest = Digest(adopted.md5, adopted.sha256, adopted.size_bytes)
        journal.stored(delivery.delivery_id, adopted, digest)
    else:
        return False
    return True


def _lost(known: _Known) -> Ailment:
    """The server no longer holds the acknowledged object."""
    has_record = bool(known.held.delivery.rid) and known.has_row
    trouble = Trouble.NO_OBJECT if has_record else Trouble.UNFINISHED
    match known.disk:
        case OnDisk.SAME:
            cure, why = Cure.SEND_AGAIN, "The server has lost it; the file is here and unchanged."
        case OnDisk.CHANGED:
            cure, why = (
                Cure.UPLOAD,
                "The server has lost it; the file has changed since and is sent as it is now.",
            )
        case OnDisk.AWAY:
            cure, why = Cure.NONE, f"The server has lost it, and {_AWAY}"
        case OnDisk.GONE if known.held.delivery.rid:
            cure, why = Cure.NONE, _NOWHERE
        case OnDisk.GONE:
            cure, why = Cure.FORGET, "The file is gone, and the server holds nothing of it any more."
    return known.ailment(trouble, cure, why)


def _unregistered(known: _Known) -> Ailment:
    """The object is there and nothing in the catalog says so."""
    url = known.held.delivery.object_url
    if not url:
        # A file whose content is rows: it is known that they were begun, not how many there are.
        cure = Cure.NONE if known.disk in (OnDisk.GONE, OnDisk.AWAY) else Cure.UPLOAD
        return known.ailment(
            Trouble.UNFINISHED, cure, "Its rows were begun; only the file itself can finish them."
        )
    if known.disk is OnDisk.AWAY:
        return known.ailment(Trouble.NO_RECORD, Cure.NONE, f"Its object is kept at {url}, and {_AWAY}")
    if known.disk is not OnDisk.GONE:
        missing = "never written" if known.held.delivery.state is DeliveryState.STORED else "deleted since"
        why = f"The object is stored, its record was {missing}; an upload writes it."
        return known.ailment(Trouble.NO_RECORD, Cure.UPLOAD, why)
    why = (
        f"The file is gone; its object is kept at {url}. A record needs the file: put it back where it was and"
        " upload its folder."
    )
    return known.ailment(Trouble.NO_RECORD, Cure.NONE, why)


def _on_disk(root: str, file: Path, delivery: Delivery) -> OnDisk:
    """Whether the file still holds the bytes of the delivery; hashed only where its identity does not tell."""
    if not root or not Path(root).is_dir():
        return OnDisk.AWAY
    try:
        source = source_of(file)
        if source.identity == delivery.source_identity:
            return OnDisk.SAME
        if delivery.digest is None or source.size_bytes != delivery.digest.size_bytes:
            return OnDisk.CHANGED
        is_same = digest_file(Path(source.path), source=source) == delivery.digest
    except (OSError, SourceError):
        return OnDisk.GONE
    return OnDisk.SAME if is_same else OnDisk.CHANGED
