"""The schemas that specs are checked against are sound themselves: no start of the program looks at that again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from validation.specset import data_dir

SCHEMAS = sorted((data_dir() / "meta").glob("*.schema.json"))


def test_there_are_schemas() -> None:
    assert {path.name for path in SCHEMAS} >= {"spec.schema.json", "deriva-bulk-upload.schema.json"}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_a_shipped_schema_is_sound(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))
