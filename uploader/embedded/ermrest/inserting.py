"""Inserts the rows of one request: all of them, or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from uploader.embedded.ermrest import acl, inputs
from uploader.embedded.ermrest.bodies import Rows
from uploader.embedded.ermrest.constraints import check_targets, columns_of, duplicate, rows_with
from uploader.embedded.ermrest.database import Writing
from uploader.embedded.ermrest.model import NEVER_INSERTED, SYSTEM_COLUMNS, Column, Key, Table
from uploader.embedded.ermrest.queries import Field
from uploader.embedded.ermrest.types import Stored

LEASES = ("public", "ERMrest_RID_Lease")
_FILLED_BY_RID = ("ermrest_curie", "ermrest_uri")


@dataclass(frozen=True, slots=True)
class InsertOptions:
    """What the query of a POST says."""

    defaults: Sequence[str] = ()
    """Columns whose values in the body are ignored."""
    nondefaults: Sequence[str] = ()
    """System columns whose values in the body count."""
    skip: bool = False
    """Leave out rows whose key exists, instead of refusing all."""


@dataclass(frozen=True, slots=True)
class Written:
    """Rows as they are now in the catalog."""

    fields: tuple[Field, ...]
    rows: Sequence[Sequence[Stored]]


def defaulted_columns(table: Table, options: InsertOptions) -> frozenset[str]:
    """The columns that the server fills, whatever the body says; raises Refusal (409)."""
    given = inputs.known_columns(table, options.nondefaults)
    return inputs.known_columns(table, options.defaults) | (frozenset(SYSTEM_COLUMNS) - given)


def answer_columns(table: Table, defaulted: frozenset[str]) -> list[Column]:
    """The columns in the order of an insert's answer: given keys first."""
    keyed = {name for key in table.keys for name in key.columns} - defaulted
    first = [column for column in table.columns if column.name in keyed]
    return first + [column for column in table.columns if column.name not in keyed]


def insert(writing: Writing, table: Table, rows: Rows, options: InsertOptions) -> Written:
    """Inserts and returns the rows really inserted; raises Refusal (400, 403, 409)."""
    defaulted = defaulted_columns(table, options)
    for name in options.nondefaults:
        if name in NEVER_INSERTED:
            raise acl.denied(writing.client, f"insert access on {table.label}:{name}")
    columns = answer_columns(table, defaulted)
    fields = tuple(Field(column.name, column.type) for column in columns)
    records = _records(rows, columns, defaulted)
    _refuse_nulls(records, columns, defaulted)
    keyed = [
        place
        for place, column in enumerate(columns)
        if column.name not in defaulted and any(column.name in key.columns for key in table.keys)
    ]
    inputs.refuse_shared_keys([tuple(record[place] for place in keyed) for record in records])
    places = {column.name: place for place, column in enumerate(columns)}
    if "RID" not in defaulted:
        _refuse_unleased(writing, table, records, places["RID"])
    keys = [key for key in table.keys if not defaulted.issuperset(key.columns)]
    if options.skip:
        records = _without_existing(writing, table, records, places, keys)
    _fill(writing, records, places, columns, defaulted)
    if records:
        _store(writing, table, columns, records, places)
    return Written(fields, records)


def _records(rows: Rows, columns: Sequence[Column], defaulted: frozenset[str]) -> list[list[Stored]]:
    """A value for every column of every row; None where the row says nothing."""
    given = [
        column
        for column in columns
        if column.name not in defaulted and any(column.name in row for row in rows.rows)
    ]
    values = inputs.stored(rows, [inputs.Input(column, column.name) for column in given])
    places = {column.name: place for place, column in enumerate(given)}
    from_given = [places.get(column.name) for column in columns]
    default = [
        None if place is not None else _default(column)
        for place, column in zip(from_given, columns, strict=True)
    ]
    return [
        [
            value[place] if place is not None else fallback
            for place, fallback in zip(from_given, default, strict=True)
        ]
        for value in values
    ]


def _default(column: Column) -> Stored:
    if column.default is None or column.name in SYSTEM_COLUMNS:
        return None
    return column.type.store(column.default)


def _refuse_nulls(
    records: Sequence[Sequence[Stored]], columns: Sequence[Column], defaulted: frozenset[str]
) -> None:
    needed = [
        place
        for place, column in enumerate(columns)
        if not column.nullok and not (column.name in SYSTEM_COLUMNS and column.name in defaulted)
    ]
    for record in records:
        for place in needed:
            if record[place] is None:
                row = list(zip(columns, record, strict=True))
                raise inputs.null_value(columns[place], inputs.input_relation(), row)


def _refuse_unleased(writing: Writing, table: Table, records: Sequence[Sequence[Stored]], place: int) -> None:
    """A RID that a client brings must have been leased to it, or two rows could come to share it.

    Owners (who copy whole catalogs) are trusted; ids given out later stay clear of theirs.
    """
    if acl.may(writing.client, "owner", acl.levels(writing.model, table=table)):
        for record in records:
            writing.skip_rid(str(record[place]))
        return
    leases = writing.model.data_table(*LEASES)
    rid, author = leases.column("RID"), leases.column("RCB")
    values = [(record[place],) for record in records]
    leased = {
        row[0]
        for row in rows_with(writing.session, leases, [rid], values, [rid.sql, author.sql])
        if row[1] == writing.author
    }
    for (value,) in values:
        if value not in leased:
            raise acl.denied(
                writing.client, f"insert access on column \"RID\" with non-leased value '{value}'"
            )


def _without_existing(
    writing: Writing,
    table: Table,
    records: list[list[Stored]],
    places: dict[str, int],
    keys: Sequence[Key],
) -> list[list[Stored]]:
    """The rows that break no key, neither of the table nor of an earlier row."""
    for key in keys:
        columns = columns_of(table, key.columns)
        wanted = [tuple(record[places[name]] for name in key.columns) for record in records]
        taken = set(rows_with(writing.session, table, columns, wanted, [column.sql for column in columns]))
        kept = []
        for record, value in zip(records, wanted, strict=True):
            if None in value or value not in taken:
                taken.add(value)
                kept.append(record)
        records = kept
    return records


def _fill(
    writing: Writing,
    records: list[list[Stored]],
    places: dict[str, int],
    columns: Sequence[Column],
    defaulted: frozenset[str],
) -> None:
    filled: dict[str, Stored] = {
        "RCT": writing.now_text,
        "RMT": writing.now_text,
        "RCB": writing.author,
        "RMB": writing.author,
    }
    same = [(places[name], value) for name, value in filled.items() if name in defaulted]
    by_rid = [place for place, column in enumerate(columns) if column.type.name in _FILLED_BY_RID]
    rid = places["RID"]
    for record in records:
        if "RID" in defaulted:
            record[rid] = writing.next_rid()
        for place, value in same:
            record[place] = value
        for place in by_rid:
            text: Any = record[place]
            record[place] = None if text is None else text.replace("{RID}", str(record[rid]))


def _store(
    writing: Writing,
    table: Table,
    columns: Sequence[Column],
    records: Sequence[Sequence[Stored]],
    places: dict[str, int],
) -> None:
    session = writing.session
    names = ", ".join(column.sql for column in columns)
    marks = ", ".join("?" * len(columns))
    session.run("SAVEPOINT rows")
    try:
        session.run_many(f"INSERT INTO {table.sql} ({names}) VALUES ({marks})", records)  # noqa: S608
    except sqlite3.IntegrityError:
        session.run("ROLLBACK TO rows")
        _tell_duplicate(writing, table, records, places)
        raise
    session.run("RELEASE rows")
    for foreign_key in table.foreign_keys:
        values = (tuple(record[places[name]] for name in foreign_key.columns) for record in records)
        check_targets(session, writing.model, table, foreign_key, values)


def _tell_duplicate(
    writing: Writing, table: Table, records: Sequence[Sequence[Stored]], places: dict[str, int]
) -> None:
    """Finds the row and key that SQLite refused, and raises Refusal (409) that names them."""
    for key in table.keys:
        columns = columns_of(table, key.columns)
        wanted = [tuple(record[places[name]] for name in key.columns) for record in records]
        taken = set(rows_with(writing.session, table, columns, wanted, [column.sql for column in columns]))
        for value in wanted:
            if None not in value:
                if value in taken:
                    raise duplicate(table, key, value)
                taken.add(value)
