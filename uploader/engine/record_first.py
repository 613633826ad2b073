"""Rows that a spec wants before their objects (`create_record_before_upload`): object names may use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from uploader.engine.founding import Parents
from uploader.model.errors import UploaderError
from uploader.model.ports import Catalog, Row
from uploader.stages.describe import Candidate, checksum_columns, row_of
from uploader.stages.lookup import whole_rows
from uploader.stages.register import RowWork, register
from validation.spec.model import ByKey, RuleKind


def with_records(
    candidates: Sequence[Candidate], catalog: Catalog, parents: Parents
) -> list[Candidate | UploaderError]:
    """Each candidate with its row among its values, or why there is none; other rules' candidates as they are."""
    early = [one for one in candidates if one.rule.record_first and one.rule.kind is RuleKind.ASSET]
    if not early:
        return list(candidates)
    rows = _held(early, catalog)
    new = [one for one in early if one.entry.entry_id not in rows]
    results: dict[int, Candidate | UploaderError] = {}
    # A row that a killed run has made is found by the survey; here only this run's own are made.
    for candidate, done in zip(new, register(catalog, [_work(one, parents) for one in new]), strict=True):
        if done.error is not None:
            results[candidate.entry.entry_id] = done.error
        else:
            rows[candidate.entry.entry_id] = done.row
    for candidate in early:
        if candidate.entry.entry_id in rows:
            results[candidate.entry.entry_id] = _beside(candidate, rows[candidate.entry.entry_id])
    return [results.get(one.entry.entry_id, one) for one in candidates]


def _held(candidates: Sequence[Candidate], catalog: Catalog) -> dict[int, Row]:
    """Entry id -> the whole row of those that have one."""
    rids: dict[str, list[str]] = {}
    for candidate in candidates:
        if candidate.entry.row:
            rids.setdefault(candidate.table, []).append(str(candidate.entry.row["RID"]))
    rows = {
        rid: row for table, wanted in rids.items() for rid, row in whole_rows(catalog, table, wanted).items()
    }
    return {
        one.entry.entry_id: rows.get(str(one.entry.row["RID"]), one.entry.row)
        for one in candidates
        if one.entry.row
    }


def _work(candidate: Candidate, parents: Parents) -> RowWork:
    identity = candidate.rule.identity
    key = tuple(identity.columns) if isinstance(identity, ByKey) else ()
    row = row_of(candidate, parents.rids(candidate.parents))
    return RowWork(
        candidate.table, row, key, query=candidate.row_query, proof=checksum_columns(candidate.rule)
    )


def _beside(candidate: Candidate, row: Mapping[str, object]) -> Candidate:
    # What the file says of itself goes before what the row says.
    named = {name: value for name, value in row.items() if name not in candidate.values}
    return replace(candidate, entry=replace(candidate.entry, row=row)).with_values(named)
