"""The last pass of a survey: what the ferry would do with every file, decided batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from uploader.engine.entries import current_headers, described
from uploader.engine.moves import Moves
from uploader.engine.run_notes import RunNotes
from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Decision, Delivery, Entry
from uploader.model.files import Action
from uploader.model.ports import Ports, Row
from uploader.stages.batches import batched
from uploader.stages.decide import Evidence, decide, needs_whole_row
from uploader.stages.describe import Candidate, checksum_columns, lacks_object, lasting_row
from uploader.stages.lookup import HeldRows, Located, Lookups, whole_rows
from uploader.stages.parents import Need, rids_of
from validation.check import Depth
from validation.model import Issue, Scope
from validation.spec.objects import object_name
from validation.spec.render import needs_digest

SENDS = frozenset({Action.NEW, Action.CHANGED_BYTES})
"""Actions that store an object under the name that the spec gives it."""

SURVEY_CLAIMS = "survey"

BATCH = 500
"""Entries decided at a time: a few requests and one transaction each."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a survey leaves behind besides the journal's entries: parents, documents, findings."""

    needs: Mapping[str, Need] = field(default_factory=dict)
    """Record key -> a parent row that files refer to."""
    parent_rows: Mapping[str, Row] = field(default_factory=dict)
    """Record key -> the row, for the parents that exist."""
    documents: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Dataset name -> its metadata document."""
    issues: tuple[Issue, ...] = ()
    """Findings that belong to no single file."""
    lookups: Lookups | None = None
    """The answers of the spec's look-ups so far: each is asked once in a run."""
    deciders: dict[int, Deciding] = field(default_factory=dict)
    """Root id -> what decides its files, with all it has learnt of the catalog."""

    @property
    def held_groups(self) -> frozenset[str]:
        """Groups and records that an error holds; an error about one file holds that file alone."""
        return frozenset(
            found.group
            for found in self.issues
            if found.holds and found.group and found.scope is not Scope.FILE
        )

    @property
    def holds_run(self) -> bool:
        """Whether an error of scope run holds everything."""
        return any(found.holds and found.scope is Scope.RUN for found in self.issues)


def decide_files(
    task: Task, root: DroppedRoot, plan: Plan, ports: Ports
) -> Iterator[list[tuple[Entry, Decision]]]:
    """Decide every entry of a root, batch by batch, and write the decisions to the journal."""
    deciding = decider(task, root, plan, ports)
    entries = ports.journal.entries(task.run, task.target, root.root_id, by_dataset=True)
    for batch in batched(entries, BATCH):
        decisions = deciding.batch(batch)
        ports.journal.decide([decision for _, decision in decisions])
        yield decisions


def decider(task: Task, root: DroppedRoot, plan: Plan, ports: Ports) -> Deciding:
    """The one that decides the files of this root, in the survey and again in the ferry."""
    if root.root_id not in plan.deciders:
        plan.deciders[root.root_id] = Deciding(task, root, plan, ports)
    return plan.deciders[root.root_id]


class Deciding:
    """Decides the files of one root; keeps what one batch has learnt of the catalog for the next."""

    def __init__(self, task: Task, root: DroppedRoot, plan: Plan, ports: Ports) -> None:
        self._task, self._root, self._plan, self._ports = task, root, plan, ports
        self._held_groups = plan.held_groups
        self._lookups = plan.lookups or Lookups(ports.catalog)
        self._rows = RunNotes(ports.journal, task.run, f"rows {root.root_id}")
        self._held_rows = HeldRows(ports.catalog, self._rows)
        self.moves = Moves(task, root, ports)

    def batch(self, batch: Sequence[Entry]) -> list[tuple[Entry, Decision]]:
        """The decisions about these entries, which must come ordered by dataset."""
        matched: list[Candidate] = []
        decisions: dict[int, Decision] = {}
        for entry, candidate in described(self._task, self._root, self._ports, batch):
            if candidate is None:
                decisions[entry.entry_id] = Decision(entry.entry_id, Action.UNMATCHED, entry.issues)
            else:
                matched.append(candidate)
        decisions.update((decision.entry_id, decision) for _, decision in self.again(matched))
        return [(entry, decisions[entry.entry_id]) for entry in batch]

    def again(self, candidates: Sequence[Candidate]) -> list[tuple[Candidate, Decision]]:
        """The decisions about files that are described already, with what look-ups say of them."""
        found: list[Candidate] = []
        free: list[Candidate] = []
        decisions: dict[int, Decision] = {}
        for known in candidates:
            candidate, issues = self._looked_up(known)
            entry = candidate.entry
            # A file decided a second time has the first findings already.
            news = [one for one in issues if one not in entry.issues]
            decision = Decision(entry.entry_id, Action.NEW, (*entry.issues, *news))
            if self._holds(candidate, decision.issues):
                decision = replace(decision, action=Action.HELD)
            elif self._task.offline:
                decision = self._named(candidate, decision)
            else:
                free.append(candidate)
            decisions[entry.entry_id] = decision
            found.append(candidate)
        for decision in self._free(free):
            before = decisions[decision.entry_id].issues
            decisions[decision.entry_id] = (
                replace(decision, issues=(*before, *decision.issues)) if before else decision
            )
        return [(candidate, decisions[candidate.entry.entry_id]) for candidate in found]

    def read_headers(self, entries: Sequence[Entry]) -> None:
        """Read the headers of files that have changed since the survey read them."""
        if self._task.depth is Depth.NAMES:
            return
        cached = current_headers(self._ports, (entry.source for entry in entries))
        unread = [entry for entry in entries if entry.rule and entry.source.identity not in cached]
        headers = self._ports.extractor.headers(self._root.root.path / entry.source.path for entry in unread)
        self._ports.journal.save_headers(
            {entry.source.identity: header for entry, header in zip(unread, headers, strict=True)}
        )

    def candidates(self, entries: Sequence[Entry]) -> list[Candidate]:
        """What is known of these entries, with the answers of look-ups; those that no rule takes are left out."""
        return [
            self._looked_up(candidate)[0]
            for _, candidate in described(self._task, self._root, self._ports, entries)
            if candidate is not None
        ]

    def _looked_up(self, candidate: Candidate) -> tuple[Candidate, tuple[Issue, ...]]:
        # A spec that does not fit the catalog has nothing to ask it either.
        idle = self._task.offline or self._plan.holds_run
        return (candidate, ()) if idle else self._lookups.apply(candidate)

    def _holds(self, candidate: Candidate, issues: Iterable[Issue]) -> bool:
        if self._plan.holds_run or any(found.holds for found in issues):
            return True
        return bool(self._held_groups) and not self._held_groups.isdisjoint(groups_of(candidate))

    def _free(self, candidates: Sequence[Candidate]) -> Iterator[Decision]:
        """Decide the files that nothing holds, with one look at catalog and journal for all of them."""
        located: list[Located] = [(one, rids_of(one.parents, self._plan.parent_rows)) for one in candidates]
        rows = self._held_rows.of(located)
        deliveries = self.deliveries(candidates)
        claims = self._claims(candidates)
        evidence = [
            Evidence(
                form=self._task.spec.form,
                # Compared with a row only; a new file's is made when it is sent.
                wanted=lasting_row(one, parents) if one.entry.entry_id in rows else {},
                row=rows.get(one.entry.entry_id),
                delivery=deliveries.get((one.table, one.row_key)),
                digest=one.digest,
                checksum_columns=checksum_columns(one.rule),
                kind=one.rule.kind,
                claimed_by=claims.get(one.entry.entry_id, ""),
                lacks_object=lacks_object(one.rule, rows.get(one.entry.entry_id)),
            )
            for one, parents in located
        ]
        new = [one for one, known in zip(candidates, evidence, strict=True) if known.row is None]
        moved = self.moves.origins(one for one in new if one.row_key)
        for candidate, known in zip(candidates, self._with_whole_rows(candidates, evidence), strict=True):
            origin = moved.get(candidate.entry.entry_id)
            verdict = decide(known if origin is None else replace(known, moved_from=origin))
            row = known.row or ({"RID": origin.rid} if origin is not None else {})
            decision = Decision(candidate.entry.entry_id, verdict.action, verdict.issues, row)
            yield self._named(candidate, decision) if verdict.action in SENDS else decision

    @staticmethod
    def _named(candidate: Candidate, decision: Decision) -> Decision:
        """The decision, or held when the object cannot have the name that the spec gives it."""
        rule = candidate.rule
        if rule.object is None or rule.record_first or (candidate.digest is None and needs_digest(rule)):
            return decision
        name = object_name(rule, candidate.values)
        if isinstance(name, str):
            return decision
        return replace(decision, action=Action.HELD, issues=(*decision.issues, name))

    def _claims(self, candidates: Sequence[Candidate]) -> dict[int, str]:
        """Entry id -> path of another file that leads to the same record and came first, in whichever folder."""
        places = [(place_of(one), one.entry.entry_id) for one in candidates if one.row_key]
        if not places:
            return {}
        holders = self._ports.journal.claim(self._task.run, SURVEY_CLAIMS, places)
        return {entry_id: holders[place][1] for place, entry_id in places if holders[place][0] != entry_id}

    def look_again(self) -> None:
        """Forget the rows that the catalog held at survey: the ferry has written since."""
        self._rows.drop()
        self._held_rows = HeldRows(self._ports.catalog, self._rows)

    def deliveries(self, candidates: Sequence[Candidate]) -> dict[tuple[str, str], Delivery]:
        """(Table, row key) -> what the journal remembers of the delivery."""
        keys: dict[str, list[str]] = {}
        for candidate in candidates:
            if candidate.row_key:
                keys.setdefault(candidate.table, []).append(candidate.row_key)
        return {
            (table, row_key): delivery
            for table, row_keys in keys.items()
            for row_key, delivery in self._ports.journal.deliveries(
                self._task.target, table, row_keys
            ).items()
        }

    def _with_whole_rows(
        self, candidates: Sequence[Candidate], evidence: Sequence[Evidence]
    ) -> list[Evidence]:
        """The evidence, with all columns of the row where the decision rests on them."""
        wanted: dict[str, list[str]] = {}
        for candidate, known in zip(candidates, evidence, strict=True):
            if needs_whole_row(known) and known.row is not None:
                wanted.setdefault(candidate.table, []).append(str(known.row["RID"]))
        whole: dict[str, Row] = {}
        for table, row_rids in wanted.items():
            whole |= whole_rows(self._ports.catalog, table, row_rids)
        return [
            known if known.row is None else replace(known, row=whole.get(str(known.row["RID"]), known.row))
            for known in evidence
        ]


def place_of(candidate: Candidate) -> int:
    """A number for table and row key: two files of one place lead to one record."""
    place = f"{candidate.table}\0{candidate.row_key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(place, digest_size=8).digest(), "big", signed=True)


def groups_of(candidate: Candidate) -> list[str]:
    """Every group whose hold is also this file's: dataset, companion set, parents, folders with a sidecar."""
    folders = candidate.entry.source.path.split("/")[:-1]
    return [
        f"dataset:{candidate.entry.dataset}",
        f"set:{candidate.entry.set_key}",
        *(need.key for need in candidate.parents),
        *("folder:" + "/".join(folders[:depth]) for depth in range(len(folders) + 1)),
        *("folder:" + "/".join([".."] * depth) for depth in (1, 2, 3)),
    ]
