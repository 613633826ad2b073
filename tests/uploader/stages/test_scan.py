"""What a scan finds in a folder, in which order, and what it says of everything that stands in the way."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import sys
from pathlib import Path

import pytest

from uploader.model.errors import SettingsError
from uploader.model.files import SourceFile
from uploader.model.mounts import Volume
from uploader.stages import scan as scan_module
from uploader.stages.ignore import IgnoreRules
from uploader.stages.names import case_clashes
from uploader.stages.roots import make_root
from uploader.stages.scan import ScanTally, scan
from validation.model import Issue, Severity

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs names, links or pipes of POSIX")


def plant(folder: Path, *paths: str) -> None:
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def scanned(folder: Path, ignore: IgnoreRules | None = None) -> tuple[list[str], list[tuple[str, str]]]:
    """The paths of the files, and (code, path) of the findings."""
    met = list(scan(make_root(folder), ignore=ignore or IgnoreRules()))
    files = [one.path for one in met if isinstance(one, SourceFile)]
    return files, [(one.code, one.location.path) for one in met if isinstance(one, Issue)]


def test_files_come_by_name_and_depth_first(tmp_path: Path) -> None:
    plant(tmp_path, "b.tif", "a/2.tif", "a/10.tif", "a/sub/x.tif", "a.tif", "Z.tif")

    assert scanned(tmp_path) == (["Z.tif", "a/10.tif", "a/2.tif", "a/sub/x.tif", "a.tif", "b.tif"], [])


def test_a_file_bears_size_time_and_identity(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"12345")
    os.utime(tmp_path / "a.tif", ns=(1, 1_600_000_000_123_456_789))

    (met,) = scan(make_root(tmp_path), ignore=IgnoreRules())

    assert isinstance(met, SourceFile)
    state = (tmp_path / "a.tif").stat()
    assert (met.path, met.size_bytes, met.mtime_ns) == ("a.tif", 5, state.st_mtime_ns)
    assert (met.volume_id, met.file_id) == (make_root(tmp_path).volume_id, str(state.st_ino))


def test_an_empty_folder_is_no_finding(tmp_path: Path) -> None:
    assert scanned(tmp_path) == ([], [])


def test_sidecars_and_hidden_files_are_files(tmp_path: Path) -> None:
    plant(tmp_path, "nanoferry.yaml", "session/nanoferry.yaml", ".hidden.tif", "frame.tif.tmp")

    assert scanned(tmp_path)[0] == [
        ".hidden.tif",
        "frame.tif.tmp",
        "nanoferry.yaml",
        "session/nanoferry.yaml",
    ]


@posix
@pytest.mark.parametrize(
    "name",
    [
        "with space.tif",
        "a#b.tif",
        "100%.tif",
        "a;b.tif",
        "two\nlines.tif",
        "tab\t.tif",
        "back\\slash.tif",
        "'\".tif",
        "Å.tif",
        "A\u030a.tif",
        "レンズ.tif",
        "😀.tif",
        "-rf",
        "n" * 228,
    ],
)
def test_a_name_is_kept_as_it_is_on_disk(tmp_path: Path, name: str) -> None:
    plant(tmp_path, name)

    assert scanned(tmp_path) == ([name], [])
    assert (tmp_path / scanned(tmp_path)[0][0]).exists()


@posix
def test_an_undecodable_name_leads_back_to_its_file(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.tif"
    try:
        os.close(os.open(raw, os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")

    (path,), issues = scanned(tmp_path)

    assert os.fsencode(tmp_path / path) == raw
    assert issues == [("source.name_undecodable", path)], "no row could name it, so it stays behind"


@pytest.mark.parametrize(
    ("name", "is_long"), [("n" * 228, False), ("n" * 229, True), ("é" * 114, False), ("é" * 114 + "n", True)]
)
def test_a_name_must_leave_room_for_the_stores_version(tmp_path: Path, name: str, *, is_long: bool) -> None:
    plant(tmp_path, name)

    files, issues = scanned(tmp_path)

    assert files == [name]
    assert issues == ([("source.name_too_long", name)] if is_long else [])


@posix
def test_names_that_differ_only_in_case_or_form_are_pointed_out(tmp_path: Path) -> None:
    plant(tmp_path, "Scan.tif", "scan.tif", "x/\u00e9", "x/E\u0301", "y/scan.tif", "D/1", "d/2")
    if len(list(tmp_path.iterdir())) < 6:
        pytest.skip("this file system ignores case")

    files, issues = scanned(tmp_path)

    assert len(files) == 7
    assert issues == [
        ("source.case_clash", "d"),
        ("source.case_clash", "scan.tif"),
        ("source.case_clash", "x/\u00e9"),
    ]


@posix
def test_links_are_never_followed(tmp_path: Path) -> None:
    dropped, outside = tmp_path / "dropped", tmp_path / "outside"
    plant(dropped, "a/file.tif")
    plant(outside, "secret.tif")
    (dropped / "l1").symlink_to(outside)
    (dropped / "l2").symlink_to(outside / "secret.tif")
    (dropped / "l3").symlink_to("a/file.tif")
    (dropped / "l4").symlink_to("a")
    (dropped / "l5").symlink_to("nowhere")
    (dropped / "l6").symlink_to("l6")
    (dropped / "a/up").symlink_to("..")
    (dropped / "a/self").symlink_to(".")
    (dropped / "a/top").symlink_to("/")

    files, issues = scanned(dropped)

    assert files == ["a/file.tif"]
    assert issues == [
        ("source.link_loop", "a/self"),
        ("source.link_loop", "a/top"),
        ("source.link_loop", "a/up"),
        ("source.link_outside", "l1"),
        ("source.link_outside", "l2"),
        ("source.link_inside", "l3"),
        ("source.link_inside", "l4"),
        ("source.link_broken", "l5"),
        ("source.link_loop", "l6"),
    ]


@posix
def test_a_dropped_link_to_a_folder_is_that_folder(tmp_path: Path) -> None:
    plant(tmp_path / "real", "a.tif", "b/c.tif")
    (tmp_path / "real/inside").symlink_to("b/c.tif")
    (tmp_path / "link").symlink_to("real")

    assert scanned(tmp_path / "link") == (["a.tif", "b/c.tif"], [("source.link_inside", "inside")])
    assert make_root(tmp_path / "link").path.name == "link"
    assert make_root(tmp_path / "link").key == make_root(tmp_path / "real").key


@posix
def test_pipes_and_sockets_are_named_and_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "a.tif")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # a socket's address must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")

        met = [one for one in scan(make_root(tmp_path), ignore=IgnoreRules()) if isinstance(one, Issue)]

    assert [(one.code, one.severity, one.message) for one in met] == [
        ("source.special", Severity.INFO, "pipe is a pipe, not a file"),
        ("source.special", Severity.INFO, "sock is a socket, not a file"),
    ]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Folder name -> error number that listing it gives; works for root too, whom no permission stops."""
    refused: dict[str, int] = {}
    real = os.scandir

    def scandir(path: str) -> object:
        number = refused.get(Path(path).name)
        if number is not None:
            raise OSError(number, os.strerror(number), path)
        return real(path)

    monkeypatch.setattr(scan_module.os, "scandir", scandir)
    return refused


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "source.folder_unreadable"),
        (errno.EIO, "source.folder_unreadable"),
        (errno.ENAMETOOLONG, "source.folder_unreadable"),
        (errno.ENOENT, "source.vanished"),
        (errno.ENOTDIR, "source.vanished"),
    ],
)
def test_a_folder_that_cannot_be_listed_is_a_finding_and_the_scan_goes_on(
    tmp_path: Path, refuse: dict[str, int], number: int, code: str
) -> None:
    plant(tmp_path, "a/1.tif", "bad/2.tif", "c/3.tif")
    refuse["bad"] = number

    assert scanned(tmp_path) == (["a/1.tif", "c/3.tif"], [(code, "bad")])


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT])
def test_a_root_that_cannot_be_listed_is_a_finding(
    tmp_path: Path, refuse: dict[str, int], number: int
) -> None:
    refuse[tmp_path.name] = number

    assert scanned(tmp_path) == ([], [("source.folder_unreadable", "")])


@posix
def test_a_folder_without_the_right_to_list_it(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.tif", "b/2.tif")
    (tmp_path / "a").chmod(0)
    try:
        if os.access(tmp_path / "a", os.R_OK):
            pytest.skip("nothing is forbidden to this account")
        assert scanned(tmp_path) == (["b/2.tif"], [("source.folder_unreadable", "a")])
    finally:
        (tmp_path / "a").chmod(stat.S_IRWXU)


def test_what_vanishes_while_we_look_is_a_finding(tmp_path: Path) -> None:
    plant(tmp_path, "a.tif", "b.tif", "c/d.tif", "e.tif")
    walk = scan(make_root(tmp_path), ignore=IgnoreRules())
    first = next(walk)
    assert isinstance(first, SourceFile)

    (tmp_path / "b.tif").unlink()
    shutil.rmtree(tmp_path / "c")
    (tmp_path / "e.tif").unlink()
    (tmp_path / "e.tif").mkdir()

    rest = [(one.code, one.location.path) if isinstance(one, Issue) else one.path for one in walk]
    assert rest == [("source.vanished", "b.tif"), ("source.vanished", "c")]


def test_a_root_that_vanished_before_the_scan_is_a_finding(tmp_path: Path) -> None:
    root = make_root(tmp_path / "x") if (tmp_path / "x").mkdir() is None else None
    assert root is not None
    (tmp_path / "x").rmdir()

    (met,) = scan(root, ignore=IgnoreRules())
    assert isinstance(met, Issue)
    assert met.code == "source.folder_unreadable"


def test_a_deep_tree_needs_no_recursion(tmp_path: Path) -> None:
    depth = 600
    folder = tmp_path
    for _ in range(depth):
        folder /= "d"
    folder.mkdir(parents=True)
    plant(folder, "bottom.tif")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        files, issues = scanned(tmp_path)
    finally:
        sys.setrecursionlimit(limit)

    assert files == ["d/" * depth + "bottom.tif"]
    assert issues == []


def test_where_file_numbers_are_made_up_the_place_inside_the_volume_is_the_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "day 1/a.tif")
    stick = Volume("uuid:1234-ABCD", "/DCIM", "vfat", has_file_ids=False)
    monkeypatch.setattr(scan_module, "volume_of", lambda folder: stick)

    (met,) = scan(make_root(tmp_path, volume=lambda folder: stick), ignore=IgnoreRules())

    assert isinstance(met, SourceFile)
    assert (met.volume_id, met.file_id) == ("uuid:1234-ABCD", "path:/DCIM/day 1/a.tif")


def test_the_tally_counts_along(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.tif", "a/Thumbs.db", "2.tif", "b.log")
    tally = ScanTally()

    list(scan(make_root(tmp_path), ignore=IgnoreRules(patterns=("*.log",)), tally=tally))

    assert tally == ScanTally(folders=2, files=2, junk=1, ignored=1)


def test_a_scan_changes_nothing(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.tif", "a/.nanoferryignore", "2.tif")
    before = {path: path.stat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]}

    scanned(tmp_path)

    assert {path: path.stat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]} == before


def test_a_missing_folder_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no folder") as caught:
        make_root(tmp_path / "nowhere")
    assert "spelling" in caught.value.remedy


def test_a_file_is_no_root(tmp_path: Path) -> None:
    plant(tmp_path, "a.tif")
    with pytest.raises(SettingsError, match="is a file") as caught:
        make_root(tmp_path / "a.tif")
    assert str(tmp_path) in caught.value.remedy


def test_a_root_is_absolute_and_tidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    assert make_root(Path("x/../x/.")).path == tmp_path / "x"
    assert make_root(Path("x")).volume_id


def test_names_that_only_special_letters_tell_apart_clash_too() -> None:
    assert case_clashes(["Straße.tif", "STRASSE.tif", "Strasbourg.tif"]) == {"STRASSE.tif": "Straße.tif"}
