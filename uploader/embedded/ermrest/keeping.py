"""The form in which a catalog keeps its own model: plain JSON and back."""

from __future__ import annotations

import dataclasses
from typing import Any

from uploader.embedded.ermrest.model import Column, ForeignKey, Key, Model, Schema, Table
from uploader.embedded.ermrest.types import column_type


def model_to_json(model: Model) -> dict[str, Any]:
    """The whole model as JSON values."""
    return {
        "annotations": model.annotations,
        "acls": model.acls,
        "schemas": [_schema_to_json(schema) for schema in model.schemas.values()],
    }


def model_from_json(kept: dict[str, Any]) -> Model:
    """The model that was kept; an empty object is an empty model."""
    schemas = [_schema_from_json(schema) for schema in kept.get("schemas", ())]
    return Model(
        {schema.name: schema for schema in schemas}, kept.get("annotations", {}), _acls(kept.get("acls", {}))
    )


def _flat(value: Any, *but: str) -> dict[str, Any]:
    """The fields of a dataclass, without going into them."""
    return {
        part.name: getattr(value, part.name) for part in dataclasses.fields(value) if part.name not in but
    }


def _acls(kept: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(members) for name, members in kept.items()}


def _schema_to_json(schema: Schema) -> dict[str, Any]:
    return {
        **_flat(schema, "tables"),
        "tables": [
            {
                **_flat(table, "columns", "keys", "foreign_keys"),
                "columns": [{**_flat(column, "type"), "type": column.type.name} for column in table.columns],
                "keys": [_flat(key) for key in table.keys],
                "foreign_keys": [_flat(foreign_key) for foreign_key in table.foreign_keys],
            }
            for table in schema.tables.values()
        ],
    }


def _schema_from_json(kept: dict[str, Any]) -> Schema:
    tables = [_table_from_json(table) for table in kept["tables"]]
    return Schema(**{**kept, "tables": {table.name: table for table in tables}, "acls": _acls(kept["acls"])})


def _table_from_json(kept: dict[str, Any]) -> Table:
    parts = {
        "columns": tuple(
            Column(**{**column, "type": column_type(column["type"])}) for column in kept["columns"]
        ),
        "keys": tuple(Key(**_as_tuples(key, "name", "columns")) for key in kept["keys"]),
        "foreign_keys": tuple(
            ForeignKey(**_as_tuples(part, "name", "columns", "target", "target_columns"))
            for part in kept["foreign_keys"]
        ),
        "acls": _acls(kept["acls"]),
    }
    return Table(**{**kept, **parts})


def _as_tuples(kept: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**kept, **{name: tuple(kept[name]) for name in names}}
