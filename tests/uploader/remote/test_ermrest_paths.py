"""Addresses of look-ups: nothing in a value can change the question, and none is too long."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from uploader.model.errors import BadRequest
from uploader.remote.ermrest_paths import encoded, equals, filters, look_ups, spec_path, table_path

BASE = "/ermrest/catalog/1/entity/lab:Image"
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def members(path: str) -> list[str]:
    """The values that a look-up asks for."""
    condition = path.removeprefix(f"{BASE}/MD5").partition("&")[0]
    if condition == "::null::":
        return ["<null>"]
    if condition.startswith("=any("):
        return [unquote(text) for text in condition.removeprefix("=any(").removesuffix(")").split(",")]
    return [unquote(condition.removeprefix("="))]


@given(st.lists(VALUES, max_size=300))
@example(["a,b", "a)", "&x=1", ";", "/", "", "%2C", "é\u0301", "::null::"])
def test_every_value_is_asked_for_once_and_no_path_is_too_long(values: list[str]) -> None:
    paths = list(look_ups(BASE, "MD5", values, {"Dataset": "D 1"}))
    assert all(len(path) <= 3900 for path in paths)
    assert all(path.isascii() and path.endswith("&Dataset=D%201") for path in paths)
    assert sorted(value for path in paths for value in members(path)) == sorted(set(values))


def test_hashes_go_about_a_hundred_at_a_time() -> None:
    paths = list(look_ups(BASE, "MD5", [f"{n:032x}" for n in range(1000)], {}))
    assert len(paths) == 9
    assert max(len(members(path)) for path in paths) >= 110


def test_null_and_empty_are_asked_for_by_themselves() -> None:
    assert list(look_ups(BASE, "MD5", ["a", None, "", None], {})) == [
        f"{BASE}/MD5=",
        f"{BASE}/MD5=any(a)",
        f"{BASE}/MD5::null::",
    ]


def test_no_values_ask_nothing() -> None:
    assert list(look_ups(BASE, "MD5", [], {"x": 1})) == []


def test_a_value_longer_than_an_address_is_refused_in_words() -> None:
    with pytest.raises(BadRequest, match="longer than the server takes"):
        list(look_ups(BASE, "Path", ["é" * 2000], {}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a/b;c,d e", "a%2Fb%3Bc%2Cd%20e"),
        (3, "3"),
        (0.1, "0.1"),
        (True, "true"),
        ("-._~", "-._~"),
        ("µ", "%C2%B5"),
    ],
)
def test_values_are_written_as_ermrest_reads_them(value: Any, text: str) -> None:
    assert encoded(value) == text


def test_filters_name_columns_and_nulls() -> None:
    assert filters({"A b": 1, "C": None}) == "A%20b=1&C::null::"
    assert equals("x:=y", "&") == "x%3A%3Dy=%26"


def test_tables_are_named_with_their_schema() -> None:
    assert table_path("lab data:My Table") == "lab%20data:My%20Table"
    for wrong in ("File", ":File", "lab:"):
        with pytest.raises(ValueError, match="schema:table"):
            table_path(wrong)


def test_paths_of_specs_keep_their_syntax() -> None:
    path = "/attribute/D:=lab:Dataset/id=any(a,b)&x::null::/RID,Title@sort(RID)?limit=5"
    assert spec_path(path) == path
    assert spec_path("entity/lab:X/N=a b#c%2Fµ") == "/entity/lab:X/N=a%20b%23c%2F%C2%B5"
