"""The parsers of vendor values: numbers with units, times, INI, XML, and the field map itself."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.instruments.fieldmap import lookup
from validation.instruments.ini_tree import ini_tree
from validation.instruments.plain_values import decoded, plain
from validation.instruments.quantities import converted, number, quantity
from validation.instruments.source import Malformed
from validation.instruments.times import local_time
from validation.instruments.xml_tree import xml_tree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4.967 mm", (4.967, "mm")),
        ("  50.00 K X", (50.0, "K X")),
        ("3e-005", (3e-5, "")),
        ("9,5 kV", (9.5, "kV")),
        (".5", (0.5, "")),
        ("-12 °", (-12.0, "°")),
        ("1e999 V", (None, "V")),
        ("nan", (None, "")),
        ("1024 * 768", (1024.0, "* 768")),
        ("", (None, "")),
        (True, (None, "")),
    ],
)
def test_quantities(text: object, expected: tuple[float | None, str]) -> None:
    assert quantity(text) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_back(value: float) -> None:
    assert number(repr(value)) == value


@given(st.text(max_size=40))
def test_no_text_makes_a_number_that_is_not_finite(text: str) -> None:
    value, _unit = quantity(text)
    assert value is None or math.isfinite(value)


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "expected"),
    [
        (5000, "V", "kV", 5.0),
        (690, "pA", "nA", 0.69),
        (57.16, "µm", "m", 5.716e-05),
        (57.16, "μm", "m", 5.716e-05),
        (1, "rad", "deg", 57.2957795131),
        (2.31e-6, "mbar", "Pa", 2.31e-4),
        (10, "K X", "1", 10_000.0),
        (5, "V", "mm", None),
        (5, "furlong", "m", None),
        (5, "pixel", "m", None),
    ],
)
def test_units(value: float, unit: str, wanted: str, expected: float | None) -> None:
    assert converted(value, unit, wanted) == expected


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("9 Dec 2019 11:18:36", "%d %m %Y %H:%M:%S", ("2019-12-09T11:18:36", "")),
        ("9 Dez 2019 8:18:36", "%d %m %Y %H:%M:%S", ("2019-12-09T08:18:36", "")),
        ("06/13/2016 05:06:40 PM", "%m/%d/%Y %I:%M:%S %p", ("2016-06-13T17:06:40", "")),
        ("2017-04-20T11:52:36.078+02:00", "iso", ("2017-04-20T11:52:36", "+02:00")),
        ("2017-04-20 11:52:36", "iso", ("2017-04-20T11:52:36", "")),
        ("2017-02-30T11:52:36", "iso", None),
        ("0000:00:00 00:00:00", "%Y:%m:%d %H:%M:%S", None),
        ("soon", "iso", None),
    ],
)
def test_times(text: str, pattern: str, expected: tuple[str, str] | None) -> None:
    assert local_time(text, (pattern,)) == expected


@given(st.text(max_size=60))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = local_time(text, ("iso", "%d %m %Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p"))
    assert found is None or len(found[0]) == 19


def test_ini_keeps_the_first_of_repeated_keys_and_merges_repeated_sections() -> None:
    text = "[A]\nx=1\nx=2\nnot a pair\n[B]\n[A]\ny = a=b \n"
    assert ini_tree(text) == {"A": {"x": "1", "y": "a=b"}, "B": {}}


@given(st.text())
def test_any_text_is_some_ini(text: str) -> None:
    json.dumps(ini_tree(text))


def test_xml_becomes_dictionaries() -> None:
    document = '<n:A xmlns:n="urn:x" k="1"><B>one</B><B u="m">two</B><C/></n:A>'
    tree = xml_tree(document)
    assert tree["A"]["B"] == ["one", {"@u": "m", "#text": "two"}]
    assert tree["A"]["@k"] == "1"
    assert tree["A"]["C"] == ""


@pytest.mark.parametrize(
    "document",
    [
        "",
        "<a>",
        "<a/><b/>",
        "<!DOCTYPE a><a/>",
        "<a>&undefined;</a>",
        "<?xml version='1.0' encoding='x-no'?><a/>",
        "<a>" * 200 + "</a>" * 200,
    ],
)
def test_what_is_not_plain_xml_is_refused(document: str) -> None:
    with pytest.raises(Malformed):
        xml_tree(document.encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_text(data: bytes) -> None:
    assert isinstance(decoded(data), str)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(_ANYTHING)
def test_plain_values_can_always_be_written_as_json(value: Any) -> None:
    json.dumps(plain(value), allow_nan=False).encode("utf-8")
    json.dumps(plain(value), allow_nan=False, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b", "1"),
        ("many/0/x", "first"),
        ("many/1/x", "second"),
        ("many/x", "first"),
        ("many/7/x", None),
        ("single/0/x", "only"),
        ("noted", "text"),
        ("a/b/c", None),
        ("none/0", None),
    ],
)
def test_raw_tags_are_found_by_path(path: str, expected: str | None) -> None:
    raw = {
        "a": {"b": "1"},
        "many": [{"x": "first"}, {"x": "second"}],
        "single": {"x": "only"},
        "noted": {"@unit": "m", "#text": "text"},
    }
    assert lookup(raw, path) == expected
