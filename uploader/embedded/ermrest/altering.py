"""Changes what exists of a model: names, comments, annotations, types, access lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from uploader.embedded.ermrest import acl, definitions
from uploader.embedded.ermrest.database import Writing
from uploader.embedded.ermrest.errors import conflict, not_found, not_implemented
from uploader.embedded.ermrest.growing import make_index
from uploader.embedded.ermrest.model import SYSTEM_COLUMNS, Column, ForeignKey, Key, Model, Schema, Table
from uploader.embedded.ermrest.places import Place
from uploader.embedded.ermrest.types import BadValue, ColumnType, Stored

Document = Mapping[str, Any]


def alter_schema(writing: Writing, schema: Schema, document: Document) -> Schema:
    """The schema with another name, comment, annotations or access lists."""
    changed = replace(schema, **_described(document), **_listed(document))
    name = definitions.name_of(document, "schema_name") if "schema_name" in document else schema.name
    if name != schema.name:
        if name in writing.model.schemas:
            raise conflict(f"Requested schema {name} already exists.")
        changed = replace(
            changed,
            name=name,
            tables={each.name: _moved(each, name) for each in schema.tables.values()},
        )
        others = {each: part for each, part in writing.model.schemas.items() if each != schema.name}
        writing.model = replace(writing.model, schemas={**others, name: changed})
        for table in schema.tables.values():
            writing.model = _retarget(writing.model, (schema.name, table.name), (name, table.name))
        return writing.model.schemas[name]
    writing.model = writing.model.with_schema(changed)
    return changed


def alter_table(writing: Writing, table: Table, document: Document) -> Table:
    """The table with another name, schema, comment, annotations or access lists."""
    if document.get("acl_bindings"):
        raise not_implemented("dynamic access rules (acl_bindings)")
    changed = replace(table, **_described(document), **_listed(document))
    name = definitions.name_of(document, "table_name") if "table_name" in document else table.name
    schema = definitions.name_of(document, "schema_name") if "schema_name" in document else table.schema
    if (schema, name) == (table.schema, table.name):
        writing.model = writing.model.with_table(changed)
        return changed
    if name in writing.model.schema(schema).tables:
        raise conflict(f"Table {name} already exists in schema {schema}.")
    old = writing.model.schemas[table.schema]
    rest = {each.name: each for each in old.tables.values() if each.name != table.name}
    writing.model = writing.model.with_schema(replace(old, tables=rest))
    writing.model = writing.model.with_table(replace(_moved(changed, schema), name=name))
    writing.model = _retarget(writing.model, (table.schema, table.name), (schema, name))
    return writing.model.table(schema, name)


def alter_column(writing: Writing, table: Table, column: Column, document: Document) -> Column:
    """The column with another name, type, default, comment, annotations, or rule about NULL."""
    acl.refuse_unless_open(document.get("acls"), "column access lists")
    if document.get("acl_bindings"):
        raise not_implemented("dynamic access rules (acl_bindings)")
    changed = replace(column, **_described(document))
    if column.name in SYSTEM_COLUMNS:
        if document.get("name", column.name) != column.name:
            raise conflict(f"System column {column.name} cannot be renamed.")
    else:
        changed = _redefined(writing, table, changed, document)
    columns = tuple(changed if each.name == column.name else each for each in table.columns)
    table = replace(table, columns=columns)
    if changed.name != column.name:
        table = replace(
            table,
            keys=tuple(
                replace(each, columns=_renamed(each.columns, column.name, changed.name))
                for each in table.keys
            ),
            foreign_keys=tuple(
                replace(each, columns=_renamed(each.columns, column.name, changed.name))
                for each in table.foreign_keys
            ),
        )
    writing.model = writing.model.with_table(table)
    if changed.name != column.name:
        writing.model = _retarget_column(writing.model, table, column.name, changed.name)
    if changed.number != column.number:
        _rebuild_indexes(writing, writing.model.table(table.schema, table.name), changed)
    return changed


def alter_key(writing: Writing, table: Table, key: Key, document: Document) -> Key:
    """The key with another name, comment or annotations."""
    changed = replace(key, **_described(document), **_constraint_name(table, document))
    keys = tuple(changed if each.number == key.number else each for each in table.keys)
    writing.model = writing.model.with_table(replace(table, keys=keys))
    return changed


def alter_foreign_key(writing: Writing, table: Table, key: ForeignKey, document: Document) -> ForeignKey:
    """The foreign key with another name, comment, annotations or actions."""
    acl.refuse_unless_open(document.get("acls"), "foreign key access lists")
    if document.get("acl_bindings"):
        raise not_implemented("dynamic access rules (acl_bindings)")
    actions: dict[str, Any] = {
        name: definitions.action_of(document[name]) for name in ("on_delete", "on_update") if name in document
    }
    changed = replace(key, **_described(document), **_constraint_name(table, document), **actions)
    keys = tuple(changed if each.number == key.number else each for each in table.foreign_keys)
    writing.model = writing.model.with_table(replace(table, foreign_keys=keys))
    return changed


def _described(document: Document) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "comment" in document:
        changes["comment"] = definitions.comment_of(document)
    if "annotations" in document:
        changes["annotations"] = definitions.annotations_of(document)
    return changes


def _listed(document: Document) -> dict[str, Any]:
    return {"acls": acl.from_document(document["acls"])} if "acls" in document else {}


def _constraint_name(table: Table, document: Document) -> dict[str, Any]:
    names = document.get("names")
    if isinstance(names, list) and names and isinstance(names[0], list) and len(names[0]) == 2:
        return {"name": (table.schema, str(names[0][1]))}
    return {}


def _moved(table: Table, schema: str) -> Table:
    """The table with its constraints in another schema."""
    return replace(
        table,
        schema=schema,
        keys=tuple(replace(each, name=(schema, each.name[1])) for each in table.keys),
        foreign_keys=tuple(replace(each, name=(schema, each.name[1])) for each in table.foreign_keys),
    )


def _retarget(model: Model, old: tuple[str, str], new: tuple[str, str]) -> Model:
    """Every foreign key that referred to a table refers to it by its new name."""
    for table in list(model.tables()):
        if any(each.target == old for each in table.foreign_keys):
            moved = tuple(
                replace(each, target=new) if each.target == old else each for each in table.foreign_keys
            )
            model = model.with_table(replace(table, foreign_keys=moved))
    return model


def _retarget_column(model: Model, target: Table, old: str, new: str) -> Model:
    for table, _ in list(model.referring(target)):
        table = model.table(table.schema, table.name)  # noqa: PLW2901 - an earlier turn may have replaced it
        moved = tuple(
            replace(each, target_columns=_renamed(each.target_columns, old, new))
            if each.target == (target.schema, target.name)
            else each
            for each in table.foreign_keys
        )
        model = model.with_table(replace(table, foreign_keys=moved))
    return model


def _renamed(names: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    return tuple(new if name == old else name for name in names)


def _redefined(writing: Writing, table: Table, column: Column, document: Document) -> Column:
    name = definitions.name_of(document, "name") if "name" in document else column.name
    if name != column.name and table.find(name) is not None:
        raise conflict(f"Column {name} already exists in table {table.name}.")
    kind = definitions.type_of(document["type"]) if "type" in document else column.type
    if kind.name != column.type.name:
        column = _converted(writing, table, column, kind)
    default = definitions.default_of(document.get("default", column.default), kind)
    nullok = document.get("nullok", column.nullok) is not False
    if not nullok:
        sql = f"SELECT 1 FROM {table.sql} WHERE {column.sql} IS NULL LIMIT 1"  # noqa: S608
        if next(writing.session.rows(sql), None) is not None:
            raise conflict(f'column "{column.name}" of relation "{table.name}" contains null values')
    return replace(column, name=name, default=default, nullok=nullok)


def _converted(writing: Writing, table: Table, column: Column, kind: ColumnType) -> Column:
    """The column under a new number, its values read again as the new type."""
    fresh = replace(column, number=writing.next_number(), type=kind)
    session = writing.session
    old = list(
        session.rows(f"SELECT rowid, {column.sql} FROM {table.sql} WHERE {column.sql} IS NOT NULL")  # noqa: S608
    )
    new: list[tuple[Stored, int]] = []
    for rowid, value in old:
        try:
            new.append((kind.store_text(column.type.to_csv(value)), rowid))
        except BadValue as error:
            raise conflict(f'column "{column.name}" cannot be cast to type {kind.name}: {error}') from error
    for constraint in _constraints(table):
        if column.name in constraint.columns:
            session.run(f"DROP INDEX {constraint.sql}")
    session.run(f"ALTER TABLE {table.sql} ADD COLUMN {fresh.sql} {kind.storage}")
    session.run_many(f"UPDATE {table.sql} SET {fresh.sql} = ? WHERE rowid = ?", new)  # noqa: S608
    session.run(f"ALTER TABLE {table.sql} DROP COLUMN {column.sql}")
    return fresh


def _constraints(table: Table) -> list[Key | ForeignKey]:
    return [*table.keys, *table.foreign_keys]


def _rebuild_indexes(writing: Writing, table: Table, column: Column) -> None:
    for constraint in _constraints(table):
        if column.name in constraint.columns:
            make_index(writing, table, constraint)


def set_acls(writing: Writing, part: Table | Schema | None, acls: Mapping[str, tuple[str, ...]]) -> None:
    """Other access lists for a table, a schema, or (None) the catalog."""
    match part:
        case Table():
            writing.model = writing.model.with_table(replace(part, acls=acls))
        case Schema():
            writing.model = writing.model.with_schema(replace(part, acls=acls))
        case None:
            writing.model = replace(writing.model, acls=acls)


def describe(writing: Writing, place: Place, document: Document) -> None:
    """Another comment or other annotations for whatever the place is."""
    if place.column is not None and place.table is not None:
        alter_column(writing, place.table, place.column, document)
    elif place.key is not None and place.table is not None:
        alter_key(writing, place.table, place.key, document)
    elif place.foreign_keys and place.table is not None:
        for each in place.foreign_keys:
            table = writing.model.table(place.table.schema, place.table.name)
            alter_foreign_key(writing, table, each, document)
    elif place.table is not None:
        alter_table(writing, place.table, document)
    elif place.schema is not None:
        alter_schema(writing, place.schema, document)
    elif "comment" in document:
        raise not_found("comment on catalog")
    else:
        writing.model = replace(writing.model, annotations=document["annotations"])
