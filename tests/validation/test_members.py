"""A dataset is folded file by file: what comes out is what its files say, and what stays in memory is small."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from validation.check import Member, Members
from validation.spec.model import Rule, Spec

FILES = 20_000


def frames(count: int, *, pairs: bool = False) -> Iterator[Member]:
    """Numbered frames, each with its companion if wanted; made as they are asked for."""
    for number in range(count):
        name, set_key = f"area_{number:07}", f"frames|ds||{number}" if pairs else ""
        captures = {"area": "area", "frame": number, "operator": "rossi"}
        yield Member(f"f/{name}.tif", "frames", "primary", set_key, 10, captures, f"{name}.tif")
        if pairs:
            yield Member(f"f/{name}.emi", "frames", "companion", set_key, 1, captures, f"{name}.emi")


def kept_bytes(members: Members, files: Iterator[Member]) -> int:
    """What is still held once these files have passed."""
    tracemalloc.start()
    for file in files:
        members.add(file)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held


@pytest.fixture
def spec(make_spec: Callable[..., Spec], make_rule: Callable[..., Rule]) -> Spec:
    """A rule whose files travel with an EMI."""
    return make_spec(rules=(make_rule(id="frames", companions=("{name}.emi",)),))


def test_a_file_of_a_large_dataset_takes_some_bytes(spec: Spec) -> None:
    members = Members(spec)
    assert kept_bytes(members, frames(FILES)) < 40 * FILES
    assert (members.files, members.size_bytes, members.primaries["frames"]) == (FILES, 10 * FILES, FILES)
    (series,) = members.series
    assert (series.low, series.high, series.count, series.gaps) == (0, FILES - 1, FILES, ())
    assert members.common_captures == {"area": "area", "operator": "rossi"}


def test_sets_that_are_whole_take_some_bytes_and_late_members_do_not_open_them(spec: Spec) -> None:
    members = Members(spec)
    assert kept_bytes(members, frames(FILES, pairs=True)) < 2 * 40 * FILES
    assert list(members.sets.unfinished()) == []
    members.add(Member("f/late.tif", "frames", "primary", "frames|ds||7"))
    assert list(members.sets.unfinished()) == []
    members.add(Member("f/lone.tif", "frames", "primary", "frames|ds||lone"))
    (lone,) = members.sets.unfinished()
    assert (lone.primary, lone.absent) == ("f/lone.tif", ["{name}.emi"])


def test_the_holder_of_an_object_path_is_named_in_whatever_folder_it_lies(spec: Spec) -> None:
    members = Members(spec, [Member("e/b.tif", "frames", object_path="b.tif")])
    assert members.add(Member("f/a.tif", "frames", object_path="a.tif")) == ""
    assert members.add(Member("g/a.tif", "frames", object_path="a.tif")) == "f/a.tif"
    assert members.add(Member("g/b.tif", "frames", object_path="b.tif")) == "e/b.tif"
    assert members.add(Member("odd", "frames", object_path="c.tif")) == ""
    assert members.add(Member("g/c.tif", "frames", object_path="c.tif")) == "odd"


def test_a_series_may_have_numbers_that_no_machine_counts_to(spec: Spec) -> None:
    many = [Member(str(n), "frames", captures={"frame": n}) for n in (10**30, -(10**30), 3)]
    (series,) = Members(spec, many).series
    assert (series.low, series.high) == (3, 3)
