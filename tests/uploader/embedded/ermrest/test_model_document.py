"""The nanoscience model document agrees with itself, with specs/fields.yaml and with its seed terms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

SPECS = Path(__file__).parents[4] / "specs"
COLUMN_TYPES = {
    "number": "float8",
    "integer": "int8",
    "text": "text",
    "local-time": "timestamp",
    "utc-time": "timestamptz",
    "numbers": "jsonb",
    "integers": "jsonb",
}


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    document = json.loads((SPECS / "catalog" / "nanoscience.json").read_text("utf-8"))
    found: dict[str, Any] = document["schemas"]["nanoscience"]["tables"]
    return found


def column_types(table: dict[str, Any]) -> dict[str, str]:
    return {column["name"]: column["type"]["typename"] for column in table["column_definitions"]}


def test_every_field_with_a_column_has_that_column_on_file(tables: dict[str, Any]) -> None:
    fields = yaml.safe_load((SPECS / "fields.yaml").read_text("utf-8"))["fields"]
    wanted = {
        field["column"]: COLUMN_TYPES[field["type"]] for field in fields.values() if field.get("column")
    }
    there = column_types(tables["File"])
    assert {name: there.get(name) for name in wanted} == wanted


def test_a_file_is_known_by_dataset_and_path_and_not_by_its_hash(tables: dict[str, Any]) -> None:
    keys = {tuple(key["unique_columns"]) for key in tables["File"]["keys"]}
    assert keys == {("RID",), ("Dataset", "Path")}


def test_every_table_has_the_system_columns_and_the_rid_key(tables: dict[str, Any]) -> None:
    for name, table in tables.items():
        assert list(column_types(table))[:5] == ["RID", "RCT", "RMT", "RCB", "RMB"], name
        assert ["RID"] in [key["unique_columns"] for key in table["keys"]], name


def test_every_reference_points_at_a_key_of_a_table_that_exists(tables: dict[str, Any]) -> None:
    for name, table in tables.items():
        for reference in table["foreign_keys"]:
            own = [part["column_name"] for part in reference["foreign_key_columns"]]
            target = tables[reference["referenced_columns"][0]["table_name"]]
            theirs = [part["column_name"] for part in reference["referenced_columns"]]
            assert set(own) <= set(column_types(table)), name
            assert theirs in [key["unique_columns"] for key in target["keys"]], name


def test_annotations_name_columns_that_exist(tables: dict[str, Any]) -> None:
    for name, table in tables.items():
        shown = table["annotations"].get("tag:isrd.isi.edu,2016:visible-columns", {}).get("compact", [])
        assert set(shown) <= set(column_types(table)), name


def test_seed_terms_fit_their_vocabulary_tables(tables: dict[str, Any]) -> None:
    terms = json.loads((SPECS / "catalog" / "terms.json").read_text("utf-8"))["nanoscience"]
    for name, rows in terms.items():
        names = [row["Name"] for row in rows]
        assert len(names) == len(set(names)), name
        assert {column for row in rows for column in row} <= set(column_types(tables[name]))
    assert len(terms["Image_Category"]) == 10
