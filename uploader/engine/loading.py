"""Readies a page of planned files for the wire: hashes and parents where needed, names, intent noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from uploader.engine.carry import Cargo
from uploader.engine.crew import Crew
from uploader.engine.founding import Parents
from uploader.engine.outcomes import NOTHING_TO_DO, arrived, refused, result_of, settle_batch
from uploader.engine.plan import Plan, decider
from uploader.engine.record_first import with_records
from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Delivery, DeliveryState, Entry
from uploader.model.errors import Cancelled, Conflict, RemoteError, Retry, UploaderError
from uploader.model.files import Action, Digest, FileResult, Outcome, Proof, Stored
from uploader.model.ports import Ports
from uploader.stages.describe import Candidate, lacks_object
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
    twins: list[Entry] = field(default_factory=list)
    """Files that lead to a delivery which another file of this run makes: they wait for it."""


class Loading:
    """Loads page after page of one root."""

    def __init__(self, task: Task, root: DroppedRoot, plan: Plan, ports: Ports, parents: Parents) -> None:
        self._task, self._root, self._ports, self._parents = task, root, ports, parents
        self._deciding = decider(task, root, plan, ports)
        self._deciding.look_again()
        self._made = plan.made

    def page(self, entries: Sequence[Entry], crew: Crew) -> Load:
        """Ready these files; raises RemoteError when the catalog or the store cannot be asked."""
        load = Load()
        ready = self._hashed(self._deciding.candidates(entries), crew, load)
        ready = self._without_twins(ready, load)
        self._parents.ensure(need for candidate in ready for need in candidate.parents)
        ready = self._with_records(self._with_parents(ready, load), load)
        named = [(candidate, self._name(candidate, load)) for candidate in ready]
        to_send = self._with_namespaces([(one, name) for one, name in named if name is not None], load)
        before = self._deciding.deliveries([candidate for candidate, _ in to_send])
        for candidate, name in to_send:
            self._put_on(load, candidate, name, before.get((candidate.table, candidate.row_key)))
        return load

    def twins(self, entries: Sequence[Entry], crew: Crew) -> list[tuple[int, FileResult]]:
        """Settle files whose delivery another file of this run has made: the same bytes, or a conflict.

        Those whose delivery did not come about are left for the next run.
        """
        load = Load()
        candidates = self._deciding.candidates(entries)
        digests = crew.hashes([one for one in candidates if one.digest is None])
        fresh = iter(digests)
        deliveries = self._deciding.deliveries(candidates)
        for candidate in candidates:
            digest = candidate.digest or next(fresh)
            made = deliveries.get((candidate.table, candidate.row_key))
            if not isinstance(digest, Digest):
                self._refuse(load, candidate, digest)
            elif made is None or made.state is not DeliveryState.REGISTERED:
                continue
            elif made.digest == digest or made.row_digest == digest.sha256:
                result = arrived(candidate.hashed(digest), self._root, made, Outcome.SAME)
                load.finished.append((candidate.entry.entry_id, result))
            else:
                self._refuse(load, candidate, _other_bytes(candidate, self._made))
        return load.finished

    def _refuse(self, load: Load, candidate: Candidate, error: UploaderError) -> None:
        """Note the result of a file that cannot go; one that a stop cut short has none yet."""
        if not isinstance(error, Cancelled):
            load.finished.append((candidate.entry.entry_id, refused(candidate.entry, self._root, error)))

    def _without_twins(self, candidates: Sequence[Candidate], load: Load) -> list[Candidate]:
        ready = []
        for candidate in candidates:
            entry = candidate.entry
            place = (candidate.table, candidate.row_key)
            maker, _ = self._made.setdefault(place, (entry.entry_id, entry.source.path))
            if not candidate.row_key or maker == entry.entry_id:
                ready.append(candidate)
            else:
                load.twins.append(entry)
        return ready

    def _with_parents(self, candidates: Sequence[Candidate], load: Load) -> list[Candidate]:
        ready = []
        for candidate in candidates:
            error = self._parents.refusal(candidate.parents)
            if error is None:
                ready.append(candidate)
            else:
                self._refuse(load, candidate, error)
        return ready

    def _with_records(self, candidates: Sequence[Candidate], load: Load) -> list[Candidate]:
        ready = []
        records = with_records(candidates, self._ports.catalog, self._parents)
        for candidate, found in zip(candidates, records, strict=True):
            if isinstance(found, Candidate):
                ready.append(found)
            else:
                self._refuse(load, candidate, found)
        return ready

    def _with_namespaces(
        self, named: Sequence[tuple[Candidate, str]], load: Load
    ) -> list[tuple[Candidate, str]]:
        """Those whose namespace is there or could be made; one that is refused keeps only its own files back."""
        store = self._ports.store
        wanted = sorted({name.rpartition("/")[0] for _, name in named if name})
        refusals: dict[str, RemoteError] = {}
        try:
            store.ensure_namespaces(wanted)
        except RemoteError as error:
            if error.retry is not Retry.NEVER:
                raise
            for namespace in wanted:
                try:
                    store.ensure_namespaces([namespace])
                except RemoteError as own:
                    if own.retry is not Retry.NEVER:
                        raise
                    refusals[namespace] = own
        for candidate, name in named:
            if (refusal := refusals.get(name.rpartition("/")[0])) is not None:
                self._refuse(load, candidate, refusal)
        return [(one, name) for one, name in named if name.rpartition("/")[0] not in refusals]

    def _hashed(self, candidates: Sequence[Candidate], crew: Crew, load: Load) -> list[Candidate]:
        """Hash what must be hashed first, and decide those files anew with their digests known."""
        first = {one.entry.entry_id for one in candidates if self._hash_first(one)}
        unknown = [one for one in candidates if one.entry.entry_id in first]
        hashed: list[Entry] = []
        digests: dict[str, Digest] = {}
        for candidate, digest in zip(unknown, crew.hashes(unknown), strict=True):
            entry = candidate.entry
            if isinstance(digest, Digest):
                digests[entry.source.identity] = digest
                # The findings of the first decision are made again.
                hashed.append(replace(entry, row={}))
            else:
                self._refuse(load, candidate, digest)
        self._ports.journal.save_digests(digests)
        decided = self._decide_again(hashed)
        settled = [entry for entry in decided if entry.action in NOTHING_TO_DO]
        load.finished += settle_batch(
            self._task, self._root, self._ports, self._parents, self._deciding, settled
        )
        to_do = [entry for entry in decided if entry.action not in NOTHING_TO_DO]
        known = [one for one in candidates if one.entry.entry_id not in first]
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
            in_doubt=_in_doubt(candidate, before),
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
        if action is Action.CHANGED_ROW and before is not None and before.state is DeliveryState.REGISTERED:
            return before
        if candidate.rule.kind is RuleKind.ROWS and _in_doubt(candidate, before) and before is not None:
            # The doubt must outlive this run: only a row acknowledged as new content ends it.
            return before
        rid = str(candidate.entry.row.get("RID", ""))
        origin = self._deciding.moves.origin(rid) if action is Action.MOVED else None
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

    def _hash_first(self, candidate: Candidate) -> bool:
        """Whether the digest must be known before the file's fate or names are."""
        if candidate.digest is not None:
            return False
        if needs_digest(candidate.rule) or candidate.entry.row or candidate.rule.kind is RuleKind.ROWS:
            return True
        return self._deciding.moves.may_be_moved(candidate.entry.source.size_bytes)


def _in_doubt(candidate: Candidate, before: Delivery | None) -> bool:
    """Whether the server may hold what is to be sent without our knowing."""
    if candidate.rule.kind is RuleKind.ROWS:
        # Rows are noted as intended long before they are inserted, and as stored when that begins.
        return before is not None and before.state is not DeliveryState.INTENDED
    if lacks_object(candidate.rule, candidate.entry.row or None):
        return True
    return before is not None and before.state is DeliveryState.INTENDED


def _other_bytes(candidate: Candidate, made: Mapping[tuple[str, str], tuple[int, str]]) -> Conflict:
    _, maker = made[(candidate.table, candidate.row_key)]
    return Conflict(
        f"{candidate.entry.source.path} and {maker} lead to the same record and hold different bytes.",
        detail=f"{maker} was sent, this one was not.",
        remedy="Rename one of them so that the spec gives it a record of its own.",
    )
