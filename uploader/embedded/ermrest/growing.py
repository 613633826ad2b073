"""Adds to and takes from a catalog's model: schemas, tables, columns, keys, foreign keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from uploader.embedded.ermrest import definitions
from uploader.embedded.ermrest.constraints import check_references, check_unique
from uploader.embedded.ermrest.database import Writing
from uploader.embedded.ermrest.errors import conflict, malformed
from uploader.embedded.ermrest.model import SYSTEM_COLUMNS, Column, ForeignKey, Key, Schema, Table

Document = Mapping[str, Any]


def add_all(
    writing: Writing, documents: Sequence[Document]
) -> list[Schema | tuple[Table, ForeignKey | None]]:
    """Schemas, tables and foreign keys of one request, foreign keys last so that the order does not matter."""
    made: list[Schema | tuple[Table, ForeignKey | None]] = []
    waiting: list[tuple[Table, Document]] = []
    for document in documents:
        if "table_name" in document:
            schema = writing.model.schema(definitions.name_of(document, "schema_name"))
            table = _add_bare_table(writing, schema.name, document)
            waiting += [(table, part) for part in document.get("foreign_keys") or ()]
            made.append((table, None))
        elif "schema_name" in document:
            schema = _add_bare_schema(writing, document)
            for name, part in (document.get("tables") or {}).items():
                table = _add_bare_table(writing, schema.name, {"table_name": name, **part})
                waiting += [(table, each) for each in part.get("foreign_keys") or ()]
            made.append(schema)
        elif "foreign_key_columns" in document:
            columns = document["foreign_key_columns"]
            if not isinstance(columns, list) or not columns or not isinstance(columns[0], dict):
                raise malformed("foreign_key_columns must be a list of objects.")
            table = writing.model.table(
                definitions.name_of(columns[0], "schema_name"), definitions.name_of(columns[0], "table_name")
            )
            made.append((table, add_foreign_key(writing, table, document)))
        else:
            raise malformed("Each document must be a schema, a table or a foreign key.")
    for table, document in waiting:
        add_foreign_key(writing, writing.model.table(table.schema, table.name), document)
    return made


def add_table(writing: Writing, schema: str, document: Document) -> Table:
    """A table with everything its document names."""
    table = _add_bare_table(writing, schema, document)
    for part in document.get("foreign_keys") or ():
        add_foreign_key(writing, writing.model.table(schema, table.name), part)
    return writing.model.table(schema, table.name)


def add_column(writing: Writing, table: Table, document: Document) -> Column:
    """A column at the end of a table; rows that exist get its default."""
    column = definitions.column(document, writing)
    if table.find(column.name) is not None:
        raise conflict(f"Column {column.name} already exists in table {table.name}.")
    writing.session.run(f"ALTER TABLE {table.sql} ADD COLUMN {column.sql} {column.type.storage}")
    if column.default is not None:
        writing.session.run(
            f"UPDATE {table.sql} SET {column.sql} = ?",  # noqa: S608 - identifiers are our own
            (column.type.store(column.default),),
        )
    elif not column.nullok and next(writing.session.rows(f"SELECT 1 FROM {table.sql} LIMIT 1"), None):  # noqa: S608
        raise conflict(f"column {column.name} of relation {table.name} contains null values")
    writing.model = writing.model.with_table(replace(table, columns=(*table.columns, column)))
    return column


def add_key(writing: Writing, table: Table, document: Document) -> Key:
    """A key; the rows that exist must be unique by it."""
    key = definitions.key(document, table, table.keys, writing)
    check_unique(writing.session, table, key)
    make_index(writing, table, key)
    writing.model = writing.model.with_table(replace(table, keys=(*table.keys, key)))
    return key


def add_foreign_key(writing: Writing, table: Table, document: Document) -> ForeignKey:
    """A foreign key; the rows that exist must refer to rows that exist."""
    foreign_key = definitions.foreign_key(document, table, writing.model, writing)
    if any(
        (each.columns, each.target, each.target_columns)
        == (foreign_key.columns, foreign_key.target, foreign_key.target_columns)
        for each in table.foreign_keys
    ):
        raise conflict(f"The same foreign key already exists on table {table.name}.")
    check_references(writing.session, writing.model, table, foreign_key)
    make_index(writing, table, foreign_key)
    writing.model = writing.model.with_table(replace(table, foreign_keys=(*table.foreign_keys, foreign_key)))
    return foreign_key


def drop_schema(writing: Writing, schema: Schema) -> None:
    """An empty schema."""
    if schema.tables:
        raise conflict(f"cannot drop schema {schema.name} because other objects depend on it")
    schemas = {name: each for name, each in writing.model.schemas.items() if name != schema.name}
    writing.model = replace(writing.model, schemas=schemas)


def drop_table(writing: Writing, table: Table) -> None:
    """A table and its rows; refused while another table refers to it."""
    for other, foreign_key in writing.model.referring(table):
        if other.number != table.number:
            raise conflict(
                f"cannot drop table {table.name} because other objects depend on it: "
                f"constraint {foreign_key.name[1]} on table {other.name}"
            )
    writing.session.run(f"DROP TABLE {table.sql}")
    schema = writing.model.schemas[table.schema]
    tables = {name: each for name, each in schema.tables.items() if name != table.name}
    writing.model = writing.model.with_schema(replace(schema, tables=tables))


def drop_column(writing: Writing, table: Table, column: Column) -> None:
    """A column with its values and the keys and foreign keys it is part of."""
    if column.name in SYSTEM_COLUMNS:
        raise conflict(f"System column {column.name} cannot be dropped.")
    for key in table.keys:
        if column.name in key.columns:
            drop_key(writing, writing.model.table(table.schema, table.name), key)
    for foreign_key in table.foreign_keys:
        if column.name in foreign_key.columns:
            drop_foreign_key(writing, writing.model.table(table.schema, table.name), foreign_key)
    writing.session.run(f"ALTER TABLE {table.sql} DROP COLUMN {column.sql}")
    table = writing.model.table(table.schema, table.name)
    writing.model = writing.model.with_table(
        replace(table, columns=tuple(each for each in table.columns if each.name != column.name))
    )


def drop_key(writing: Writing, table: Table, key: Key) -> None:
    """A key; refused while a foreign key needs it."""
    for other, foreign_key in writing.model.referring(table):
        if set(foreign_key.target_columns) == set(key.columns):
            raise conflict(
                f"cannot drop constraint {key.name[1]} on table {table.name} because other objects depend "
                f"on it: constraint {foreign_key.name[1]} on table {other.name}"
            )
    writing.session.run(f"DROP INDEX {key.sql}")
    writing.model = writing.model.with_table(
        replace(table, keys=tuple(each for each in table.keys if each.number != key.number))
    )


def drop_foreign_key(writing: Writing, table: Table, foreign_key: ForeignKey) -> None:
    """A foreign key; the rows stay."""
    writing.session.run(f"DROP INDEX {foreign_key.sql}")
    rest = tuple(each for each in table.foreign_keys if each.number != foreign_key.number)
    writing.model = writing.model.with_table(replace(table, foreign_keys=rest))


def make_index(writing: Writing, table: Table, constraint: Key | ForeignKey) -> None:
    """The index that serves a key or the columns of a foreign key."""
    unique = "UNIQUE " if isinstance(constraint, Key) else ""
    columns = ", ".join(table.column(name).sql for name in constraint.columns)
    writing.session.run(f"CREATE {unique}INDEX {constraint.sql} ON {table.sql} ({columns})")


def _add_bare_schema(writing: Writing, document: Document) -> Schema:
    schema = definitions.schema(document, writing)
    if schema.name in writing.model.schemas:
        raise conflict(f"Requested schema {schema.name} already exists.")
    writing.model = writing.model.with_schema(schema)
    return schema


def _add_bare_table(writing: Writing, schema: str, document: Document) -> Table:
    table = definitions.table(document, schema, writing)
    if table.name in writing.model.schemas[schema].tables:
        raise conflict(f"Table {table.name} already exists in schema {schema}.")
    columns = ", ".join(f"{column.sql} {column.type.storage}" for column in table.columns)
    writing.session.run(f"CREATE TABLE {table.sql} ({columns})")
    for key in table.keys:
        make_index(writing, table, key)
    writing.model = writing.model.with_table(table)
    return table
