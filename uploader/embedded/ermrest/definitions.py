"""Reads model documents that clients send into values of the model; every fault is a Refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from uploader.embedded.ermrest import acl
from uploader.embedded.ermrest.errors import conflict, malformed, not_implemented
from uploader.embedded.ermrest.model import SYSTEM_COLUMNS, Column, ForeignKey, Key, Model, Schema, Table
from uploader.embedded.ermrest.types import BadValue, ColumnType, column_type

ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")
_MAX_NAME_CHARS = 200
_DISPLAY = "tag:misd.isi.edu,2015:display"
_SYSTEM = {
    "RID": ("ermrest_rid", False, "Record ID"),
    "RCT": ("ermrest_rct", False, "Creation Time"),
    "RMT": ("ermrest_rmt", False, "Modified Time"),
    "RCB": ("ermrest_rcb", True, "Created By"),
    "RMB": ("ermrest_rmb", True, "Modified By"),
}


class Ids(Protocol):
    """Gives out ids that were never used."""

    def next_rid(self) -> str:
        """A record id."""

    def next_number(self) -> int:
        """A number for an identifier in SQLite."""


def schema(document: Mapping[str, Any], ids: Ids) -> Schema:
    """A schema without its tables."""
    _no_bindings(document)
    return Schema(
        ids.next_rid(),
        name_of(document, "schema_name"),
        comment=comment_of(document),
        annotations=annotations_of(document),
        acls=acl.from_document(document.get("acls")),
    )


def table(document: Mapping[str, Any], schema_name: str, ids: Ids) -> Table:
    """A table with columns and keys; its foreign keys are read when their targets exist."""
    _no_bindings(document)
    if document.get("kind", "table") != "table":
        raise not_implemented("views")
    if document.get("schema_name", schema_name) != schema_name:
        raise malformed("The table names another schema than the one it is sent to.")
    name = name_of(document, "table_name")
    columns = _columns(_objects(document, "column_definitions"), ids)
    made = Table(
        ids.next_rid(),
        ids.next_number(),
        schema_name,
        name,
        columns,
        comment=comment_of(document),
        annotations=annotations_of(document),
        acls=acl.from_document(document.get("acls")),
    )
    keys: list[Key] = []
    for part in _objects(document, "keys"):
        keys.append(key(part, made, keys, ids))
    if ("RID",) not in [each.columns for each in keys]:
        keys.insert(0, key({"unique_columns": ["RID"]}, made, keys, ids))
    return replace(made, keys=tuple(keys))


def column(document: Mapping[str, Any], ids: Ids) -> Column:
    """A column that is none of the system's."""
    _no_bindings(document)
    acl.refuse_unless_open(document.get("acls"), "column access lists")
    kind = type_of(document.get("type"))
    return Column(
        ids.next_rid(),
        ids.next_number(),
        name_of(document, "name"),
        kind,
        nullok=document.get("nullok", True) is not False,
        default=default_of(document.get("default"), kind),
        comment=comment_of(document),
        annotations=annotations_of(document),
    )


def key(document: Mapping[str, Any], on: Table, others: Sequence[Key], ids: Ids) -> Key:
    """A key of a table whose columns are known."""
    columns = _names(document, "unique_columns")
    for name in columns:
        on.column(name)
    if any(set(other.columns) == set(columns) for other in others):
        raise conflict(f"Unique constraint on {', '.join(columns)} already exists on table {on.name}.")
    return Key(
        ids.next_rid(),
        ids.next_number(),
        (on.schema, _constraint_name(document, on, columns, "key")),
        columns,
        comment_of(document),
        annotations_of(document),
    )


def foreign_key(document: Mapping[str, Any], on: Table, model: Model, ids: Ids) -> ForeignKey:
    """A foreign key of a table; its target must exist and have that key."""
    _no_bindings(document)
    acl.refuse_unless_open(document.get("acls"), "foreign key access lists")
    own = _objects(document, "foreign_key_columns")
    theirs = _objects(document, "referenced_columns")
    if not own or len(own) != len(theirs):
        raise malformed("A foreign key needs as many referenced columns as it has columns.")
    columns = tuple(name_of(part, "column_name") for part in own)
    for name in columns:
        on.column(name)
    places = {(part.get("schema_name", on.schema), part.get("table_name")) for part in theirs}
    if len(places) != 1:
        raise malformed("The referenced columns belong to different tables.")
    target_schema, target_name = places.pop()
    target = model.data_table(str(target_schema), str(target_name))
    target_columns = tuple(name_of(part, "column_name") for part in theirs)
    if not any(set(each.columns) == set(target_columns) for each in target.keys):
        raise conflict(
            f"there is no unique constraint matching given keys for referenced table {target.name}"
        )
    return ForeignKey(
        ids.next_rid(),
        ids.next_number(),
        (on.schema, _constraint_name(document, on, columns, "fkey")),
        columns,
        (target.schema, target.name),
        target_columns,
        action_of(document.get("on_delete")),
        action_of(document.get("on_update")),
        comment_of(document),
        annotations_of(document),
    )


def name_of(document: Mapping[str, Any], field: str) -> str:
    """A name out of a document; raises Refusal (400)."""
    value = document.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME_CHARS or "\0" in value:
        raise malformed(f"{field} must be a text of 1 to {_MAX_NAME_CHARS} characters.")
    return value


def comment_of(document: Mapping[str, Any]) -> str | None:
    """The comment of a document; raises Refusal (400)."""
    value = document.get("comment")
    if value is not None and not isinstance(value, str):
        raise malformed("comment must be a text or null.")
    return value


def annotations_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The annotations of a document; raises Refusal (400)."""
    value = document.get("annotations") or {}
    if not isinstance(value, dict):
        raise malformed("annotations must be an object.")
    return value


def action_of(value: object) -> str:
    """What a foreign key does when its target changes; raises Refusal (400)."""
    if value is None:
        return "NO ACTION"
    action = str(value).upper()
    if action not in ACTIONS:
        raise malformed(f"Unknown action {value!r}; one of {', '.join(ACTIONS)}.")
    return action


def type_of(document: object) -> ColumnType:
    """The type that a column document names; raises Refusal (400)."""
    if not isinstance(document, dict) or not isinstance(document.get("typename"), str):
        raise malformed("A column needs a type with a typename.")
    name: str = document["typename"]
    if document.get("is_array") and not name.endswith("[]"):
        name += "[]"
    try:
        return column_type(name)
    except KeyError as error:
        raise malformed(f"Unsupported type {name!r}.") from error


def default_of(value: Any, kind: ColumnType) -> Any:
    """A column's default, which must fit its type; raises Refusal (400)."""
    if value is not None:
        try:
            kind.store(value)
        except BadValue as error:
            raise malformed(f"default: {error}") from error
    return value


def _columns(documents: Sequence[Mapping[str, Any]], ids: Ids) -> tuple[Column, ...]:
    given = {name_of(document, "name"): document for document in documents}
    if len(given) != len(documents):
        raise malformed("A table cannot have two columns of one name.")
    made = []
    for name in SYSTEM_COLUMNS:
        type_name, nullok, label = _SYSTEM[name]
        document = given.pop(name, {"annotations": {_DISPLAY: {"name": label}}})
        _no_bindings(document)
        acl.refuse_unless_open(document.get("acls"), "column access lists")
        made.append(
            Column(
                ids.next_rid(),
                ids.next_number(),
                name,
                column_type(type_name),
                nullok,
                None,
                comment_of(document),
                annotations_of(document),
            )
        )
    return (*made, *(column(document, ids) for document in given.values()))


def _objects(document: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    value = document.get(field) or []
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise malformed(f"{field} must be a list of objects.")
    return value


def _names(document: Mapping[str, Any], field: str) -> tuple[str, ...]:
    value = document.get(field)
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise malformed(f"{field} must be a list of column names.")
    if len(set(value)) != len(value):
        raise malformed(f"{field} names a column twice.")
    return tuple(value)


def _constraint_name(document: Mapping[str, Any], on: Table, columns: tuple[str, ...], end: str) -> str:
    names = document.get("names")
    if isinstance(names, list) and names and isinstance(names[0], list) and len(names[0]) == 2:
        return str(names[0][1])
    return "_".join((on.name, *columns, end))


def _no_bindings(document: Mapping[str, Any]) -> None:
    if document.get("acl_bindings"):
        raise not_implemented("dynamic access rules (acl_bindings)")
