"""The table of metadata fields is whole, consistent and readable by people."""

from __future__ import annotations

import re

import pytest

from validation.instruments.fields import Field, FieldType, fields

EVERY = tuple(fields().values())


@pytest.mark.parametrize("field", EVERY, ids=lambda field: field.id)
def test_every_field_has_its_names_and_words(field: Field) -> None:
    assert re.fullmatch(r"[a-z][a-zA-Z0-9_]*", field.id)
    assert re.fullmatch(r"[a-z][A-Za-z0-9]*", field.json)
    assert re.fullmatch(r"([A-Z][A-Za-z0-9_]*)?", field.column)
    assert field.label
    assert field.definition.endswith(".")


@pytest.mark.parametrize("field", EVERY, ids=lambda field: field.id)
def test_numbers_have_a_unit_and_words_have_none(field: Field) -> None:
    numeric = {FieldType.NUMBER, FieldType.INTEGER, FieldType.NUMBERS, FieldType.INTEGERS}
    assert bool(field.unit) == (field.type in numeric)
    if field.plausible is not None:
        assert field.plausible[0] < field.plausible[1]


@pytest.mark.parametrize("field", EVERY, ids=lambda field: field.id)
def test_a_unit_in_the_id_is_the_unit_of_the_value(field: Field) -> None:
    suffix = field.id.rpartition("_")[2]
    if suffix in {"kV", "keV", "V", "nA", "uA", "um", "mrad", "m", "mm", "deg", "s", "Pa", "eV"}:
        assert field.unit == suffix


def test_json_names_and_columns_are_each_used_once() -> None:
    names = [field.json for field in EVERY]
    columns = [field.column for field in EVERY if field.column]
    assert len(set(names)) == len(names)
    assert len(set(columns)) == len(columns)
