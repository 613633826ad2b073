"""Writes rows in batches: insert or adopt, update, and tell a broken row from a broken batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from uploader.model.errors import BadRequest, Conflict, UploaderError
from uploader.model.ports import Catalog, Row
from uploader.stages.rows import canonical, differences


@dataclass(frozen=True, slots=True)
class RowWork:
    """One row to be written."""

    table: str
    """`schema:table`."""
    row: Row
    """All columns with their values."""
    key: tuple[str, ...]
    """Columns of `row` that identify it; empty: only its position in a batch of one does."""
    query: str = ""
    """Finds the row where no key does."""
    rid: str = ""
    """Update the row with this RID instead of inserting."""
    columns: tuple[str, ...] = ()
    """For an update: the columns to write."""
    proof: tuple[str, ...] = ()
    """Columns that must agree before a row that exists already is taken for ours."""


@dataclass(frozen=True, slots=True)
class RowDone:
    """What the catalog holds now, or why it does not."""

    row: Row
    """As the server answered it; empty after an error."""
    created: bool = False
    error: UploaderError | None = None

    @property
    def rid(self) -> str:
        """The row's RID."""
        return str(self.row.get("RID", ""))


_Write: TypeAlias = Callable[[Catalog, Sequence[RowWork]], list[RowDone]]


def register(catalog: Catalog, works: Sequence[RowWork], *, in_doubt: bool = False) -> list[RowDone]:
    """Write the rows, in the order given; a refused row gets its error and does not take others with it.

    `in_doubt`: an earlier call with these rows failed on its way, so what it may have inserted is looked for
    first. Raises only errors that concern the whole batch (no connection, no login).
    """
    done: list[RowDone | None] = [None] * len(works)
    groups: dict[tuple[object, ...], list[int]] = {}
    for position, work in enumerate(works):
        alone = position if not work.key and not work.rid else -1
        group = (work.table, bool(work.rid), work.columns, work.key, alone)
        groups.setdefault(group, []).append(position)
    for positions in groups.values():
        batch = [works[position] for position in positions]
        write = _update if batch[0].rid else _insert_missing if in_doubt else _insert
        for position, result in zip(positions, _halving(catalog, batch, write), strict=True):
            done[position] = result
    return [result for result in done if result is not None]


def _halving(catalog: Catalog, batch: Sequence[RowWork], write: _Write) -> list[RowDone]:
    """Write a batch; when the server refuses it for its content, halve it until the refused row stands alone."""
    try:
        return write(catalog, batch)
    except (Conflict, BadRequest) as error:
        if len(batch) == 1:
            return [RowDone({}, error=error)]
        middle = len(batch) // 2
        return _halving(catalog, batch[:middle], write) + _halving(catalog, batch[middle:], write)


def _insert(catalog: Catalog, batch: Sequence[RowWork]) -> list[RowDone]:
    key = batch[0].key
    inserted = catalog.insert(batch[0].table, [work.row for work in batch])
    if not key:
        return [RowDone(row, created=True) for row in inserted]
    by_key = {_key_of(row, key): row for row in inserted}
    missing = [work for work in batch if _key_of(work.row, key) not in by_key]
    existing = {_key_of(row, key): row for row in _existing(catalog, missing)} if missing else {}
    results = []
    for work in batch:
        wanted = _key_of(work.row, key)
        if wanted in by_key:
            results.append(RowDone(by_key[wanted], created=True))
        else:
            results.append(_adopted(work, existing.get(wanted)))
    return results


def _insert_missing(catalog: Catalog, batch: Sequence[RowWork]) -> list[RowDone]:
    """Insert the rows that are not there yet; the server alone would double those of a table without keys."""
    there = [_found(catalog, work) for work in batch] if not batch[0].key else _found_by_key(catalog, batch)
    missing = [work for work, row in zip(batch, there, strict=True) if row is None]
    inserted = iter(_insert(catalog, missing) if missing else ())
    return [
        next(inserted) if row is None else _adopted(work, row) for work, row in zip(batch, there, strict=True)
    ]


def _found(catalog: Catalog, work: RowWork) -> Mapping[str, Any] | None:
    rows = catalog.query(work.query) if work.query else []
    return rows[0] if rows else None


def _found_by_key(catalog: Catalog, batch: Sequence[RowWork]) -> list[Mapping[str, Any] | None]:
    key = batch[0].key
    rows = {_key_of(row, key): row for row in _existing(catalog, batch)}
    return [rows.get(_key_of(work.row, key)) for work in batch]


def _existing(catalog: Catalog, works: Sequence[RowWork]) -> list[dict[str, Any]]:
    """The rows that made the server skip ours."""
    key = works[0].key
    # Ask by the column with the most different values; the others narrow it down where they are all alike.
    asked = max(key, key=lambda column: len({canonical(work.row.get(column)) for work in works}))
    where = {
        column: works[0].row.get(column)
        for column in key
        if column != asked and len({canonical(work.row.get(column)) for work in works}) == 1
    }
    values = list(dict.fromkeys(work.row.get(asked) for work in works))
    return catalog.rows_by_key(works[0].table, asked, values, where=where or None)


def _adopted(work: RowWork, found: Mapping[str, Any] | None) -> RowDone:
    if found is None:
        other = Conflict(
            f"{work.table} refused the row: another of its keys exists already.",
            detail="The object is stored; no row was written.",
            remedy="Look for a record with the same values in the catalog.",
        )
        return RowDone({}, error=other)
    differing = differences(work.row, found, work.proof)
    if differing:
        clash = Conflict(
            f"{work.table} holds another record under this key; {', '.join(differing)} differ.",
            detail="The object is stored; the record was left as it is.",
            remedy="Compare the record with the file; rename the file or have the record corrected.",
        )
        return RowDone(found, error=clash)
    return RowDone(found)


def _update(catalog: Catalog, batch: Sequence[RowWork]) -> list[RowDone]:
    columns = batch[0].columns
    rows = [{"RID": work.rid, **{name: work.row.get(name) for name in columns}} for work in batch]
    changed = {
        str(row["RID"]): row for row in catalog.update(batch[0].table, rows, by=("RID",), columns=columns)
    }
    results = []
    for work in batch:
        if work.rid in changed:
            results.append(RowDone({**work.row, **changed[work.rid]}))
            continue
        gone = Conflict(
            f"{work.table} no longer holds the record {work.rid}.",
            detail="Nothing was written.",
            remedy="Run again: the file is then planned anew.",
        )
        results.append(RowDone({}, error=gone))
    return results


def _key_of(row: Row, key: Sequence[str]) -> str:
    return canonical([_comparable(row.get(column)) for column in key])


def _comparable(value: Any) -> Any:
    """Server and client may spell one number in two ways; text columns hold text."""
    return str(value) if isinstance(value, int | float) else value
