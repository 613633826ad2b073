"""Rows compared as a server would have kept them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.stages.rows import canonical, differences, row_digest, same_value

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (1, 1.0),
        ("5", 5),
        (0.1, 0.10000000149),  # float4
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05+00:00"),
        ("2024-01-02T04:04:05+01:00", "2024-01-02T03:04:05+00:00"),
        ([1, "a"], (1.0, "a")),
        ({"a": {"b": 2}}, {"a": {"b": 2.0}}),
    ],
)
def test_one_value_in_two_spellings(ours: Any, theirs: Any) -> None:
    assert same_value(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("a", "A"), (1, 2), ("", None), (None, 0), ([1], [1, 2]), ({"a": 1}, {"b": 1}), ("1 a", 1)],
)
def test_values_that_differ(ours: Any, theirs: Any) -> None:
    assert not same_value(ours, theirs)


def test_differences_name_columns() -> None:
    assert differences({"A": 1, "B": 2}, {"A": 1.0, "B": 3, "C": 4}) == ("B",)
    assert differences({"A": 1}, {"A": 2}, []) == ()
    assert differences({}, {"C": 4}, ["C"]) == ("C",)


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_a_digest_knows_neither_order_nor_missing_values(row: dict[str, Any]) -> None:
    backwards = dict(reversed(row.items()))
    assert row_digest(row) == row_digest({**backwards, "no such column": None})
    assert differences(row, row) == ()


@given(PLAIN, PLAIN)
def test_equal_text_means_equal_value(one: Any, other: Any) -> None:
    if canonical(one) == canonical(other):
        assert same_value(one, other) or one is other is None
