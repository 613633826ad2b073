"""One file by itself has the identity that a scan of its folder gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from uploader.model.files import SourceFile
from uploader.model.mounts import Volume
from uploader.stages import one_file, scan
from uploader.stages.ignore import IgnoreRules
from uploader.stages.one_file import source_of
from uploader.stages.roots import make_root


def scanned(folder: Path) -> dict[str, str]:
    found = scan.scan(make_root(folder), ignore=IgnoreRules())
    return {each.path: each.identity for each in found if isinstance(each, SourceFile)}


def test_the_identity_is_that_of_the_scan(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a.tif").write_bytes(b"gold")
    assert source_of(tmp_path / "s" / "a.tif").identity == scanned(tmp_path)["s/a.tif"]


def test_a_link_stands_for_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"gold")
    (tmp_path / "link.tif").symlink_to(tmp_path / "a.tif")
    assert source_of(tmp_path / "link.tif") == source_of(tmp_path / "a.tif")


def test_where_file_numbers_are_made_up_the_place_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exfat(folder: Path) -> Volume:
        return Volume("uuid:1234", f"/{folder.relative_to(tmp_path)}".replace("/.", "/"), "exfat", False)

    monkeypatch.setattr(one_file, "volume_of", exfat)
    monkeypatch.setattr(scan, "volume_of", exfat)
    (tmp_path / "s").mkdir()
    for place in ("s/a.tif", "top.tif"):
        (tmp_path / place).write_bytes(b"gold")
    assert "/path:/s/a.tif/4/" in source_of(tmp_path / "s/a.tif").identity
    assert source_of(tmp_path / "top.tif").file_id == "path:/top.tif"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        source_of(tmp_path / "a.tif")
