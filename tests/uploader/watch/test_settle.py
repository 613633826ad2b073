"""A file is taken when it has been still for the set time and opens for reading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.model.files import SourceFile
from uploader.watch.settle import Settling, mark_of, opens

SETTLE_S = 10.0


def scan(settling: Settling, now_s: float, *files: SourceFile) -> list[str]:
    """A scan that takes no time; the paths that are ripe after it."""
    settling.begin(now_s)
    for file in files:
        settling.see(file)
    settling.end(now_s)
    return [file.path for file in files if mark_of(file) in settling.ripe]


def settling(*, can_open: bool = True) -> Settling:
    return Settling(SETTLE_S, lambda _: can_open)


def test_what_lies_there_is_taken_when_it_was_still_for_the_set_time() -> None:
    rule, file = settling(), SourceFile("a.tif", 10, 1)
    assert scan(rule, 0.0, file) == []
    assert (rule.waiting, rule.examples) == (1, ("a.tif",))
    assert scan(rule, 9.9, file) == []
    assert scan(rule, 10.0, file) == ["a.tif"]
    assert rule.waiting == 0


def test_a_growing_file_begins_anew_with_every_byte() -> None:
    rule = settling()
    for second in range(50):
        assert scan(rule, float(second), SourceFile("a.tif", second, 1)) == []
    assert scan(rule, 58.9, SourceFile("a.tif", 49, 1)) == []
    assert scan(rule, 59.0, SourceFile("a.tif", 49, 1)) == ["a.tif"]


def test_a_time_in_the_future_or_the_past_means_nothing() -> None:
    rule, file = settling(), SourceFile("a.tif", 10, 2**62)
    scan(rule, 0.0, file)
    # Set back by a clock that jumped: a change like any other.
    assert scan(rule, 10.0, SourceFile("a.tif", 10, 0)) == []
    assert scan(rule, 20.0, SourceFile("a.tif", 10, 0)) == ["a.tif"]


def test_a_renamed_file_waits_anew() -> None:
    rule = settling()
    scan(rule, 0.0, SourceFile("a.part", 10, 1))
    assert scan(rule, 10.0, SourceFile("a.tif", 10, 1)) == []
    assert scan(rule, 20.0, SourceFile("a.tif", 10, 1)) == ["a.tif"]


def test_another_file_of_that_name_size_and_time_waits_anew() -> None:
    rule = settling()
    scan(rule, 0.0, SourceFile("a.tif", 10, 1, file_id="7"))
    assert scan(rule, 10.0, SourceFile("a.tif", 10, 1, file_id="8")) == []


def test_a_file_that_came_while_watching_must_open() -> None:
    is_locked = True
    rule, file = Settling(SETTLE_S, lambda _: not is_locked), SourceFile("a.tif", 10, 1)
    scan(rule, 0.0)
    scan(rule, 1.0, file)
    assert scan(rule, 11.0, file) == []
    assert rule.waiting == 1
    assert rule.next_s(11.0) == 21.0, "tried again after the settle time"
    is_locked = False
    assert scan(rule, 21.0, file) == ["a.tif"]


def test_what_lay_there_before_is_not_opened_one_by_one() -> None:
    opened = []
    rule, file = Settling(SETTLE_S, lambda source: bool(opened.append(source)) or True), SourceFile("a", 1, 1)
    scan(rule, 0.0, file)
    assert scan(rule, 10.0, file) == ["a"]
    assert opened == []


def test_a_run_may_take_what_it_was_offered_as_long_as_it_stays_the_same() -> None:
    rule, file = settling(), SourceFile("a.tif", 10, 1)
    scan(rule, 0.0, file)
    scan(rule, 10.0, file)
    assert not rule.is_offered(file)
    rule.offer()
    assert rule.is_offered(file)
    assert not rule.is_offered(SourceFile("a.tif", 11, 1))
    assert scan(rule, 20.0, file) == [], "offered once"
    assert rule.is_offered(file)


def test_a_broken_off_scan_counts_for_nothing() -> None:
    rule, file, other = settling(), SourceFile("a.tif", 10, 1), SourceFile("b.tif", 10, 1)
    scan(rule, 0.0, file, other)
    rule.begin(5.0)
    rule.see(file)
    assert scan(rule, 10.0, file, other) == ["a.tif", "b.tif"]


def test_the_time_of_a_long_scan_is_not_taken_for_stillness() -> None:
    rule, file = settling(), SourceFile("a.tif", 10, 1)
    rule.begin(0.0)
    rule.see(file)
    # It may have been looked at just before the end of this scan.
    rule.end(8.0)
    assert scan(rule, 17.9, file) == []
    assert scan(rule, 18.0, file) == ["a.tif"]


STEPS = st.lists(
    st.tuples(
        st.floats(0.0, 15.0),
        st.booleans(),
        st.dictionaries(
            st.sampled_from("abcd"),
            st.one_of(st.none(), st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans())),
        ),
    ),
    max_size=12,
)


@given(STEPS)
def test_ripe_is_what_was_the_same_in_all_scans_of_the_set_time(
    steps: list[tuple[float, bool, dict[str, tuple[int, int, bool] | None]]],
) -> None:
    """Against a model that remembers each file: (since when it is as it is, whether it lay there first)."""
    lying: dict[str, tuple[int, int, bool]] = {}
    since: dict[str, tuple[SourceFile, float, bool]] = {}
    offered: set[SourceFile] = set()
    rule = Settling(SETTLE_S, lambda source: lying[source.path][2])
    now_s = 0.0
    for number, (later_s, does_offer, changes) in enumerate(steps):
        now_s += later_s
        for path, state in changes.items():
            lying.pop(path, None)
            if state is not None:
                lying[path] = state
        files = [SourceFile(path, size, time) for path, (size, time, _) in sorted(lying.items())]
        since = {file.path: known for file in files if (known := since.get(file.path)) and known[0] == file}
        offered &= set(files)
        wanted = [
            file.path
            for file in files
            if file not in offered
            and file.path in since
            and now_s - since[file.path][1] >= SETTLE_S
            and (lying[file.path][2] or since[file.path][2])
        ]
        assert scan(rule, now_s, *files) == wanted
        for file in files:
            since.setdefault(file.path, (file, now_s, number == 0))
        assert rule.waiting == len([file for file in files if file not in offered]) - len(wanted)
        if does_offer:
            rule.offer()
            offered |= {file for file in files if file.path in wanted}
        assert {file for file in files if rule.is_offered(file)} == offered


def test_a_million_files_need_some_megabytes() -> None:
    import tracemalloc

    rule = settling()
    files = 10_000
    tracemalloc.start()
    try:
        for second in (0.0, 10.0, 20.0):
            rule.begin(second)
            for number in range(files):
                rule.see(SourceFile(f"{number}.tif", number, number))
            rule.end(second)
            rule.offer()
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes / files < 40


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to this account"
)
def test_a_file_that_may_not_be_read_does_not_open(tmp_path: Path) -> None:
    (tmp_path / "a").touch(mode=0o000)
    assert not opens(tmp_path / "a")


def test_a_file_opens_and_a_missing_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert opens(tmp_path / "a")
    assert not opens(tmp_path / "b")
