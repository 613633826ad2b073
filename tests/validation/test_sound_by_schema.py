"""The quick look at a value by its schema: it never calls sound what jsonschema refuses."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from validation.schema.sound import is_sound
from validation.spec.load import shipped
from validation.spec.located import read_text
from validation.specset import data_dir

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@cache
def meta(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((data_dir() / "meta" / f"{name}.schema.json").read_text("utf-8"))
    return schema


@cache
def shipped_specs() -> list[tuple[Any, dict[str, Any]]]:
    return [
        (
            read_text(path.read_text("utf-8"), name).value,
            meta("deriva-bulk-upload" if path.suffix == ".json" else "spec"),
        )
        for name, path in shipped().items()
    ]


def jsonschema_says(value: Any, schema: Any) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


def test_every_shipped_spec_is_sound_at_the_first_look() -> None:
    assert [is_sound(value, schema) for value, schema in shipped_specs()] == [True] * len(shipped_specs())


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, 3, True),
        ({"type": ["string", "null"]}, None, 3),
        ({"const": 1}, 1, True),
        ({"enum": ["a", "b"]}, "b", "c"),
        ({"required": ["a"]}, {"a": 1}, {}),
        ({"properties": {"a": {"type": "string"}}}, {"a": "x", "b": 1}, {"a": 1}),
        ({"properties": {"a": True}, "additionalProperties": False}, {"a": 1}, {"b": 1}),
        ({"propertyNames": {"pattern": "^x"}}, {"xa": 1}, {"a": 1}),
        ({"items": {"minimum": 2}, "maxItems": 2}, [2, 3], [1]),
        ({"uniqueItems": True}, ["a", "b"], ["a", "a"]),
        ({"minLength": 2, "maxLength": 3}, "ab", "a"),
        ({"anyOf": [{"type": "string"}, {"minProperties": 1}]}, {"a": 1}, {}),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 2, 3),
        ({"not": {"required": ["a"]}}, {}, {"a": 1}),
        ({"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"type": "null"}}, None, 3),
        ({"$ref": "#/$defs/name", "$defs": {"name": {"type": "string"}}}, "x", 1),
    ],
)
def test_each_word_is_judged_as_jsonschema_judges_it(schema: dict[str, Any], good: Any, bad: Any) -> None:
    assert (is_sound(good, schema), is_sound(bad, schema)) == (True, False)
    assert (jsonschema_says(good, schema), jsonschema_says(bad, schema)) == (True, False)


@pytest.mark.parametrize(
    "schema",
    [
        {"contains": {"const": 1}},
        {"format": "uri"},
        {"$ref": "elsewhere.json"},
        {"$ref": "#/nowhere"},
        {"not": {"dependentRequired": {"a": ["b"]}}},
        {"if": {"multipleOf": 2}, "then": True},
        {"const": [1]},
        {"type": "quaternion"},
        {"type": "string", "pattern": "("},
        {"prefixItems": [True], "items": False},
    ],
)
def test_what_it_does_not_know_is_never_sound(schema: dict[str, Any]) -> None:
    assert not any(is_sound(value, schema) for value in ([1], {"a": 1}, "a"))


def test_a_schema_that_leads_to_itself_for_ever_is_not_sound() -> None:
    assert not is_sound(1, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})


@given(st.data())
def test_a_spec_with_something_changed_is_judged_as_jsonschema_judges_it(data: st.DataObject) -> None:
    whole, schema = data.draw(st.sampled_from(shipped_specs()))
    spec = copy.deepcopy(whole)
    holder = spec
    while True:
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if not isinstance(holder[key], dict | list) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    match data.draw(st.sampled_from(["other", "gone", "more"])):
        case "gone":
            del holder[key]
        case "more" if isinstance(holder, dict):
            holder[data.draw(st.text(max_size=5))] = data.draw(JSON)
        case _:
            holder[key] = data.draw(JSON)
    assert is_sound(spec, schema) == jsonschema_says(spec, schema)


def test_a_sound_spec_is_loaded_without_jsonschema() -> None:
    words = (
        "import sys; from validation.spec.load import find, load; load(find('em-session'));"
        " load(find('facebase')); sys.exit('jsonschema' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
