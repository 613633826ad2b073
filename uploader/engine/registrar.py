"""The one writer of rows: gathers what is stored, registers it in batches, journals what was acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from uploader.engine.carry import Carried
from uploader.engine.outcomes import arrived, refused
from uploader.engine.task import Task
from uploader.model.entries import Delivery, DeliveryState
from uploader.model.errors import Retry, UploaderError
from uploader.model.files import Action, Digest, FileResult, Outcome, Stored
from uploader.model.ports import Ports, Row
from uploader.stages.describe import (
    Candidate,
    checksum_columns,
    columns_to_update,
    lasting_row,
    stored_row,
)
from uploader.stages.register import RowDone, RowWork, register
from uploader.stages.rows import differences, row_digest
from uploader.stages.table_rows import insert_rows
from validation.check import grade
from validation.spec.model import ByKey, RuleKind

BATCH = 200
LONGEST_WAIT_S = 0.25
"""A stored object waits no longer than this for its row while others are under way."""

Finish: TypeAlias = Callable[[Sequence[tuple[int, FileResult]]], None]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file whose object is acknowledged, with the digest the row will speak of."""

    carried: Carried
    candidate: Candidate
    digest: Digest | None
    delivery: Delivery


class Registrar:
    """Rows wait here until a batch is full or has waited long enough."""

    def __init__(self, task: Task, ports: Ports) -> None:
        self._task, self._ports = task, ports
        self._waiting: list[Carried] = []
        self._since = 0.0
        self._in_doubt = False
        """The last flush failed on its way: some of what waits may be in the catalog."""
        self._begun: set[int] = set()
        """Deliveries whose rows a table file has begun to insert."""

    def add(self, carried: Carried) -> None:
        """Take in a file whose object is stored, or whose row alone is to be written."""
        if not self._waiting:
            self._since = self._task.clock.monotonic()
        self._waiting.append(carried)

    def is_due(self, under_way: int) -> bool:
        """Whether the batch is full, has waited long enough, or is all that is still `under_way`."""
        if len(self._waiting) >= BATCH:
            return True
        if not self._waiting:
            return False
        return len(self._waiting) >= under_way or self._task.clock.monotonic() - self._since > LONGEST_WAIT_S

    def flush(self, finish: Finish) -> None:
        """Write the rows that wait; those that the catalog does not take for now wait on, and it raises.

        `finish` is told the (entry id, result) of each file as soon as its row is acknowledged.
        """
        works = [_with_digest(carried) for carried in self._waiting]
        rows = [one for one in works if one.candidate.rule.kind is RuleKind.ASSET]
        tables = [one for one in works if one.candidate.rule.kind is RuleKind.ROWS]
        self._in_doubt, in_doubt = True, self._in_doubt
        results = self._register(rows, in_doubt=in_doubt)
        self._waiting = [one.carried for one in tables]
        finish(results)
        for one in tables:
            result = self._insert_table(one)
            self._waiting = self._waiting[1:]
            finish([result])
        self._in_doubt = False

    def _register(self, stored: Sequence[_Stored], *, in_doubt: bool) -> list[tuple[int, FileResult]]:
        works = [self._work(one) for one in stored]
        done = register(self._ports.catalog, works, in_doubt=in_doubt)
        acknowledged: list[tuple[int, str, str, Row]] = []
        results = []
        for one, work, row in zip(stored, works, done, strict=True):
            if row.error is None:
                lasting = lasting_row(one.candidate, one.carried.cargo.rids)
                acknowledged.append((one.delivery.delivery_id, row.rid, row_digest(lasting), lasting))
            results.append((one.candidate.entry.entry_id, self._result(one, work, row)))
        self._ports.journal.registered(acknowledged)
        return results

    def _work(self, one: _Stored) -> RowWork:
        cargo, candidate = one.carried.cargo, one.candidate
        row = stored_row(candidate, cargo.rids, one.delivery.object_url, one.delivery.preview_url)
        identity = candidate.rule.identity
        key = tuple(identity.columns) if isinstance(identity, ByKey) else ()
        rid = str(cargo.row.get("RID", ""))
        if not rid:
            proof = checksum_columns(candidate.rule) or tuple(lasting_row(candidate, cargo.rids))
            return RowWork(candidate.table, row, key, query=candidate.row_query, proof=proof)
        columns = columns_to_update(candidate.rule, row)
        if cargo.action is Action.CHANGED_ROW:
            changed = differences(lasting_row(candidate, cargo.rids), cargo.row)
            columns = tuple(name for name in columns if name in changed)
        elif cargo.action is not Action.MOVED:
            columns = tuple(name for name in columns if name not in key)
        return RowWork(candidate.table, row, key, rid=rid, columns=columns)

    def _result(self, one: _Stored, work: RowWork, row: RowDone) -> FileResult:
        root = one.carried.cargo.root
        # What the pixels showed is graded by the spec like every other finding.
        issues = grade(one.carried.issues, self._task.spec, (one.candidate.rule,))
        candidate = replace(
            one.candidate,
            entry=replace(one.candidate.entry, issues=(*one.candidate.entry.issues, *issues)),
        )
        if row.error is not None:
            return refused(candidate.entry, root, row.error)
        is_new = not work.rid or one.carried.cargo.action is Action.NEW
        outcome = Outcome.NEW if is_new else Outcome.UPDATED
        return arrived(candidate, root, replace(one.delivery, rid=row.rid), outcome)

    def _insert_table(self, one: _Stored) -> tuple[int, FileResult]:
        """The file's content is rows: no object, one insert per batch of them."""
        cargo, candidate, digest = one.carried.cargo, one.candidate, one.digest
        if digest is None:
            raise AssertionError("a file of rows is hashed before its rows are inserted")
        in_doubt = cargo.in_doubt or one.delivery.delivery_id in self._begun
        self._begun.add(one.delivery.delivery_id)
        if one.delivery.state is DeliveryState.INTENDED and not in_doubt:
            # From here on the rows may be in the catalog without our knowing.
            nothing = Stored("", "", digest.size_bytes)
            self._ports.journal.stored(one.delivery.delivery_id, nothing, digest)
        try:
            inserted = insert_rows(self._ports.catalog, candidate, in_doubt=in_doubt)
        except UploaderError as error:
            if error.retry is not Retry.NEVER:
                raise
            return candidate.entry.entry_id, refused(candidate.entry, cargo.root, error)
        self._ports.journal.registered([(one.delivery.delivery_id, "", digest.sha256, {"rows": inserted})])
        return candidate.entry.entry_id, arrived(candidate, cargo.root, one.delivery, Outcome.NEW)


def _with_digest(carried: Carried) -> _Stored:
    """The file with the digest and address that the transfer gave it."""
    cargo = carried.cargo
    if carried.sent is None:
        digest = cargo.candidate.digest or cargo.delivery.digest
        candidate = cargo.candidate if digest is None else cargo.candidate.hashed(digest)
        return _Stored(carried, candidate, digest, cargo.delivery)
    stored = carried.sent.stored
    delivery = replace(
        cargo.delivery,
        digest=carried.sent.digest,
        object_url=stored.url,
        proof=stored.proof,
        preview_url=carried.preview_url,
    )
    return _Stored(carried, cargo.candidate.hashed(carried.sent.digest), carried.sent.digest, delivery)
