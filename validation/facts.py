"""CatalogFacts: what a check may know of the target catalog, as plain values that a caller fills in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column of a live table."""

    name: str
    type: str
    """The ERMrest type name, e.g. `text`, `int8`, `jsonb`, `timestamptz`."""
    nullok: bool = True
    has_default: bool = False
    """The server fills it when a row does not (system columns, defaults)."""


@dataclass(frozen=True, slots=True)
class ForeignKeyFacts:
    """Columns of a table that must exist in another table."""

    columns: tuple[str, ...]
    target: str
    """`schema:table`."""
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One live table: columns by name, keys, foreign keys and what this login may do with it."""

    name: str
    """`schema:table`."""
    columns: Mapping[str, ColumnFacts]
    keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKeyFacts, ...] = ()
    may_insert: bool | None = None
    may_update: bool | None = None


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """The part of a catalog that checks look at. An absent table is a fact too: it does not exist."""

    tables: Mapping[str, TableFacts] = field(default_factory=dict)
    """By `schema:table`."""
