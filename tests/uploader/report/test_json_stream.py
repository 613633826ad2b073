"""The streaming reader agrees with the json module, wherever the blocks are cut."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.report.json_stream import members

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(text: str, block_chars: int = 7) -> tuple[dict[str, Any], list[Any]]:
    head: dict[str, Any] = {}
    files = []
    for name, value in members(io.StringIO(text), "files", block_chars=block_chars):
        if name == "files":
            files.append(value)
        else:
            head[name] = value
    return head, files


@given(
    head=st.dictionaries(st.text().filter(lambda name: name != "files"), VALUES, max_size=4),
    files=st.lists(VALUES, max_size=6),
    block_chars=st.integers(1, 40),
    indent=st.sampled_from([None, 2]),
    escaped=st.booleans(),
)
def test_reads_what_json_writes(
    head: dict[str, Any], files: list[Any], block_chars: int, indent: int | None, escaped: bool
) -> None:
    text = json.dumps({**head, "files": files}, indent=indent, ensure_ascii=escaped)
    assert read(text, block_chars) == (head, files)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"files": [1, 2', '{"files": [1,]}', '{"a": 1} x', '{"a" 1}', "{1: 2}", "nonsense"],
)
def test_refuses_what_is_not_a_whole_object(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)


def test_every_cut_is_noticed() -> None:
    text = json.dumps({"schema": "x", "files": [{"path": "a"}, {"path": "b"}], "totals": {"n": 12}})
    for end in range(len(text)):
        with pytest.raises(ValueError, match=r"."):
            read(text[:end])
