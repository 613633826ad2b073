"""Creates and refreshes the parent rows that files are about to refer to, each once, in dependency order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from uploader.engine.plan import Plan
from uploader.engine.task import Task
from uploader.model.entries import Delivery, DeliveryState
from uploader.model.errors import BadRequest, Conflict
from uploader.model.files import SourceFile
from uploader.model.ports import Ports, Row
from uploader.stages.parents import Need, columns_to_create, look_up, rids_of
from uploader.stages.rows import differences, row_digest
from validation.spec.render import render_columns


class Parents:
    """The parent rows of a run: those found by the survey and those created since."""

    def __init__(self, task: Task, plan: Plan, ports: Ports) -> None:
        self._task, self._plan, self._ports = task, plan, ports
        self._rows: dict[str, Row] = dict(plan.parent_rows)
        self._refused: dict[str, Conflict] = {}

    def rids(self, needs: Iterable[Need]) -> dict[str, str]:
        """Parent name -> RID."""
        return rids_of(needs, self._rows)

    def ensure(self, needs: Iterable[Need]) -> None:
        """See to it that these rows exist; a request or two per kind of row. `refusal` knows those that do not."""
        wanted = {need.key: need for need in needs}
        for rule in self._task.spec.records:
            absent = [
                need
                for need in wanted.values()
                if need.rule is rule and need.key not in self._rows and need.key not in self._refused
            ]
            self._create([need for need in absent if self._can_be_made(need)])

    def refusal(self, needs: Iterable[Need]) -> Conflict | None:
        """Why a row that a file refers to could not be made; None when all are there."""
        return next((self._refused[need.key] for need in needs if need.key in self._refused), None)

    def refresh(self) -> None:
        """Bring the rows that were there before this run up to date with the documents, where they are ours."""
        held_groups = self._plan.held_groups
        for need in self._plan.needs.values():
            dataset = f"dataset:{need.values.get('dataset')}"
            if need.key in self._rows and not held_groups & {need.key, dataset}:
                self._refresh(need)

    def _create(self, needs: list[Need]) -> None:
        if not needs:
            return
        table = str(needs[0].rule.table)
        rows = [self._row(need) for need in needs]
        # Noted first: a run that finds the row then knows that it may be ours.
        intended = [self._intend(need) for need in needs]
        try:
            inserted = self._ports.catalog.insert(table, rows)
        except (Conflict, BadRequest) as error:
            if len(needs) > 1:
                # One row of a batch that is refused takes all with it: each for itself, then.
                for need in needs:
                    self._create([need])
                return
            self._refuse(needs[0], error.summary)
            return
        # The server names only rows really inserted; reading back by key covers those of somebody else too.
        found = look_up(self._ports.catalog, needs, self._rows)
        ours = {str(row["RID"]) for row in inserted}
        for need, row, delivery in zip(needs, rows, intended, strict=True):
            held = found.get(need.key)
            if held is None:
                self._refuse(need, "a record with one of the same keys is there already")
                continue
            self._rows[need.key] = held
            if str(held["RID"]) in ours or _reads_as_made(held, row):
                self._remember(delivery, str(held["RID"]), row)

    def _refresh(self, need: Need) -> None:
        """Bring the further columns of an existing row up to date, if we wrote them and nobody has since.

        What reads as wanted already was written by a run that died before it could note it.
        """
        if not need.rule.create or not need.rule.columns:
            return
        held = self._rows[need.key]
        table = str(need.rule.table)
        known = self._ports.journal.deliveries(self._task.target, table, [need.key]).get(need.key)
        if known is None:
            return
        wanted = self._row(need)
        written = known.written
        if known.state is DeliveryState.INTENDED and held.get("RCT") == held.get("RMT"):
            # We were about to make it when a run died, and nobody has touched it since it was made.
            written = {name: held.get(name) for name in wanted}
        changed = differences(wanted, written)
        arrived = [
            name for name in differences(wanted, known.written) if not differences(wanted, held, [name])
        ]
        untouched = [
            name for name in changed if name not in arrived and not differences(written, held, [name])
        ]
        if untouched:
            update = {"RID": held["RID"], **{name: wanted[name] for name in untouched}}
            self._ports.catalog.update(table, [update], by=("RID",), columns=tuple(untouched))
            self._rows[need.key] = {**held, **update}
        if untouched or arrived:
            now = {name: wanted[name] for name in (*untouched, *arrived)}
            self._remember(known, str(held["RID"]), {**written, **now})

    def _can_be_made(self, need: Need) -> bool:
        """Whether the rows it refers to are there; otherwise it shares their refusal."""
        if columns_to_create(need, self._rows) is not None:
            return True
        self._refuse(need, "a record it refers to is missing")
        return False

    def _refuse(self, need: Need, why: str) -> None:
        self._refused[need.key] = Conflict(
            f"{need.rule.table} did not take {need.shown}: {why}.",
            detail="No file that refers to it was sent.",
            remedy="Look for a record with one of the same keys in the catalog, or create this one there.",
        )

    def _row(self, need: Need) -> dict[str, Any]:
        key = columns_to_create(need, self._rows)
        if key is None:
            raise AssertionError("a row is made after those that it refers to")
        parents = {
            name: str(self._rows[key]["RID"]) for name, key in need.parents.items() if key in self._rows
        }
        specials = {"record": self._plan.documents.get(str(need.values.get("dataset") or ""))}
        return {**render_columns(need.rule.columns, need.values, parents, specials=specials), **key}

    def _remember(self, delivery: Delivery, rid: str, written: Mapping[str, Any]) -> None:
        kept = {name: value for name, value in written.items() if name != "RID"}
        self._ports.journal.registered([(delivery.delivery_id, rid, row_digest(kept), kept)])

    def _intend(self, need: Need) -> Delivery:
        source = SourceFile(need.key, 0, 0)
        table = str(need.rule.table)
        return self._ports.journal.intend(self._task.target, table, need.key, "", source, need.key)


def _reads_as_made(held: Row, row: Mapping[str, Any]) -> bool:
    """Whether a row that was not there before is what we asked for, untouched: the reply to its insert was lost."""
    return held.get("RCT") == held.get("RMT") and not differences(row, held)
