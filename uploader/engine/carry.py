"""What one worker does with one file: preview, bytes, proof. Runs in a thread; the journal is told by `noting`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from uploader.engine.task import DroppedRoot
from uploader.model.entries import Acknowledged, Delivery, DeliveryState
from uploader.model.errors import Conflict, RemoteError, UploaderError
from uploader.model.files import Action, Stored
from uploader.model.ports import Extractor, ObjectStore, Row
from uploader.stages.describe import Candidate
from uploader.stages.transfer import Sending, Sent, Wire, transfer
from validation.codes import issue
from validation.model import Issue
from validation.spec.objects import download_name

log = logging.getLogger(__name__)

PREVIEW_SUFFIX = ".preview.png"


@dataclass(frozen=True, slots=True)
class Cargo:
    """A file ready to go: hashed if its names need it, journalled as intended, its parents registered."""

    candidate: Candidate
    root: DroppedRoot
    action: Action
    delivery: Delivery
    in_doubt: bool
    rids: Mapping[str, str]
    """Parent name -> RID."""
    row: Row
    """The catalog's row, for updates; empty for new files."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of it: the object is stored, or why not."""

    cargo: Cargo
    sent: Sent | None = None
    preview_url: str = ""
    issues: tuple[Issue, ...] = ()
    error: UploaderError | None = None


def carry(
    cargo: Cargo,
    wire: Wire,
    extractor: Extractor,
    *,
    progress: Callable[[int], None],
    stop: Callable[[], bool],
) -> Carried:
    """Bring preview and bytes to the store; errors come back as values."""
    try:
        return _carry(cargo, wire, extractor, progress, stop)
    except UploaderError as error:
        return Carried(cargo, error=error)
    except Exception as error:  # one file's surprise must not end the run
        log.exception("carrying %s failed", cargo.candidate.entry.source.path)
        surprise = UploaderError(
            f"{type(error).__name__}: {error}",
            detail="The file was left out; the rest went on.",
            remedy="Please report this with the log.",
        )
        return Carried(cargo, error=surprise)


def acknowledgement(carried: Carried) -> Acknowledged | None:
    """What the journal is to know of the stored object; None when it knows, or nothing was sent."""
    cargo, sent = carried.cargo, carried.sent
    if sent is None or cargo.delivery.state is DeliveryState.STORED:
        return None
    candidate = cargo.candidate
    return Acknowledged(
        cargo.delivery.delivery_id,
        sent.stored,
        sent.digest,
        carried.preview_url,
        candidate.entry.source.identity if candidate.digest is None else None,
    )


def give_up(delivery: Delivery, wire: Wire) -> None:
    """Drop the upload job of a file that a person cancelled; one the server keeps is left to the next run."""
    job = wire.journal.job(delivery.delivery_id)
    if job is None:
        return
    try:
        wire.store.cancel_job(job.path)
    except RemoteError as error:
        log.warning("the upload job %s is left for the next run: %s", job.path, error.summary)
        return
    wire.journal.close_job(job.job_id)


def _carry(
    cargo: Cargo,
    wire: Wire,
    extractor: Extractor,
    progress: Callable[[int], None],
    stop: Callable[[], bool],
) -> Carried:
    candidate, delivery = cargo.candidate, cargo.delivery
    source = candidate.entry.source
    path = candidate.root.path / source.path
    sent = transfer(
        Sending(
            path=path,
            source=source,
            content_type=candidate.media_type,
            filename=download_name(candidate.rule, candidate.values),
            delivery=delivery,
            may_replace=cargo.action is Action.CHANGED_BYTES or _is_ours_alone(delivery, wire.store),
            in_doubt=cargo.in_doubt,
            digest=candidate.digest,
        ),
        wire,
        progress=progress,
        stop=stop,
    )
    preview_url = delivery.preview_url
    issues: tuple[Issue, ...] = ()
    if candidate.rule.preview and not preview_url:
        preview_url, issues = _preview(candidate, delivery.object_name, wire.store, extractor)
    return Carried(cargo, sent, preview_url, issues)


def _is_ours_alone(delivery: Delivery, store: ObjectStore) -> bool:
    """Whether the store still holds the version of earlier bytes that we sent and that got no row."""
    if not delivery.replaces:
        return False
    found = store.head(delivery.object_name)
    return found is not None and found.url == delivery.replaces


def _preview(
    candidate: Candidate, object_name: str, store: ObjectStore, extractor: Extractor
) -> tuple[str, tuple[Issue, ...]]:
    """Make and store the picture; a file without one is sent all the same, and says why."""
    path = candidate.entry.source.path
    preview = extractor.preview(candidate.root.path / path)
    found = preview.issues
    if preview.png is None:
        why = issue(
            "preview.failed", preview.reason or "the file holds no picture", path=path, origin="preview"
        )
        return "", (*found, why)
    return _stored_preview(object_name + PREVIEW_SUFFIX, preview.png, store).url, found


def _stored_preview(name: str, png: bytes, store: ObjectStore) -> Stored:
    """The picture's object: adopted when the same picture is there, a new version when another one is."""
    md5 = hashlib.md5(png, usedforsecurity=False).digest()
    sha256 = hashlib.sha256(png).digest()
    filename = name.rpartition("/")[2]
    try:
        return store.put(
            name, png, md5=md5, sha256=sha256, content_type="image/png", filename=filename, only_new=True
        )
    except Conflict:
        held = store.head(name)
        if held is not None and held.md5 == md5.hex():
            return held
        return store.put(
            name, png, md5=md5, sha256=sha256, content_type="image/png", filename=filename, only_new=False
        )
