"""Model documents as `/schema` answers them: what a client may see, with the rights it has."""

from __future__ import annotations

from typing import Any, TypeAlias

from uploader.embedded.ermrest import acl
from uploader.embedded.ermrest.model import (
    NEVER_INSERTED,
    NEVER_UPDATED,
    Acls,
    Column,
    ForeignKey,
    Key,
    Model,
    Schema,
    Table,
)
from uploader.embedded.identity import Client

Document: TypeAlias = dict[str, Any]
_SYSTEM_DEFAULTS = {
    "RID": "_ermrest.urlb32_encode(nextval('_ermrest.rid_seq'::regclass))",
    "RCT": "now()",
    "RMT": "now()",
    "RCB": "_ermrest.current_client()",
    "RMB": "_ermrest.current_client()",
}
_TABLE_RIGHTS = ("update", "delete", "owner", "select", "insert")


def model_document(model: Model, client: Client | None) -> Document:
    """Annotations, rights and schemas of the whole catalog."""
    return {
        **catalog_part(model, client),
        "schemas": {
            schema.name: schema_document(model, schema, client) for schema in visible_schemas(model, client)
        },
    }


def catalog_part(model: Model, client: Client | None) -> Document:
    """Annotations and rights of the catalog itself."""
    lists = acl.levels(model)
    rights = {right: acl.may(client, right, lists) for right in ("owner", "create")}
    shown: Document = {"annotations": model.annotations, "rights": rights}
    return _with_acls(shown, model.acls, owner=rights["owner"])


def visible_schemas(model: Model, client: Client | None) -> list[Schema]:
    """The schemas that the client may know of."""
    return [
        schema for schema in model.schemas.values() if acl.may(client, "enumerate", acl.levels(model, schema))
    ]


def visible_tables(model: Model, schema: Schema, client: Client | None) -> list[Table]:
    """The tables of a schema that the client may know of."""
    return [
        table
        for table in schema.tables.values()
        if acl.may(client, "enumerate", acl.levels(model, table=table))
    ]


def schema_document(model: Model, schema: Schema, client: Client | None) -> Document:
    """A schema with its tables."""
    lists = acl.levels(model, schema)
    rights = {right: acl.may(client, right, lists) for right in ("owner", "create")}
    shown: Document = {
        "RID": schema.rid,
        "schema_name": schema.name,
        "comment": schema.comment,
        "rights": rights,
        "annotations": schema.annotations,
        "tables": {
            table.name: table_document(model, table, client)
            for table in visible_tables(model, schema, client)
        },
    }
    return _with_acls(shown, schema.acls, owner=rights["owner"])


def table_document(model: Model, table: Table, client: Client | None) -> Document:
    """A table with its columns, keys and foreign keys."""
    lists = acl.levels(model, table=table)
    rights = {right: acl.may(client, right, lists) for right in _TABLE_RIGHTS}
    shown: Document = {
        "RID": table.rid,
        "schema_name": table.schema,
        "table_name": table.name,
        "rights": rights,
        "column_definitions": [column_document(column, rights) for column in table.columns],
        "keys": [key_document(key) for key in table.keys],
        "foreign_keys": [foreign_key_document(table, part) for part in table.foreign_keys],
        "kind": "table",
        "comment": table.comment,
        "annotations": table.annotations,
    }
    return _with_acls(shown, table.acls, owner=rights["owner"])


def column_document(column: Column, table_rights: dict[str, bool] | None = None) -> Document:
    """A column; without rights of its table all rights are shown."""
    rights = table_rights or dict.fromkeys(_TABLE_RIGHTS, True)
    return {
        "RID": column.rid,
        "name": column.name,
        "rights": {
            "update": rights["update"] and column.name not in NEVER_UPDATED,
            "delete": rights["delete"],
            "select": rights["select"],
            "insert": rights["insert"] and column.name not in NEVER_INSERTED,
        },
        "type": column.type.document(),
        "default": _SYSTEM_DEFAULTS.get(column.name, column.default),
        "nullok": column.nullok,
        "comment": column.comment,
        "annotations": column.annotations,
    }


def key_document(key: Key) -> Document:
    """A key."""
    return {
        "RID": key.rid,
        "names": [list(key.name)],
        "unique_columns": list(key.columns),
        "comment": key.comment,
        "annotations": key.annotations,
    }


def foreign_key_document(table: Table, foreign_key: ForeignKey) -> Document:
    """A foreign key."""
    schema, target = foreign_key.target
    return {
        "RID": foreign_key.rid,
        "names": [list(foreign_key.name)],
        "foreign_key_columns": [
            {"schema_name": table.schema, "table_name": table.name, "column_name": name}
            for name in foreign_key.columns
        ],
        "referenced_columns": [
            {"schema_name": schema, "table_name": target, "column_name": name}
            for name in foreign_key.target_columns
        ],
        "rights": {"insert": True, "update": True},
        "on_delete": foreign_key.on_delete,
        "on_update": foreign_key.on_update,
        "comment": foreign_key.comment,
        "annotations": foreign_key.annotations,
    }


def acl_document(acls: Acls) -> Document:
    """Access lists, `null` where a right is inherited."""
    return {right: list(acls[right]) if right in acls else None for right in acl.RIGHTS}


def _with_acls(shown: Document, acls: Acls, *, owner: bool) -> Document:
    """Only owners see who else has rights."""
    if owner:
        shown["acls"] = {right: list(members) for right, members in acls.items()}
    return shown
