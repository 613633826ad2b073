"""Numbers and names in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.cli.wording import count, duration, shortened, size, visible


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "1.0 kB"), (204_800, "205 kB"), (12_345_678, "12.3 MB"),
        (999_999, "1.0 MB"), (5 * 10**9, "5.0 GB"), (10**18, "1000 PB"),
    ],
)  # fmt: skip
def test_sizes(size_bytes: int, words: str) -> None:
    assert size(size_bytes) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_counts() -> None:
    assert [count(1, "file"), count(2, "file"), count(12_000, "entry", "entries")] == [
        "1 file",
        "2 files",
        "12,000 entries",
    ]


def test_a_file_name_cannot_move_the_cursor() -> None:
    assert visible("a\x1b[2Jb\nc\udcff.tif") == "a\\x1b[2Jb\\nc\\udcff.tif"


def test_ordinary_names_stay_as_they_are() -> None:
    assert visible("Größe 200 kV – frame_01 µm.tif") == "Größe 200 kV – frame_01 µm.tif"


@given(st.text(), st.integers(4, 60))
def test_what_is_shown_fits_and_can_be_encoded(text: str, width: int) -> None:
    assert len(shortened(text, width)) <= width
    shown = visible(text)
    assert all(letter.isprintable() or letter == "\t" for letter in shown)
    shown.encode("utf-8")


def test_shortened_keeps_the_end_of_a_name() -> None:
    assert shortened("a_very_long_session_name_frame_0001.tif", 20).endswith("0001.tif")
