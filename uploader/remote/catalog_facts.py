"""Reads an ERMrest schema document into CatalogFacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uploader.model.errors import BadReply
from validation.facts import CatalogFacts, ColumnFacts, ForeignKeyFacts, TableFacts

SYSTEM_COLUMNS = ("RID", "RCT", "RMT", "RCB", "RMB")
"""What ERMrest fills in every row by itself."""


def facts_of(document: Mapping[str, Any]) -> CatalogFacts:
    """The facts that a `/schema` document states; raises BadReply when it is not one."""
    try:
        tables = {
            f"{schema_name}:{table_name}": _table(f"{schema_name}:{table_name}", table)
            for schema_name, schema in document["schemas"].items()
            for table_name, table in schema.get("tables", {}).items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise BadReply(
            "The catalog's model can't be read.",
            status=200,
            detail=f"A part of it is missing or of another kind: {error}.",
            remedy="Check that the address is that of an ERMrest catalog.",
            path="/schema",
        ) from error
    return CatalogFacts(tables=tables)


def _table(name: str, table: Mapping[str, Any]) -> TableFacts:
    rights = table.get("rights") or {}
    return TableFacts(
        name=name,
        columns={column["name"]: _column(column) for column in table["column_definitions"]},
        keys=tuple(tuple(key["unique_columns"]) for key in table.get("keys", ())),
        foreign_keys=tuple(_foreign_key(key) for key in table.get("foreign_keys", ())),
        may_insert=_right(rights.get("insert")),
        may_update=_right(rights.get("update")),
    )


def _column(column: Mapping[str, Any]) -> ColumnFacts:
    name, type_name = column["name"], column["type"]["typename"]
    filled = name in SYSTEM_COLUMNS or type_name.startswith("serial") or column.get("default") is not None
    return ColumnFacts(
        name=name, type=type_name, nullok=column.get("nullok", True) is not False, has_default=filled
    )


def _foreign_key(key: Mapping[str, Any]) -> ForeignKeyFacts:
    target = key["referenced_columns"][0]
    return ForeignKeyFacts(
        columns=tuple(column["column_name"] for column in key["foreign_key_columns"]),
        target=f"{target['schema_name']}:{target['table_name']}",
        target_columns=tuple(column["column_name"] for column in key["referenced_columns"]),
    )


def _right(value: Any) -> bool | None:
    # ERMrest says null where a right depends on the row.
    return value if isinstance(value, bool) else None
