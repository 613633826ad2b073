"""Whole trees: whatever lies in a folder, each file comes once, in one order, in bounded memory."""

from __future__ import annotations

import os
import shutil
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uploader.model.files import SourceFile
from uploader.stages.ignore import IgnoreRules
from uploader.stages.roots import make_root
from uploader.stages.scan import scan

SEGMENT = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200)


def tree(folder: Path, folders: int, files_each: int) -> None:
    for number in range(folders):
        sub = folder / f"project {number % 7}" / f"session {number:04}"
        sub.mkdir(parents=True)
        for index in range(files_each):
            os.close(os.open(sub / f"image_{index:05}.tif", os.O_CREAT | os.O_WRONLY))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems forbid or change some of these names")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.lists(SEGMENT, min_size=1, max_size=4).map(tuple), max_size=12))
def test_every_file_comes_once_and_always_in_the_same_order(
    tmp_path_factory: pytest.TempPathFactory, wanted: set[tuple[str, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    planted = set()
    for parts in sorted(wanted):
        file = folder.joinpath(*parts)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # another path needs this name for a folder or a file
        planted.add("/".join(parts))

    ignore = IgnoreRules(junk=(), file_name="")
    files = [one for one in scan(make_root(folder), ignore=ignore) if isinstance(one, SourceFile)]

    assert sorted(one.path for one in files) == sorted(planted)
    assert [one.path.split("/") for one in files] == sorted(one.path.split("/") for one in files)
    assert [one for one in scan(make_root(folder), ignore=ignore) if isinstance(one, SourceFile)] == files
    shutil.rmtree(folder)


def test_five_thousand_files_take_no_more_memory_than_one_folder(tmp_path: Path) -> None:
    tree(tmp_path, folders=50, files_each=100)
    root = make_root(tmp_path)
    list(scan(root, ignore=IgnoreRules()))  # imports and caches are not what is measured

    tracemalloc.start()
    try:
        count = sum(1 for _ in scan(root, ignore=IgnoreRules()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == 5000
    assert peak < 300_000  # the 5,000 findings together would take more than 1 MB


def test_nothing_is_read_ahead_of_the_folder_at_hand(tmp_path: Path) -> None:
    tree(tmp_path, folders=2, files_each=2)
    walk = scan(make_root(tmp_path), ignore=IgnoreRules())
    next(walk)
    shutil.rmtree(tmp_path / "project 1")

    assert [one.path for one in walk if isinstance(one, SourceFile)] == [
        "project 0/session 0000/image_00001.tif"
    ]


@pytest.mark.long
def test_a_hundred_thousand_files_in_a_few_seconds(tmp_path: Path) -> None:
    tree(tmp_path, folders=100, files_each=1000)

    began = time.perf_counter()
    count = sum(1 for _ in scan(make_root(tmp_path), ignore=IgnoreRules(patterns=("*.log", "build/"))))

    assert count == 100_000
    assert time.perf_counter() - began < 10
    shutil.rmtree(tmp_path / "project 0")
