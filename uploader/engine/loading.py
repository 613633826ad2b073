"""Readies a page of planned files for the wire: hashes and parents where needed, names, intent noted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from uploader.engine.carry import Cargo
from uploader.engine.crew import Crew
from uploader.engine.founding import Parents
from uploader.engine.outcomes import NOTHING_TO_DO, refused, result_of, settle_batch
from uploader.engine.plan import Deciding, Plan
from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Delivery, DeliveryState, Entry
from uploader.model.files import Action, Digest, FileResult, Outcome, Proof, Stored
from uploader.model.ports import Ports
from uploader.stages.describe import Candidate
from validation.model import Issue
from validation.spec.model import RuleKind
from validation.spec.objects import object_name
from validation.spec.render import needs_digest


@dataclass(slots=True)
class Load:
    """A page of files: those for the workers, those that are rows only, and those that are finished already."""

    cargo: list[Cargo] = field(default_factory=list)
    rows_only: list[Cargo] = field(default_factory=list)
    finished: list[tuple[int, FileResult]] = field(default_factory=list)


class Loading:
    """Loads page after page of one root."""

    def __init__(self, task: Task, root: DroppedRoot, plan: Plan, ports: Ports, parents: Parents) -> None:
        self._task, self._root, self._ports, self._parents = task, root, ports, parents
        self._deciding = Deciding(task, root, plan, ports)

    def page(self, entries: Sequence[Entry], crew: Crew) -> Load:
        """Ready these files; raises RemoteError when the catalog or the store cannot be asked."""
        load = Load()
        ready = self._hashed(self._deciding.candidates(entries), crew, load)
        self._parents.ensure(need for candidate in ready for need in candidate.parents)
        named = [(candidate, self._name(candidate, load)) for candidate in ready]
        to_send = [(candidate, name) for candidate, name in named if name is not None]
        self._ports.store.ensure_namespaces(sorted({name.rpartition("/")[0] for _, name in to_send if name}))
        before = self._deciding.deliveries([candidate for candidate, _ in to_send])
        for candidate, name in to_send:
            self._put_on(load, candidate, name, before.get((candidate.table, candidate.row_key)))
        return load

    def _hashed(self, candidates: Sequence[Candidate], crew: Crew, load: Load) -> list[Candidate]:
        """Hash what must be hashed first, and decide those files anew with their digests known."""
        unknown = [candidate for candidate in candidates if _hash_first(candidate)]
        hashed: list[Entry] = []
        for candidate, digest in zip(unknown, crew.hashes(unknown), strict=True):
            entry = candidate.entry
            if isinstance(digest, Digest):
                self._ports.journal.save_digest(entry.source.identity, digest)
                # The findings of the first decision are made again.
                hashed.append(replace(entry, row={}))
            else:
                load.finished.append((entry.entry_id, refused(entry, self._root, digest)))
        decided = self._decide_again(hashed)
        settled = [entry for entry in decided if entry.action in NOTHING_TO_DO]
        load.finished += settle_batch(self._task, self._root, self._ports, self._parents, settled)
        to_do = [entry for entry in decided if entry.action not in NOTHING_TO_DO]
        known = [candidate for candidate in candidates if not _hash_first(candidate)]
        return [*known, *self._deciding.candidates(to_do)]

    def _decide_again(self, entries: Sequence[Entry]) -> list[Entry]:
        decisions = self._deciding.batch(entries)
        self._ports.journal.decide([decision for _, decision in decisions])
        return [
            replace(entry, action=decision.action, issues=decision.issues, row=decision.row)
            for entry, decision in decisions
        ]

    def _name(self, candidate: Candidate, load: Load) -> str | None:
        """Name of the object, empty for rows without one; None when the file cannot be named."""
        if candidate.rule.object is None:
            return ""
        name = object_name(candidate.rule, candidate.values)
        if isinstance(name, Issue):
            entry = replace(candidate.entry, issues=(*candidate.entry.issues, name))
            load.finished.append((entry.entry_id, result_of(entry, self._root, Outcome.HELD)))
            return None
        return name

    def _put_on(self, load: Load, candidate: Candidate, name: str, before: Delivery | None) -> None:
        """Note the intent and sort the file by what is left to do for it."""
        entry = candidate.entry
        cargo = Cargo(
            candidate,
            self._root,
            entry.action or Action.NEW,
            self._intended(candidate, name, before),
            in_doubt=before is not None and before.state is DeliveryState.INTENDED,
            rids=self._parents.rids(candidate.parents),
            row=entry.row,
        )
        is_row_only = cargo.action in {Action.CHANGED_ROW, Action.MOVED}
        if is_row_only or candidate.rule.kind is RuleKind.ROWS:
            load.rows_only.append(cargo)
        else:
            load.cargo.append(cargo)

    def _intended(self, candidate: Candidate, name: str, before: Delivery | None) -> Delivery:
        """The delivery, journalled before anything of it is sent."""
        source, digest = candidate.entry.source, candidate.digest
        action = candidate.entry.action
        if action is Action.CHANGED_ROW and before is not None:
            return before
        origin = self._deciding.moved_from(candidate) if action is Action.MOVED else None
        held_name = origin.object_name if origin is not None else name
        delivery = self._ports.journal.intend(
            self._task.target, candidate.table, candidate.row_key, held_name, source, source.path
        )
        if digest is None or delivery.state is not DeliveryState.INTENDED:
            return delivery
        if origin is not None:
            return self._stored_before(delivery, origin.object_url, digest, origin.proof, origin.preview_url)
        if action is Action.CHANGED_ROW:
            return self._stored_before(delivery, candidate.held_url, digest, Proof.NONE, "")
        return delivery

    def _stored_before(
        self, delivery: Delivery, url: str, digest: Digest, proof: Proof, preview_url: str
    ) -> Delivery:
        """The object is in the store already, under a name the row will keep."""
        stored = Stored(delivery.object_name, url, digest.size_bytes, digest.md5, digest.sha256, proof)
        self._ports.journal.stored(delivery.delivery_id, stored, digest, preview_url=preview_url)
        return replace(
            delivery,
            state=DeliveryState.STORED,
            digest=digest,
            object_url=url,
            proof=proof,
            preview_url=preview_url,
        )


def _hash_first(candidate: Candidate) -> bool:
    """Whether the digest must be known before the file's fate or names are."""
    if candidate.digest is not None:
        return False
    return needs_digest(candidate.rule) or bool(candidate.entry.row) or candidate.rule.kind is RuleKind.ROWS
