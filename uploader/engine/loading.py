"""Readies a page of planned files for the wire: hashes and parents where needed, names, intent noted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from uploader.engine.carry import Cargo
from uploader.engine.founding import Parents
from uploader.engine.outcomes import NOTHING_TO_DO, arrived, refused, result_of, settle_batch
from uploader.engine.plan import Plan, decider, place_of
from uploader.engine.record_first import with_records
from uploader.engine.task import DroppedRoot, Task
from uploader.model.control import Intent
from uploader.model.entries import Delivery, DeliveryState, Entry
from uploader.model.errors import Conflict, RemoteError, Retry, UploaderError
from uploader.model.files import Action, Digest, FileResult, Outcome, Proof, Stored
from uploader.model.ports import Ports
from uploader.stages.describe import Candidate, lacks_object
from validation.model import Issue
from validation.spec.model import RuleKind
from validation.spec.objects import object_name
from validation.spec.render import needs_digest

FERRY_CLAIMS = "ferry"
"""Claims of the files that this run's ferry sends; those of the survey are of all files."""


@dataclass(slots=True)
class Load:
    """A page of files, sorted by what is to be done for them next."""

    cargo: list[Cargo] = field(default_factory=list)
    rows_only: list[Cargo] = field(default_factory=list)
    finished: list[tuple[int, FileResult]] = field(default_factory=list)
    to_hash: list[Candidate] = field(default_factory=list)
    """Their digest must be known before their fate or their names are; they come back by `hashed`."""
    twins: list[Entry] = field(default_factory=list)
    """They lead to a delivery which another file of this run makes: they wait for it."""


class Loading:
    """Loads page after page of one root; for one thread."""

    def __init__(self, task: Task, root: DroppedRoot, plan: Plan, ports: Ports, parents: Parents) -> None:
        self.root = root
        self._task, self._root, self._ports, self._parents = task, root, ports, parents
        self._deciding = decider(task, root, plan, ports)
        self._deciding.look_again()

    def page(self, entries: Sequence[Entry]) -> Load:
        """Ready these files; raises RemoteError when the catalog or the store cannot be asked."""
        load = Load()
        self._ready(self._not_to_hash(self._deciding.candidates(entries), load), load)
        return load

    def hashed(self, found: Sequence[tuple[Candidate, Digest | UploaderError]]) -> Load:
        """Ready files that `page` wanted hashed: they are decided anew, now that their digests are known."""
        load = Load()
        digests = {one.entry.source.identity: digest for one, digest in found if isinstance(digest, Digest)}
        self._ports.journal.save_digests(digests)
        known = []
        for candidate, digest in found:
            if isinstance(digest, Digest):
                # The findings of the first decision are made again.
                fresh = replace(candidate, entry=replace(candidate.entry, row={}))
                known.append(fresh.hashed(digest))
            else:
                self._refuse(load, candidate, digest)
        self._ready(self._decided_anew(known, load), load)
        return load

    def again(self, entries: Sequence[Entry]) -> Load:
        """Ready files that are no longer what the survey saw: read and decided anew, then as by `page`."""
        load = Load()
        fresh = [replace(entry, row={}) for entry in entries]
        if not self._task.offline:
            self._deciding.read_headers(fresh)
        decided = self._decided_anew(self._deciding.candidates(fresh), load)
        self._ready(self._not_to_hash(decided, load), load)
        return load

    def candidates(self, entries: Sequence[Entry]) -> list[Candidate]:
        """What is known of these files."""
        return self._deciding.candidates(entries)

    def twins(
        self, found: Sequence[tuple[Candidate, Digest | UploaderError]]
    ) -> list[tuple[int, FileResult]]:
        """Settle files whose delivery another file of this run has made: the same bytes, or a conflict.

        Those whose delivery did not come about are left for the next run.
        """
        load = Load()
        candidates = [candidate for candidate, _ in found]
        deliveries = self._deciding.deliveries(candidates)
        makers = self._makers(candidates)
        for candidate, digest in found:
            made = deliveries.get((candidate.table, candidate.row_key))
            if not isinstance(digest, Digest):
                self._refuse(load, candidate, digest)
            elif made is None or made.state is not DeliveryState.REGISTERED:
                continue
            elif made.digest == digest or made.row_digest == digest.sha256:
                result = arrived(candidate.hashed(digest), self._root, made, Outcome.SAME)
                load.finished.append((candidate.entry.entry_id, result))
            else:
                _, maker = makers[place_of(candidate)]
                self._refuse(load, candidate, _other_bytes(candidate, maker))
        return load.finished

    def _not_to_hash(self, candidates: Sequence[Candidate], load: Load) -> list[Candidate]:
        ready: list[Candidate] = []
        for candidate in candidates:
            (load.to_hash if self._hash_first(candidate) else ready).append(candidate)
        return ready

    def _ready(self, candidates: Sequence[Candidate], load: Load) -> None:
        """Parents, records, namespaces, names and intents of files whose digests are known where they must be."""
        if not candidates:
            return
        ready = self._without_twins(candidates, load)
        self._parents.ensure(need for candidate in ready for need in candidate.parents)
        ready = self._with_records(self._with_parents(ready, load), load)
        named = [(candidate, self._name(candidate, load)) for candidate in ready]
        to_send = self._with_namespaces([(one, name) for one, name in named if name is not None], load)
        before = self._deciding.deliveries([candidate for candidate, _ in to_send])
        self._put_on(load, [(one, name, before.get((one.table, one.row_key))) for one, name in to_send])

    def _refuse(self, load: Load, candidate: Candidate, error: UploaderError) -> None:
        """Note the result of a file that cannot go."""
        load.finished.append((candidate.entry.entry_id, refused(candidate.entry, self._root, error)))

    def _makers(self, candidates: Iterable[Candidate]) -> dict[int, tuple[int, str]]:
        """Place of a record -> entry and path of the file that this run's ferry sends there."""
        places = [(place_of(one), one.entry.entry_id) for one in candidates if one.row_key]
        return dict(self._ports.journal.claim(self._task.run, FERRY_CLAIMS, places)) if places else {}

    def _without_twins(self, candidates: Sequence[Candidate], load: Load) -> list[Candidate]:
        ready = []
        makers = self._makers(candidates)
        for candidate in candidates:
            entry = candidate.entry
            if not candidate.row_key or makers[place_of(candidate)][0] == entry.entry_id:
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

    def _decided_anew(self, candidates: Sequence[Candidate], load: Load) -> list[Candidate]:
        """Decide files again; those that need nothing now are finished, the others are returned."""
        decisions = self._deciding.again(candidates)
        self._ports.journal.decide([decision for _, decision in decisions])
        decided = [
            replace(
                candidate,
                entry=replace(
                    candidate.entry, action=decision.action, issues=decision.issues, row=decision.row
                ),
            )
            for candidate, decision in decisions
        ]
        settled = [one.entry for one in decided if one.entry.action in NOTHING_TO_DO]
        load.finished += settle_batch(
            self._task, self._root, self._ports, self._parents, self._deciding, settled
        )
        return [one for one in decided if one.entry.action not in NOTHING_TO_DO]

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

    def _put_on(self, load: Load, named: Sequence[tuple[Candidate, str, Delivery | None]]) -> None:
        """Note the intents, all before anything is sent, and sort the files by what is left to do for them."""
        for (candidate, _, before), delivery in zip(named, self._intended(named), strict=True):
            entry = candidate.entry
            cargo = Cargo(
                candidate,
                self._root,
                entry.action or Action.NEW,
                delivery,
                in_doubt=_in_doubt(candidate, before),
                rids=self._parents.rids(candidate.parents),
                row=entry.row,
            )
            is_row_only = cargo.action in {Action.CHANGED_ROW, Action.MOVED}
            if is_row_only or candidate.rule.kind is RuleKind.ROWS:
                load.rows_only.append(cargo)
            else:
                load.cargo.append(cargo)

    def _intended(self, named: Sequence[tuple[Candidate, str, Delivery | None]]) -> list[Delivery]:
        """The delivery of each file, journalled in one transaction."""
        wanted = [one for one in named if not _stays(one[0], one[2])]
        made = iter(
            self._ports.journal.intend_all(
                self._task.target, [self._intent(candidate, name) for candidate, name, _ in wanted]
            )
            if wanted
            else ()
        )
        deliveries = []
        for candidate, _, before in named:
            if before is not None and _stays(candidate, before):
                deliveries.append(before)
            else:
                deliveries.append(self._with_object(candidate, next(made)))
        return deliveries

    def _intent(self, candidate: Candidate, name: str) -> Intent:
        origin = self._origin(candidate)
        source = candidate.entry.source
        held_name = origin.object_name if origin is not None else name
        return Intent(candidate.table, candidate.row_key, held_name, source, source.path)

    def _origin(self, candidate: Candidate) -> Delivery | None:
        """The delivery that a moved file was moved from."""
        if candidate.entry.action is not Action.MOVED:
            return None
        return self._deciding.moves.origin(str(candidate.entry.row.get("RID", "")))

    def _with_object(self, candidate: Candidate, delivery: Delivery) -> Delivery:
        """The delivery, STORED already where the action only writes a row."""
        digest, origin = candidate.digest, self._origin(candidate)
        if digest is None or delivery.state is not DeliveryState.INTENDED:
            return delivery
        if origin is not None:
            return self._stored_before(delivery, origin.object_url, digest, origin.proof, origin.preview_url)
        if candidate.entry.action is Action.CHANGED_ROW:
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


def _stays(candidate: Candidate, before: Delivery | None) -> bool:
    """Whether the journal's delivery is taken as it is, with no new intent."""
    if before is None:
        return False
    if candidate.entry.action is Action.CHANGED_ROW and before.state is DeliveryState.REGISTERED:
        return True
    # The doubt must outlive this run: only a row acknowledged as new content ends it.
    return candidate.rule.kind is RuleKind.ROWS and _in_doubt(candidate, before)


def _in_doubt(candidate: Candidate, before: Delivery | None) -> bool:
    """Whether the server may hold what is to be sent without our knowing."""
    if candidate.rule.kind is RuleKind.ROWS:
        # Rows are noted as intended long before they are inserted, and as stored when that begins.
        return before is not None and before.state is not DeliveryState.INTENDED
    if lacks_object(candidate.rule, candidate.entry.row or None):
        return True
    return before is not None and before.state is DeliveryState.INTENDED


def _other_bytes(candidate: Candidate, maker: str) -> Conflict:
    return Conflict(
        f"{candidate.entry.source.path} and {maker} lead to the same record and hold different bytes.",
        detail=f"{maker} was sent, this one was not.",
        remedy="Rename one of them so that the spec gives it a record of its own.",
    )
