"""A large folder is listed as packed names: the same entries in the same order, with the same clashes."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader.model.files import Root, SourceFile
from uploader.stages import listing
from uploader.stages.ignore import IgnoreRules
from uploader.stages.listing import PackedNames, listed
from uploader.stages.scan import scan

NAMES = ["b.tif", "a.tif", "A.tif", "Straße", "STRASSE", "z.tmp", "c é.tif", "m.tif"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files, and a folder with a file."""
    for name in NAMES:
        (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "x.tif").touch()
    return tmp_path


def shown(folder: Path, **ignore: tuple[str, ...]) -> list[str]:
    found = scan(Root(folder), ignore=IgnoreRules(**ignore))
    return [
        item.path if isinstance(item, SourceFile) else f"{item.code} {item.location.path}" for item in found
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere may not tell these names apart")
@pytest.mark.parametrize("most", [1, 3, 7])
def test_a_packed_folder_is_scanned_like_any_other(
    folder: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".nanoferryignore").write_text("*.tmp\n", "utf-8")
    plain = shown(folder, patterns=("m.*",))
    assert "below/x.tif" in plain
    assert "source.case_clash a.tif" in plain
    monkeypatch.setattr(listing, "MOST_ENTRIES", most)
    assert shown(folder, patterns=("m.*",)) == plain


def test_a_packed_entry_answers_like_the_system_s(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "link").symlink_to(folder / "below")
    plain = list(listed(str(folder)))
    monkeypatch.setattr(listing, "MOST_ENTRIES", 2)
    packed = list(listed(str(folder)))
    for one, other in zip(plain, packed, strict=True):
        assert (one.name, one.path, one.inode()) == (other.name, other.path, other.inode())
        for follows in (True, False):
            assert one.is_dir(follow_symlinks=follows) == other.is_dir(follow_symlinks=follows)
            ours, theirs = (each.stat(follow_symlinks=follows) for each in (one, other))
            assert (ours.st_ino, ours.st_mode) == (theirs.st_ino, theirs.st_mode)


@given(st.lists(st.text(st.characters(blacklist_characters="\0/"), min_size=1), max_size=30))
def test_packed_names_come_in_order_and_are_found(names: list[str]) -> None:
    packed = PackedNames(names)
    assert list(packed) == sorted(names)
    assert all(packed.holds(name) for name in names)
    assert not packed.holds("no such name, surely")


def test_a_packed_name_takes_little_more_than_its_letters() -> None:
    tracemalloc.start()
    packed = PackedNames(f"area1_{number:06}.tif" for number in range(100_000))
    assert packed.holds("area1_099999.tif")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 25 * 100_000
