"""Deletes rows and does what foreign keys demand of the rows that refer to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from uploader.embedded.ermrest.constraints import columns_of, rows_with, still_referenced
from uploader.embedded.ermrest.database import Writing
from uploader.embedded.ermrest.model import ForeignKey, Table
from uploader.embedded.ermrest.types import Stored

_ROWIDS_PER_QUERY = 500


def delete(writing: Writing, table: Table, rowids: Sequence[int]) -> None:
    """Deletes rows and those that go with them; raises Refusal (409) when a row that stays refers to one."""
    going: dict[tuple[str, str], set[int]] = {}
    blocked: list[tuple[Table, Table, ForeignKey, tuple[Stored, ...], int]] = []
    emptied: list[tuple[Table, ForeignKey, int]] = []
    waiting: list[tuple[Table, list[int]]] = [(table, list(rowids))]
    while waiting:
        target, fresh = waiting.pop()
        known = going.setdefault((target.schema, target.name), set())
        fresh = [rowid for rowid in fresh if rowid not in known]
        known.update(fresh)
        for other, foreign_key in writing.model.referring(target):
            referring = _referring(writing, target, other, foreign_key, fresh)
            match foreign_key.on_delete:
                case "CASCADE":
                    if referring:
                        waiting.append((other, [rowid for rowid, _ in referring]))
                case "SET NULL" | "SET DEFAULT":
                    emptied += [(other, foreign_key, rowid) for rowid, _ in referring]
                case _:
                    blocked += [(target, other, foreign_key, value, rowid) for rowid, value in referring]
    for target, other, foreign_key, value, rowid in blocked:
        if rowid not in going.get((other.schema, other.name), ()):
            raise still_referenced(target, other, foreign_key, value)
    for other, foreign_key, rowid in emptied:
        _empty(writing, other, foreign_key, rowid)
    for (schema, name), gone in going.items():
        sql = f"DELETE FROM {writing.model.table(schema, name).sql} WHERE rowid = ?"  # noqa: S608
        writing.session.run_many(sql, [(rowid,) for rowid in gone])


def _referring(
    writing: Writing, target: Table, other: Table, foreign_key: ForeignKey, rowids: Sequence[int]
) -> list[tuple[int, tuple[Any, ...]]]:
    """Rows of `other` that refer to these rows: their ids and the value they refer by."""
    names = ", ".join(column.sql for column in columns_of(target, foreign_key.target_columns))
    columns = columns_of(other, foreign_key.columns)
    wanted = ["rowid", *(column.sql for column in columns)]
    found: list[tuple[int, tuple[Any, ...]]] = []
    for start in range(0, len(rowids), _ROWIDS_PER_QUERY):
        part = rowids[start : start + _ROWIDS_PER_QUERY]
        marks = ", ".join("?" * len(part))
        values = list(
            writing.session.rows(f"SELECT {names} FROM {target.sql} WHERE rowid IN ({marks})", part)  # noqa: S608
        )
        found += [(row[0], row[1:]) for row in rows_with(writing.session, other, columns, values, wanted)]
    return found


def _empty(writing: Writing, table: Table, foreign_key: ForeignKey, rowid: int) -> None:
    columns = columns_of(table, foreign_key.columns)
    keep_default = foreign_key.on_delete == "SET DEFAULT"
    values = [
        column.type.store(column.default) if keep_default and column.default is not None else None
        for column in columns
    ]
    sets = ", ".join(f"{column.sql} = ?" for column in columns)
    writing.session.run(f"UPDATE {table.sql} SET {sets} WHERE rowid = ?", (*values, rowid))  # noqa: S608
