"""The model of a catalog as frozen values: schemas, tables, columns, keys, foreign keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from uploader.embedded.ermrest.errors import conflict, not_found
from uploader.embedded.ermrest.types import ColumnType

Annotations: TypeAlias = Mapping[str, Any]
Acls: TypeAlias = Mapping[str, tuple[str, ...]]

SYSTEM_COLUMNS = ("RID", "RCT", "RMT", "RCB", "RMB")
NEVER_UPDATED = frozenset({"RID", "RMT", "RCB", "RMB"})
NEVER_INSERTED = frozenset({"RMT", "RMB"})
_BARE_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    rid: str
    number: int
    """Names it in SQLite; a rename changes only the model."""
    name: str
    type: ColumnType
    nullok: bool = True
    default: Any = None
    comment: str | None = None
    annotations: Annotations = field(default_factory=dict)

    @property
    def sql(self) -> str:
        """Its identifier in SQLite: letters and digits of our own, never text of a caller."""
        return f"c{self.number}"


@dataclass(frozen=True, slots=True)
class Key:
    """Columns whose values together are unique."""

    rid: str
    number: int
    name: tuple[str, str]
    """Schema and name of the constraint."""
    columns: tuple[str, ...]
    comment: str | None = None
    annotations: Annotations = field(default_factory=dict)

    @property
    def sql(self) -> str:
        """Identifier of its index in SQLite."""
        return f"k{self.number}"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns whose values must exist as a key of another table."""

    rid: str
    number: int
    name: tuple[str, str]
    columns: tuple[str, ...]
    target: tuple[str, str]
    """Schema and table."""
    target_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    comment: str | None = None
    annotations: Annotations = field(default_factory=dict)

    @property
    def sql(self) -> str:
        """Identifier of the index on its columns in SQLite."""
        return f"f{self.number}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its parts in the order they were made."""

    rid: str
    number: int
    schema: str
    name: str
    columns: tuple[Column, ...]
    keys: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str | None = None
    annotations: Annotations = field(default_factory=dict)
    acls: Acls = field(default_factory=dict)

    @property
    def sql(self) -> str:
        """Its identifier in SQLite."""
        return f"t{self.number}"

    @property
    def label(self) -> str:
        """How refusals name it."""
        return f":{self.schema}:{self.name}"

    def find(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def column(self, name: str) -> Column:
        """The column of that name; raises Refusal (409)."""
        found = self.find(name)
        if found is None:
            raise conflict(f"Requested column {name} does not exist in table {self.name}.")
        return found


@dataclass(frozen=True, slots=True)
class Schema:
    """A named set of tables."""

    rid: str
    name: str
    tables: Mapping[str, Table] = field(default_factory=dict)
    comment: str | None = None
    annotations: Annotations = field(default_factory=dict)
    acls: Acls = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """Everything a catalog's tables are made of, and who may use them."""

    schemas: Mapping[str, Schema] = field(default_factory=dict)
    annotations: Annotations = field(default_factory=dict)
    acls: Acls = field(default_factory=dict)

    def schema(self, name: str) -> Schema:
        """The schema of that name; raises Refusal (404)."""
        if name not in self.schemas:
            raise not_found(f"schema {name}")
        return self.schemas[name]

    def table(self, schema: str, name: str) -> Table:
        """The table as a model resource; raises Refusal (404)."""
        found = self.schema(schema).tables.get(name)
        if found is None:
            raise not_found(f"table {name} in schema {schema}")
        return found

    def tables(self) -> Iterator[Table]:
        """All tables of all schemas."""
        for schema in self.schemas.values():
            yield from schema.tables.values()

    def data_table(self, schema: str, name: str) -> Table:
        """The table as a data path names it, schema or not; raises Refusal (409, as DERIVA does)."""
        if schema:
            if schema not in self.schemas:
                raise conflict(f"Schema {schema} does not exist.")
            found = self.schemas[schema].tables.get(name)
            if found is None:
                raise conflict(f"Table {name} does not exist in schema {schema}.")
            return found
        candidates = [table for table in self.tables() if table.name == name]
        if not candidates:
            raise conflict(f"Table {name} does not exist.")
        if len(candidates) > 1:
            raise conflict(f"Table name {name} is ambiguous.")
        return candidates[0]

    def referring(self, table: Table) -> Iterator[tuple[Table, ForeignKey]]:
        """Every foreign key that refers to the table, with the table it is on."""
        for other in self.tables():
            for foreign_key in other.foreign_keys:
                if foreign_key.target == (table.schema, table.name):
                    yield other, foreign_key

    def with_schema(self, schema: Schema) -> Model:
        """The model with this schema in place of the one of its name."""
        return replace(self, schemas={**self.schemas, schema.name: schema})

    def with_table(self, table: Table) -> Model:
        """The model with this table in place of the one of its name."""
        schema = self.schemas[table.schema]
        return self.with_schema(replace(schema, tables={**schema.tables, table.name: table}))


def quoted(name: str) -> str:
    """An identifier as PostgreSQL's messages write it: in quotes unless it is plain lower case."""
    if _BARE_IDENTIFIER.fullmatch(name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
