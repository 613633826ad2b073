"""Updates rows: by key (attributegroup), or whole ones that are inserted when they are new (PUT entity)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from uploader.embedded.ermrest import acl, inputs, syntax
from uploader.embedded.ermrest.bodies import Rows
from uploader.embedded.ermrest.constraints import (
    check_targets,
    columns_of,
    duplicate,
    rows_with,
    still_referenced,
)
from uploader.embedded.ermrest.database import Writing
from uploader.embedded.ermrest.errors import Refusal, malformed, violates_model
from uploader.embedded.ermrest.inputs import Input
from uploader.embedded.ermrest.inserting import (
    InsertOptions,
    Written,
    answer_columns,
    defaulted_columns,
    insert,
)
from uploader.embedded.ermrest.model import NEVER_UPDATED, SYSTEM_COLUMNS, Column, ForeignKey, Table
from uploader.embedded.ermrest.queries import Field
from uploader.embedded.ermrest.types import Stored

_ROWIDS_PER_QUERY = 500


def update_inputs(
    writing: Writing, table: Table, resource: syntax.Resource
) -> tuple[list[Input], list[Input]]:
    """The key and the target columns of an attributegroup; raises Refusal (400, 403, 409)."""
    keys = [_input(table, output) for output in resource.group_keys]
    targets = [_input(table, output) for output in resource.outputs]
    if not targets:
        raise malformed("An update needs target columns after the semicolon.")
    names = [each.name for each in keys + targets]
    for name in names:
        if names.count(name) > 1:
            raise Refusal(409, f'column "{name}" specified more than once', from_database=True)
    for target in targets:
        if target.column.name in NEVER_UPDATED:
            raise acl.denied(writing.client, f"update access on {table.label}:{target.column.name}")
    return keys, targets


def update(writing: Writing, table: Table, keys: list[Input], targets: list[Input], rows: Rows) -> Written:
    """Sets the targets of every row that a key finds and returns key and targets of each row changed."""
    values = inputs.stored(rows, keys + targets)
    count = len(keys)
    inputs.refuse_shared_keys([tuple(value[:count]) for value in values])
    for value in values:
        _refuse_nulls(table, targets, value[count:], value, keys)
    changed: list[list[Stored]] = []
    rowids: list[int] = []
    for value in values:
        if None in value[:count]:
            continue  # a key with NULL finds nothing
        found = _update_where(
            writing,
            table,
            [each.column for each in keys],
            value[:count],
            [each.column for each in targets],
            value[count:],
        )
        rowids += found
        changed += [value] * len(found)
    _check_references(writing, table, {each.column.name for each in targets}, rowids)
    return Written(tuple(Field(each.name, each.column.type) for each in keys + targets), changed)


def upsert(writing: Writing, table: Table, rows: Rows, options: InsertOptions) -> Written:
    """Updates the rows whose key exists, inserts the others.

    When every row existed, only the columns that were sent come back; otherwise whole rows do.
    """
    places = _existing(writing, table, rows)
    new = Rows([row for row, rid in zip(rows.rows, places, strict=True) if rid is None], rows.are_text)
    inserted = insert(writing, table, new, options)
    rid_column = table.column("RID")
    touched: list[int] = []
    for row, rid in zip(rows.rows, places, strict=True):
        if rid is not None:
            touched += _update_row(writing, table, rid_column, rid, Rows([row], rows.are_text))
    _check_references(writing, table, {column.name for column in table.columns}, touched)
    if inserted.rows:
        fields, columns = inserted.fields, answer_columns(table, defaulted_columns(table, options))
    else:
        sent = {name for row in rows.rows for name in row}
        columns = [column for column in table.columns if column.name in sent]
        fields = tuple(Field(column.name, column.type) for column in columns)
    fresh = iter(inserted.rows)
    return Written(
        fields,
        [next(fresh) if rid is None else _whole(writing, table, rid, columns) for rid in places],
    )


def clear(writing: Writing, table: Table, columns: Sequence[Column], rowids: Sequence[int]) -> None:
    """Sets columns of rows to NULL (DELETE attribute); raises Refusal (403, 409)."""
    for column in columns:
        if column.name in SYSTEM_COLUMNS:
            raise acl.denied(writing.client, f"update access on {table.label}:{column.name}")
        if not column.nullok:
            raise inputs.null_value(column, table.name, [(column, None)])
    nothing: list[Stored] = [None] * len(columns)
    for rowid in rowids:
        _update_rowid(writing, table, rowid, columns, nothing)


def _input(table: Table, output: syntax.Output) -> Input:
    if output.function is not None or isinstance(output.source, syntax.Star) or output.source.alias:
        raise malformed("An update takes plain columns of its table.")
    return Input(table.column(output.source.name), output.name or output.source.name)


def _refuse_nulls(
    table: Table,
    targets: Sequence[Input],
    new: Sequence[Stored],
    row: Sequence[Stored],
    keys: Sequence[Input],
) -> None:
    for target, value in zip(targets, new, strict=True):
        if value is None and not target.column.nullok:
            shown = [(each.column, part) for each, part in zip([*keys, *targets], row, strict=True)]
            raise inputs.null_value(target.column, table.name, shown)


def _update_where(
    writing: Writing,
    table: Table,
    keys: Sequence[Column],
    key: Sequence[Stored],
    columns: Sequence[Column],
    new: Sequence[Stored],
) -> list[int]:
    where = " AND ".join(f"{column.sql} = ?" for column in keys)
    rowids = [
        row[0]
        for row in writing.session.rows(f"SELECT rowid FROM {table.sql} WHERE {where}", key)  # noqa: S608
    ]
    for rowid in rowids:
        _update_rowid(writing, table, rowid, columns, new)
    return rowids


def _update_rowid(
    writing: Writing, table: Table, rowid: int, columns: Sequence[Column], new: Sequence[Stored]
) -> None:
    names = {column.name for column in columns}
    dependants = [
        (other, key)
        for other, key in writing.model.referring(table)
        if names.intersection(key.target_columns)
    ]
    before = _row(writing, table, rowid) if dependants else {}
    sets = ", ".join(f"{column.sql} = ?" for column in [*columns, table.column("RMT"), table.column("RMB")])
    try:
        writing.session.run(
            f"UPDATE {table.sql} SET {sets} WHERE rowid = ?",  # noqa: S608 - identifiers are our own
            (*new, writing.now_text, writing.author, rowid),
        )
    except sqlite3.IntegrityError as error:
        after = _row(writing, table, rowid)
        after.update((column.name, value) for column, value in zip(columns, new, strict=True))
        raise _tell_duplicate(writing, table, rowid, after) from error
    if dependants:
        after = _row(writing, table, rowid)
        for other, foreign_key in dependants:
            _follow(writing, table, other, foreign_key, before, after)


def _follow(
    writing: Writing,
    table: Table,
    other: Table,
    foreign_key: ForeignKey,
    before: Mapping[str, Stored],
    after: Mapping[str, Stored],
) -> None:
    """What rows that refer to a changed key do."""
    old = tuple(before[name] for name in foreign_key.target_columns)
    new = tuple(after[name] for name in foreign_key.target_columns)
    columns = columns_of(other, foreign_key.columns)
    if old == new or not any(True for _ in rows_with(writing.session, other, columns, [old], ["rowid"])):
        return
    values: Sequence[Stored]
    match foreign_key.on_update:
        case "CASCADE":
            values = new
        case "SET NULL":
            values = [None] * len(columns)
        case "SET DEFAULT":
            values = [None if each.default is None else each.type.store(each.default) for each in columns]
        case _:
            raise still_referenced(table, other, foreign_key, old)
    referring = [row[0] for row in rows_with(writing.session, other, columns, [old], ["rowid"])]
    for rowid in referring:
        _update_rowid(writing, other, rowid, columns, values)


def _tell_duplicate(writing: Writing, table: Table, rowid: int, row: Mapping[str, Stored]) -> Refusal:
    for key in table.keys:
        value = tuple(row[name] for name in key.columns)
        others = rows_with(writing.session, table, columns_of(table, key.columns), [value], ["rowid"])
        if any(found[0] != rowid for found in others):
            return duplicate(table, key, value)
    return violates_model("duplicate key value violates unique constraint")


def _row(writing: Writing, table: Table, rowid: int) -> dict[str, Stored]:
    names = ", ".join(column.sql for column in table.columns)
    found = next(
        writing.session.rows(f"SELECT {names} FROM {table.sql} WHERE rowid = ?", (rowid,))  # noqa: S608
    )
    return dict(zip((column.name for column in table.columns), found, strict=True))


def _check_references(writing: Writing, table: Table, names: set[str], rowids: Sequence[int]) -> None:
    """Raises Refusal (409) when a row changed now refers to nothing."""
    for foreign_key in table.foreign_keys:
        if names.intersection(foreign_key.columns):
            values = _values(writing, table, columns_of(table, foreign_key.columns), rowids)
            check_targets(writing.session, writing.model, table, foreign_key, values)


def _values(
    writing: Writing, table: Table, columns: Sequence[Column], rowids: Sequence[int]
) -> Iterable[tuple[Any, ...]]:
    names = ", ".join(column.sql for column in columns)
    for start in range(0, len(rowids), _ROWIDS_PER_QUERY):
        part = rowids[start : start + _ROWIDS_PER_QUERY]
        marks = ", ".join("?" * len(part))
        yield from writing.session.rows(
            f"SELECT {names} FROM {table.sql} WHERE rowid IN ({marks})",  # noqa: S608
            part,
        )


def _existing(writing: Writing, table: Table, rows: Rows) -> list[str | None]:
    """The RID of the row that each input row means, or None for a new one."""
    found: list[str | None] = [None] * len(rows.rows)
    rid = table.column("RID").sql
    for key in table.keys:
        columns = columns_of(table, key.columns)
        values = [
            tuple(value) for value in inputs.stored(rows, [Input(column, column.name) for column in columns])
        ]
        inputs.refuse_shared_keys(values)
        names = [column.sql for column in columns]
        there = {
            tuple(row[:-1]): row[-1]
            for row in rows_with(writing.session, table, columns, values, [*names, rid])
        }
        for place, value in enumerate(values):
            if found[place] is None:
                found[place] = there.get(value)
    return found


def _update_row(writing: Writing, table: Table, rid_column: Column, rid: str, rows: Rows) -> list[int]:
    sent = [
        Input(column, column.name)
        for column in table.columns
        if column.name in rows.rows[0] and column.name not in SYSTEM_COLUMNS
    ]
    new = inputs.stored(rows, sent)[0]
    _refuse_nulls(table, sent, new, new, ())
    return _update_where(writing, table, [rid_column], [rid], [each.column for each in sent], new)


def _whole(writing: Writing, table: Table, rid: str, columns: Sequence[Column]) -> tuple[Any, ...]:
    names = [column.sql for column in columns]
    return next(rows_with(writing.session, table, [table.column("RID")], [(rid,)], names))
