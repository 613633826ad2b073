"""From the rows of a body to the values that columns store, checked before anything is written."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from uploader.embedded.ermrest.bodies import Rows
from uploader.embedded.ermrest.errors import Refusal, bad_input, malformed
from uploader.embedded.ermrest.model import Column, Table
from uploader.embedded.ermrest.types import BadValue, Stored

SAME_KEY_TWICE = "Multiple input rows share the same unique key information."


@dataclass(frozen=True, slots=True)
class Input:
    """A column to fill and the name its values have in the body."""

    column: Column
    name: str


def stored(rows: Rows, inputs: Sequence[Input]) -> list[list[Stored]]:
    """The values of the inputs for each row; raises Refusal (400) for one that does not fit its type."""
    convert = [each.column.type.store_text if rows.are_text else each.column.type.store for each in inputs]
    names = [each.name for each in inputs]
    try:
        return [
            [_one(row.get(name), store) for name, store in zip(names, convert, strict=True)]
            for row in rows.rows
        ]
    except BadValue as error:
        raise bad_input(rows.origin + str(error)) from error


def _one(value: Any, store: Any) -> Stored:
    if value is None:
        return None
    result: Stored = store(value)
    return result


def refuse_shared_keys(keys: Sequence[tuple[Stored, ...]]) -> None:
    """Raises Refusal (400) when two rows of a batch have the same key; NULL is never the same."""
    whole = [key for key in keys if key and None not in key]
    if len(set(whole)) != len(whole):
        raise malformed(SAME_KEY_TWICE)


def null_value(column: Column, relation: str, row: Sequence[tuple[Column, Stored]]) -> Refusal:
    """409: a column that needs a value has none."""
    shown = ", ".join("null" if value is None else each.type.to_csv(value) for each, value in row)
    return Refusal(
        409,
        f'null value in column "{column.name}" of relation "{relation}" violates not-null constraint\n'
        f"DETAIL:  Failing row contains ({shown}).",
        from_database=True,
    )


def input_relation() -> str:
    """A name as ERMrest gives to the temporary table that holds a body."""
    return f"input_data_{secrets.token_urlsafe(16)}"


def known_columns(table: Table, names: Sequence[str]) -> frozenset[str]:
    """The names as a set; raises Refusal (409) for one that the table does not have."""
    for name in names:
        table.column(name)
    return frozenset(names)
