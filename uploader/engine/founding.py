"""Creates and refreshes the parent rows that files are about to refer to, each once, in dependency order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from uploader.engine.plan import Plan
from uploader.engine.task import Task
from uploader.model.errors import Conflict
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

    def rids(self, needs: Iterable[Need]) -> dict[str, str]:
        """Parent name -> RID."""
        return rids_of(needs, self._rows)

    def ensure(self, needs: Iterable[Need]) -> None:
        """See to it that these rows exist; a request or two per kind of row.

        Raises Conflict when the catalog takes none of ours and shows none of its own.
        """
        wanted = {need.key: need for need in needs}
        for rule in self._task.spec.records:
            self._create(
                [need for need in wanted.values() if need.rule is rule and need.key not in self._rows]
            )

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
        inserted = self._ports.catalog.insert(table, rows)
        # The server names only rows really inserted; reading back by key covers those of somebody else too.
        found = look_up(self._ports.catalog, needs, self._rows)
        ours = {str(row["RID"]) for row in inserted}
        for need, row in zip(needs, rows, strict=True):
            held = found.get(need.key)
            if held is None:
                raise Conflict(
                    f"{table} did not take {need.shown}.",
                    detail="No file that refers to it was sent.",
                    remedy="Look for a record with one of the same keys in the catalog.",
                )
            self._rows[need.key] = held
            if str(held["RID"]) in ours:
                self._remember(need, str(held["RID"]), row)

    def _refresh(self, need: Need) -> None:
        """Bring the further columns of an existing row up to date, if we wrote them and nobody has since."""
        if not need.rule.create or not need.rule.columns:
            return
        held = self._rows[need.key]
        table = str(need.rule.table)
        known = self._ports.journal.deliveries(self._task.target, table, [need.key]).get(need.key)
        if known is None:
            return
        wanted = self._row(need)
        changed = differences(wanted, known.written)
        untouched = [name for name in changed if not differences(known.written, held, [name])]
        if not untouched:
            return
        update = {"RID": held["RID"], **{name: wanted[name] for name in untouched}}
        self._ports.catalog.update(table, [update], by=("RID",), columns=tuple(untouched))
        self._rows[need.key] = {**held, **update}
        self._remember(need, str(held["RID"]), {**known.written, **update})

    def _row(self, need: Need) -> dict[str, Any]:
        key = columns_to_create(need, self._rows)
        if key is None:
            raise Conflict(
                f"{need.shown} cannot be created: a record it refers to is missing.",
                detail="No file that refers to it was sent.",
                remedy="Create the record in the catalog, or let the spec create it.",
            )
        parents = {
            name: str(self._rows[key]["RID"]) for name, key in need.parents.items() if key in self._rows
        }
        specials = {"record": self._plan.documents.get(str(need.values.get("dataset") or ""))}
        return {**render_columns(need.rule.columns, need.values, parents, specials=specials), **key}

    def _remember(self, need: Need, rid: str, written: Mapping[str, Any]) -> None:
        table, source = str(need.rule.table), SourceFile(need.key, 0, 0)
        delivery = self._ports.journal.intend(self._task.target, table, need.key, "", source, need.key)
        kept = {name: value for name, value in written.items() if name != "RID"}
        self._ports.journal.registered([(delivery.delivery_id, rid, row_digest(kept), kept)])
