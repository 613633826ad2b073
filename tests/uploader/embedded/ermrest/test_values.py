"""Values keep their meaning on the way in and out."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.embedded.ermrest import jsontext, moments, rids
from uploader.embedded.ermrest.bodies import read_rows
from uploader.embedded.ermrest.formats import Media, pieces
from uploader.embedded.ermrest.queries import Field
from uploader.embedded.ermrest.types import BadValue, column_type

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(value=st.floats(allow_nan=False))
def test_a_double_survives(value: float) -> None:
    kind = column_type("float8")
    stored = kind.store(json.loads(jsontext.plain(value)) if math.isfinite(value) else str(value))
    assert float(json.loads(kind.to_json(stored))) == value


@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_single_is_written_as_short_as_it_can_be(value: float) -> None:
    kind = column_type("float4")
    assert kind.store(json.loads(kind.to_json(kind.store(value)))) == value


@given(value=JSON)
def test_jsonb_survives_in_canonical_form(value: Any) -> None:
    text = column_type("jsonb").store(value)
    assert json.loads(str(text)) == value
    assert column_type("jsonb").store_text(str(text)) == text


@given(rows=st.lists(st.tuples(st.none() | TEXT, st.none() | TEXT), max_size=8))
def test_csv_tells_empty_text_from_null(rows: list[tuple[str | None, str | None]]) -> None:
    fields = [Field("a", column_type("text")), Field("b,\n", column_type("text"))]
    body = b"".join(pieces(Media.CSV, fields, rows))
    back = read_rows(Media.CSV, body, ["a", "b,\n"], ["a", "b,\n"])
    assert [tuple(row.values()) for row in back.rows] == rows


@given(moment=st.datetimes(timezones=st.timezones()))
def test_text_order_of_times_is_time_order(moment: Any) -> None:
    try:
        earlier = moments.timestamptz_text("2001-02-03T04:05:06.5Z")
        text = moments.timestamptz_text(moment.isoformat())
    except moments.OutOfRange:
        return
    assert (text < earlier) == (moment.timestamp() < 981173106.5) or moment.timestamp() == 981173106.5
    assert moments.timestamptz_text(text) == text


@given(number=st.integers(min_value=0, max_value=1 << 60))
def test_record_ids_are_read_back(number: int) -> None:
    text = rids.encode(number)
    assert rids.decode(text) == number
    assert all(len(group) == 4 for group in text.split("-")[1:])


@pytest.mark.parametrize(
    ("kind", "value", "complaint"),
    [
        ("int8", "abc", 'invalid input syntax for type bigint: "abc"'),
        ("int8", 1.5, 'invalid input syntax for type bigint: "1.5"'),
        ("int2", 40000, 'value "40000" is out of range for type smallint'),
        ("int4", "9" * 5000, "is out of range for type integer"),
        ("float8", "1e999", '"1e999" is out of range for type double precision'),
        ("boolean", "maybe", 'invalid input syntax for type boolean: "maybe"'),
        ("date", "2024-02-30", 'date/time field value out of range: "2024-02-30"'),
        ("timestamptz", "soon", 'invalid input syntax for type timestamp with time zone: "soon"'),
        ("timestamptz", "2024-01-02T25:00:00", "date/time field value out of range"),
        ("jsonb", None, ""),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_words(kind: str, value: Any, complaint: str) -> None:
    if not complaint:
        assert column_type(kind).store_text("null") == "null"
        return
    with pytest.raises(BadValue) as caught:
        column_type(kind).store(value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2024-01-02", "2024-01-02T00:00:00+00:00"),
        ("2024-01-02 03:04", "2024-01-02T03:04:00+00:00"),
        ("2024-01-02T03:04:05.120Z", "2024-01-02T03:04:05.12+00:00"),
        ("2024-01-02T03:04:05+0530", "2024-01-01T21:34:05+00:00"),
    ],
)
def test_times_are_kept_in_utc(sent: str, kept: str) -> None:
    assert column_type("timestamptz").store(sent) == kept


def test_text_reaches_the_row_and_finds_it_again(ask: Any) -> None:
    names = ["a/b;c,d e", "ü%25", "'; DROP TABLE t1; --", '"quoted"', "::null::", "any(x)", "\\u0000", " "]
    made = ask("POST", "/entity/lab:Kind", [{"Name": name} for name in names])
    assert [row["Name"] for row in made.json] == names
    for name in names:
        found = ask("GET", f"/entity/lab:Kind/Name={quote(name, safe='')}").json
        assert [row["Name"] for row in found] == [name]
