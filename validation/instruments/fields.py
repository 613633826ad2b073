"""Loads specs/fields.yaml, the one table of metadata fields (DESIGN 6.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from validation.specset import data_dir, plain_yaml


class FieldType(StrEnum):
    """What a field's value is."""

    NUMBER = "number"
    INTEGER = "integer"
    TEXT = "text"
    LOCAL_TIME = "local-time"
    """ISO 8601 to the second, without a zone."""
    UTC_TIME = "utc-time"
    """ISO 8601 with `Z`."""
    NUMBERS = "numbers"
    INTEGERS = "integers"


@dataclass(frozen=True, slots=True)
class Field:
    """One metadata field: its id, unit, names and meaning."""

    id: str
    type: FieldType
    unit: str
    """UCUM code; empty for text and times."""
    json: str
    """Name in the record document."""
    column: str
    """Name of the catalog column; empty: the field has none of its own."""
    label: str
    definition: str
    plausible: tuple[float, float] | None = None
    """Lowest and highest value that needs no question, both included."""


@cache
def fields() -> Mapping[str, Field]:
    """Every metadata field by its id, in the order of the table."""
    text = (data_dir() / "fields.yaml").read_text("utf-8")
    table = plain_yaml(text)["fields"]
    return MappingProxyType({field_id: _field(field_id, entry) for field_id, entry in table.items()})


def _field(field_id: str, entry: Mapping[str, Any]) -> Field:
    span = entry.get("plausible")
    return Field(
        id=field_id,
        type=FieldType(entry["type"]),
        unit=entry.get("unit", ""),
        json=entry["json"],
        column=entry.get("column", ""),
        label=entry["label"],
        definition=entry["definition"],
        plausible=None if span is None else (float(span[0]), float(span[1])),
    )
