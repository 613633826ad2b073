"""Decides what a plan would do with one file: pure, from what disk, journal and catalog say (DESIGN 6.4)."""

from __future__ import annotations

from dataclasses import dataclass

from uploader.model.entries import Delivery, DeliveryState
from uploader.model.files import Action, Digest
from uploader.model.ports import Row
from uploader.stages.rows import differences, row_digest
from validation.codes import issue
from validation.model import Issue
from validation.spec.model import RuleKind, SpecForm


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that bears on the decision about one matched, unheld file."""

    form: SpecForm
    wanted: Row
    """The columns we would write that depend on neither the object's URL nor the moment of upload."""
    row: Row | None
    """The catalog's row under the file's key; None when there is none."""
    delivery: Delivery | None
    """What the journal remembers of this key at this target."""
    digest: Digest | None
    """Of the file as it lies on disk; None when it was never hashed since it last changed."""
    checksum_columns: tuple[str, ...]
    """Columns of the row that hold the MD5 or the SHA-256."""
    kind: RuleKind = RuleKind.ASSET
    moved_from: Delivery | None = None
    """A registered delivery with these bytes whose own file is gone from disk."""
    claimed_by: str = ""
    """Another file of this survey that leads to the same record; it comes first."""
    lacks_object: bool = False
    """The row should say where the object lies and does not: its upload never ended."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The action and why, where a person should know."""

    action: Action
    issues: tuple[Issue, ...] = ()


def decide(evidence: Evidence) -> Verdict:
    """The plan's action for a file that nothing holds."""
    if evidence.kind is RuleKind.ROWS:
        return _content(evidence)
    if evidence.row is None:
        return Verdict(Action.MOVED if evidence.moved_from is not None else Action.NEW)
    if evidence.digest is None:
        # Never hashed here: the ferry hashes first and finds out whether anything is to be sent.
        return Verdict(Action.CHANGED_BYTES)
    return _against(evidence, evidence.row, evidence.digest)


def _against(evidence: Evidence, row: Row, digest: Digest) -> Verdict:
    """The file beside the row that the catalog holds for it."""
    if not any(row.get(column) for column in evidence.checksum_columns):
        return _row_without_proof(evidence, row, digest)
    if _speaks_of(row, digest, evidence.checksum_columns):
        return Verdict(Action.CHANGED_BYTES) if _lacks_object(evidence) else _columns(evidence, row)
    if evidence.claimed_by:
        return _conflict(f"{evidence.claimed_by} leads to the same record and holds other bytes")
    if _written_here(evidence, row):
        return Verdict(Action.CHANGED_BYTES)
    return _conflict("the catalog holds a record of other bytes than were sent from here")


def _content(evidence: Evidence) -> Verdict:
    """A file whose content is rows: only our own memory can say that they were inserted."""
    delivery, digest = evidence.delivery, evidence.digest
    if delivery is None or delivery.state is not DeliveryState.REGISTERED:
        return Verdict(Action.NEW)
    if digest is not None and delivery.row_digest == digest.sha256:
        return Verdict(Action.SAME)
    return Verdict(Action.CHANGED_BYTES)


def needs_whole_row(evidence: Evidence) -> bool:
    """Whether the decision rests on columns beyond key and checksums: only then is the whole row worth reading."""
    row, digest, delivery = evidence.row, evidence.digest, evidence.delivery
    if row is None or digest is None or not _speaks_of(row, digest, evidence.checksum_columns):
        return False
    return not (
        delivery is not None
        and delivery.state is DeliveryState.REGISTERED
        and delivery.row_digest == row_digest(evidence.wanted)
    )


def _speaks_of(row: Row, digest: Digest, columns: tuple[str, ...]) -> bool:
    """Whether every checksum that the row holds is this one."""
    return all(
        str(row[column]).lower() in (digest.md5, digest.sha256) for column in columns if row.get(column)
    )


def _written_here(evidence: Evidence, row: Row) -> bool:
    """Whether the row's checksums are the ones that we wrote: then new bytes may take their place."""
    if evidence.delivery is None:
        return False
    written = {name: evidence.delivery.written.get(name) for name in evidence.checksum_columns}
    return any(written.values()) and not differences(written, row)


def _row_without_proof(evidence: Evidence, row: Row, digest: Digest) -> Verdict:
    """The row holds no checksum: only our own memory can say that the bytes were sent."""
    if evidence.delivery is not None and evidence.delivery.digest == digest and not _lacks_object(evidence):
        return _columns(evidence, row)
    return Verdict(Action.CHANGED_BYTES)


def _lacks_object(evidence: Evidence) -> bool:
    """Whether the row has no object behind it: it names none, or the server was found to have lost it."""
    return evidence.lacks_object or (evidence.delivery is not None and evidence.delivery.is_lost)


def _columns(evidence: Evidence, row: Row) -> Verdict:
    """The bytes are there; this is about the other columns of the row."""
    delivery = evidence.delivery
    if delivery is not None and delivery.state is DeliveryState.REGISTERED and delivery.row_digest:
        if delivery.row_digest == row_digest(evidence.wanted):
            return Verdict(Action.SAME)
        # What reads as wanted already was written by a run that died before it could note it.
        missing = set(differences(evidence.wanted, row))
        changed = tuple(name for name in differences(evidence.wanted, delivery.written) if name in missing)
        edited = differences(delivery.written, row, changed)
    else:
        changed = differences(evidence.wanted, row)
        # The reference behaviour of DERIVA's format is to overwrite; in ours, only empty columns are nobody's.
        edited = (
            ()
            if evidence.form is SpecForm.DERIVA
            else tuple(column for column in changed if row.get(column) is not None)
        )
    if edited:
        return _conflict(f"somebody else wrote {', '.join(sorted(edited))}; the record was left as it is")
    return Verdict(Action.CHANGED_ROW if changed else Action.SAME)


def _conflict(words: str) -> Verdict:
    return Verdict(Action.CONFLICT, (issue("catalog.conflict", words, origin="decide"),))
