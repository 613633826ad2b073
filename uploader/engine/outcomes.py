"""Says what became of files: the results that receipts and events carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from uploader.engine.founding import Parents
from uploader.engine.plan import Deciding
from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Delivery, DeliveryState, Entry
from uploader.model.errors import Conflict, SourceChanged, SourceError, UploaderError
from uploader.model.files import Action, FileResult, Outcome, Proof
from uploader.model.ports import Ports
from uploader.stages.batches import batched
from uploader.stages.describe import Candidate, lasting_row
from uploader.stages.rows import row_digest
from validation.codes import issue
from validation.spec.objects import object_name

BATCH = 500

BY_A_PERSON = "Cancelled by a person."

NOTHING_TO_DO = {
    Action.SAME: Outcome.SAME,
    Action.HELD: Outcome.HELD,
    Action.CONFLICT: Outcome.HELD,
    Action.UNMATCHED: Outcome.UNMATCHED,
}
"""Outcome of the files that the ferry leaves where they are."""


def result_of(entry: Entry, root: DroppedRoot, outcome: Outcome) -> FileResult:
    """A result that says no more than the entry knows."""
    return FileResult(
        path=entry.source.path,
        size_bytes=entry.source.size_bytes,
        outcome=outcome,
        issues=entry.issues,
        rule=entry.rule,
        dataset=entry.dataset,
        mtime_ns=entry.source.mtime_ns,
        root=str(root.root.path),
    )


def refused(entry: Entry, root: DroppedRoot, error: UploaderError) -> FileResult:
    """The result of a file that an error kept from arriving."""
    held = isinstance(error, Conflict)
    result = result_of(entry, root, Outcome.HELD if held else Outcome.FAILED)
    code = "catalog.conflict" if held else "source.changed" if isinstance(error, SourceChanged) else ""
    if not code and isinstance(error, SourceError):
        code = "source.unreadable"
    issues = entry.issues
    if code:
        issues += (issue(code, error.summary, path=entry.source.path, remedy=error.remedy, origin="ferry"),)
    return replace(result, issues=issues, error=str(error))


def cancelled(entry: Entry, root: DroppedRoot, why: str) -> FileResult:
    """The result of a file that was not sent for no fault of its own; one that needs nothing has what it needs."""
    if entry.action in NOTHING_TO_DO:
        return result_of(entry, root, NOTHING_TO_DO[entry.action])
    result = result_of(entry, root, Outcome.CANCELLED)
    return replace(result, error=f"{why} What was acknowledged is kept; run again to go on.")


def settled(
    task: Task, root: DroppedRoot, ports: Ports, parents: Parents, deciding: Deciding
) -> Iterator[list[tuple[int, FileResult]]]:
    """Batches of (entry id, result) for the files of a root that need nothing."""
    entries = ports.journal.entries(
        task.run, task.target, root.root_id, by_dataset=True, actions=tuple(NOTHING_TO_DO)
    )
    for batch in batched((entry for entry in entries if entry.outcome is None), BATCH):
        yield settle_batch(task, root, ports, parents, deciding, batch)


def settle_batch(
    task: Task,
    root: DroppedRoot,
    ports: Ports,
    parents: Parents,
    deciding: Deciding,
    batch: Sequence[Entry],
) -> list[tuple[int, FileResult]]:
    """(Entry id, result) of decided files that need nothing; those that are the same are known by the journal."""
    same = [entry for entry in batch if entry.action is Action.SAME]
    facts = _same_files(task, root, ports, parents, deciding.candidates(same))
    results = []
    for entry in batch:
        if entry.action is None or entry.action not in NOTHING_TO_DO:
            raise AssertionError(f"{entry.source.path} still has something to do")
        result = result_of(entry, root, NOTHING_TO_DO[entry.action])
        results.append((entry.entry_id, facts.get(entry.entry_id, result)))
    return results


def _same_files(
    task: Task, root: DroppedRoot, ports: Ports, parents: Parents, found: Sequence[Candidate]
) -> dict[int, FileResult]:
    """What the journal knows of files that are delivered; a delivery it forgot is noted again."""
    keys: dict[str, list[str]] = {}
    for candidate in found:
        keys.setdefault(candidate.table, []).append(candidate.row_key)
    known = {
        (table, key): delivery
        for table, row_keys in keys.items()
        for key, delivery in ports.journal.deliveries(task.target, table, row_keys).items()
    }
    results = {}
    for candidate in found:
        delivery = known.get((candidate.table, candidate.row_key))
        if delivery is None or delivery.state is not DeliveryState.REGISTERED or "RMT" in candidate.entry.row:
            # A whole row was read, so the decision rested on more than the journal knew: next time it shall.
            delivery = _noted(task, ports, parents, candidate, delivery)
        results[candidate.entry.entry_id] = arrived(candidate, root, delivery, Outcome.SAME)
    return results


def _noted(
    task: Task, ports: Ports, parents: Parents, candidate: Candidate, before: Delivery | None
) -> Delivery:
    """Note a delivery that the catalog shows complete and the journal does not know as complete."""
    row, digest = candidate.entry.row, candidate.digest
    if digest is None:
        raise AssertionError("a file is the same only when its digest is known")
    name = object_name(candidate.rule, candidate.values)
    url = candidate.held_url or (before.object_url if before is not None else "")
    lasting = lasting_row(candidate, parents.rids(candidate.parents))
    return ports.journal.adopt(
        task.target,
        candidate.table,
        candidate.row_key,
        name if isinstance(name, str) else "",
        candidate.entry.source,
        candidate.entry.source.path,
        digest,
        object_url=url,
        proof=before.proof if before is not None else Proof.NONE,
        rid=str(row.get("RID", "")),
        row_digest=row_digest(lasting),
        written=lasting,
    )


def arrived(candidate: Candidate, root: DroppedRoot, delivery: Delivery, outcome: Outcome) -> FileResult:
    """The result of a file whose object and row are acknowledged, as the journal holds them."""
    digest = candidate.digest or delivery.digest
    return replace(
        result_of(candidate.entry, root, outcome),
        md5=digest.md5 if digest else "",
        sha256=digest.sha256 if digest else "",
        object_url=delivery.object_url,
        rid=delivery.rid,
        preview_url=delivery.preview_url,
        proof=delivery.proof,
        table=candidate.table,
    )
