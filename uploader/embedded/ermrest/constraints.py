"""Keys and foreign keys: who breaks them, told as PostgreSQL tells it.

SQLite enforces uniqueness by index, but says neither which row nor which value; foreign keys are enforced here
alone, so that they can be added and dropped. All writes pass through one writer, which makes that safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from uploader.embedded.ermrest.errors import Refusal, conflict, violates_model
from uploader.embedded.ermrest.model import Column, ForeignKey, Key, Model, Table, quoted
from uploader.embedded.ermrest.session import Session
from uploader.embedded.ermrest.types import Stored

_TUPLES_PER_QUERY = 400


def rows_with(
    session: Session,
    table: Table,
    columns: Sequence[Column],
    values: Iterable[tuple[Stored, ...]],
    wanted: Sequence[str],
) -> Iterator[tuple[Any, ...]]:
    """The `wanted` SQL columns of the rows whose `columns` are one of `values`; NULL never matches."""
    listed = [value for value in values if None not in value]
    names = ", ".join(column.sql for column in columns)
    mark = f"({', '.join('?' * len(columns))})"
    for start in range(0, len(listed), _TUPLES_PER_QUERY):
        part = listed[start : start + _TUPLES_PER_QUERY]
        yield from session.rows(
            f"SELECT {', '.join(wanted)} FROM {table.sql} "  # noqa: S608 - identifiers are our own
            f"WHERE ({names}) IN (VALUES {', '.join([mark] * len(part))})",
            [item for value in part for item in value],
        )


def columns_of(table: Table, names: Iterable[str]) -> list[Column]:
    """The columns of these names."""
    return [table.column(name) for name in names]


def duplicate(table: Table, key: Key, values: Sequence[Stored]) -> Refusal:
    """409: a key exists already."""
    return violates_model(
        f'duplicate key value violates unique constraint "{key.name[1]}"\n'
        f"DETAIL:  Key {_key_text(table, key.columns, values)} already exists."
    )


def missing_target(table: Table, foreign_key: ForeignKey, values: Sequence[Stored]) -> Refusal:
    """409: a row refers to nothing."""
    return violates_model(
        f'insert or update on table "{table.name}" violates foreign key constraint "{foreign_key.name[1]}"\n'
        f"DETAIL:  Key {_key_text(table, foreign_key.columns, values)} is not present in table "
        f'"{foreign_key.target[1]}".'
    )


def still_referenced(
    target: Table, other: Table, foreign_key: ForeignKey, values: Sequence[Stored]
) -> Refusal:
    """409: a row that others refer to was to go or change."""
    return violates_model(
        f'update or delete on table "{target.name}" violates foreign key constraint "{foreign_key.name[1]}" '
        f'on table "{other.name}"\n'
        f"DETAIL:  Key {_key_text(target, foreign_key.target_columns, values)} is still referenced from table "
        f'"{other.name}".'
    )


def check_targets(
    session: Session,
    model: Model,
    table: Table,
    foreign_key: ForeignKey,
    values: Iterable[tuple[Stored, ...]],
) -> None:
    """Raises Refusal (409) unless each of these values of the foreign key exists in its target."""
    wanted = dict.fromkeys(value for value in values if None not in value)
    if not wanted:
        return
    target = model.data_table(*foreign_key.target)
    columns = columns_of(target, foreign_key.target_columns)
    there = set(rows_with(session, target, columns, wanted, [column.sql for column in columns]))
    for value in wanted:
        if value not in there:
            raise missing_target(table, foreign_key, value)


def check_references(session: Session, model: Model, table: Table, foreign_key: ForeignKey) -> None:
    """Raises Refusal (409) unless every row of the table refers to a row that exists."""
    names = ", ".join(column.sql for column in columns_of(table, foreign_key.columns))
    values = session.rows(f"SELECT DISTINCT {names} FROM {table.sql}")  # noqa: S608 - identifiers are our own
    check_targets(session, model, table, foreign_key, list(values))


def check_unique(session: Session, table: Table, key: Key) -> None:
    """Raises Refusal (409) when rows share the values of the key."""
    columns = columns_of(table, key.columns)
    names = ", ".join(column.sql for column in columns)
    not_null = " AND ".join(f"{column.sql} IS NOT NULL" for column in columns)
    twice = next(
        session.rows(
            f"SELECT {names} FROM {table.sql} WHERE {not_null} GROUP BY {names} "  # noqa: S608
            "HAVING COUNT(*) > 1 LIMIT 1"
        ),
        None,
    )
    if twice is not None:
        raise conflict(
            f'could not create unique index "{key.name[1]}"\n'
            f"DETAIL:  Key {_key_text(table, key.columns, twice)} is duplicated."
        )


def _key_text(table: Table, names: Sequence[str], values: Sequence[Stored]) -> str:
    shown = [
        "null" if value is None else table.column(name).type.to_csv(value)
        for name, value in zip(names, values, strict=True)
    ]
    return f"({', '.join(quoted(name) for name in names)})=({', '.join(shown)})"
