"""The parsers of URL paths and ranges, on whatever a client may send."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.embedded.hatrac import names, ranges
from uploader.embedded.hatrac.records import Version
from uploader.embedded.hatrac.refusal import Refusal

segments = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
ids = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=26, max_size=26)


@given(st.lists(segments, min_size=1, max_size=5), st.none() | ids)
def test_any_encoded_name_is_found_again(parts: list[str], version: str | None) -> None:
    path = "".join(f"/{quote(part, safe='')}" for part in parts)
    target = names.parse(f"/hatrac{path}" + (f":{version}" if version else ""))
    assert (target.name, target.version, target.sub) == (path, version, None)
    assert names.parse(target.url).name == target.name
    assert names.parent(target.name) == path.rpartition("/")[0]


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
def test_any_raw_path_is_parsed_or_refused(raw: str) -> None:
    try:
        target = names.parse(f"/hatrac/{raw}")
    except Refusal as refusal:
        assert refusal.status in {400, 404, 405}  # noqa: PT017 - both ends are fine
    else:
        assert names.parse(target.url).name == target.name


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("/hatrac", names.Target("")),
        ("/hatrac/", names.Target("")),
        ("/hatrac/a/", names.Target("/a")),
        ("/hatrac/%61", names.Target("/a")),
        ("/hatrac/a;upload/J/3", names.Target("/a", None, "upload", ("J", "3"))),
        ("/hatrac/a;metadata/content-md5", names.Target("/a", None, "metadata", ("content-md5",))),
    ],
)
def test_forms_of_a_target(raw: str, expected: names.Target) -> None:
    assert names.parse(raw) == expected


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d{0,4}-\d{0,4}", fullmatch=True), st.integers(0, 2000))
def test_a_range_stays_inside_the_content(header: str, size: int) -> None:
    version = Version("V", "/o", size, "data/x", {})
    try:
        wanted = ranges.wanted({"range": header}, version)
    except Refusal as refusal:
        assert refusal.status == 416  # noqa: PT017 - both ends are fine
        return
    assert wanted.start >= 0
    assert wanted.start + wanted.length <= size
    assert wanted.is_partial or (wanted.start, wanted.length) == (0, size)
