"""What a scan leaves out: litter, and what ignore files name."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from uploader.model.files import SourceFile
from uploader.stages.ignore import IgnoreRules
from uploader.stages.roots import make_root
from uploader.stages.scan import scan
from validation.model import Issue, Severity


def plant(folder: Path, *paths: str) -> None:
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def scanned(folder: Path, ignore: IgnoreRules | None = None) -> tuple[list[str], list[Issue]]:
    met = list(scan(make_root(folder), ignore=ignore or IgnoreRules()))
    return [one.path for one in met if isinstance(one, SourceFile)], [
        one for one in met if isinstance(one, Issue)
    ]


@pytest.mark.parametrize(
    "litter",
    [
        "Thumbs.db",
        ".deriva-upload-state-catalog.example.org.json",
        "THUMBS.DB",
        "desktop.ini",
        ".DS_Store",
        "._scan.tif",
        "~$notes.docx",
        ".~lock.a.odt#",
        ".nfs0001",
    ],
)
def test_litter_is_left_out_without_a_word(tmp_path: Path, litter: str) -> None:
    plant(tmp_path, "a.tif", litter, f"sub/{litter}")

    assert scanned(tmp_path) == (["a.tif"], [])


def test_litter_folders_are_not_entered(tmp_path: Path) -> None:
    plant(tmp_path, "$RECYCLE.BIN/a.tif", "System Volume Information/x", "@eaDir/b.tif", "kept/c.tif")

    assert scanned(tmp_path) == (["kept/c.tif"], [])


@pytest.mark.parametrize(
    "name", ["thumbs.db.tif", "a~$b.tif", "_.tif", ".scan.tif", "a.tmp", "desktop.ini.txt"]
)
def test_names_that_only_look_like_litter_are_data(tmp_path: Path, name: str) -> None:
    plant(tmp_path, name)

    assert scanned(tmp_path)[0] == [name]


def test_what_counts_as_litter_can_be_chosen(tmp_path: Path) -> None:
    plant(tmp_path, "Thumbs.db", "a.bak")

    assert scanned(tmp_path, IgnoreRules(junk=("*.bak",)))[0] == ["Thumbs.db"]
    assert scanned(tmp_path, IgnoreRules(junk=()))[0] == ["Thumbs.db", "a.bak"]


def test_the_nearest_ignore_file_decides(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "a.log",
        "keep.log",
        "s/a.log",
        "s/b.raw",
        "s/t/b.raw",
        "build/x.tif",
        "s/build/y.tif",
        "only/x.tif",
    )
    (tmp_path / ".nanoferryignore").write_text("# comment\n\n*.log\n!keep.log\nbuild/\n/only\n*.raw\n")
    (tmp_path / "s/.nanoferryignore").write_text("\ufeff!a.log\r\n!b.raw\r\n", "utf-8", newline="")
    (tmp_path / "s/t/.nanoferryignore").write_text("b.*\n")

    assert scanned(tmp_path) == (["keep.log", "s/a.log", "s/b.raw"], [])


def test_rules_of_the_settings_yield_to_an_ignore_file(tmp_path: Path) -> None:
    plant(tmp_path, "a.log", "b.log")
    (tmp_path / ".nanoferryignore").write_text("!a.log\n")

    assert scanned(tmp_path, IgnoreRules(patterns=("*.log",)))[0] == ["a.log"]


def test_ignore_files_can_be_switched_off(tmp_path: Path) -> None:
    plant(tmp_path, "a.tif")
    (tmp_path / ".nanoferryignore").write_text("*\n")

    assert scanned(tmp_path, IgnoreRules(file_name=""))[0] == [".nanoferryignore", "a.tif"]


def test_a_line_that_is_no_pattern_is_named_and_the_others_count(tmp_path: Path) -> None:
    plant(tmp_path, "s/a.log", "s/b.tif")
    (tmp_path / "s/.nanoferryignore").write_text("*.log\n!\n")

    files, (found,) = scanned(tmp_path)

    assert files == ["s/b.tif"]
    assert (found.code, found.location.path, found.location.line) == (
        "source.ignore_pattern",
        "s/.nanoferryignore",
        2,
    )
    assert found.severity is Severity.WARNING


def test_an_ignore_file_that_cannot_be_read_holds_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "s/a.tif", "s/.nanoferryignore", "b.tif")
    real = Path.open

    def refusing(self: Path, *args: object, **kwargs: object) -> object:
        if self.name == ".nanoferryignore":
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", refusing)

    files, (found,) = scanned(tmp_path)

    assert files == ["b.tif", "s/a.tif"]
    assert (found.code, found.group, found.holds) == ("source.ignore_unreadable", "folder:s", True)


NAMES = st.sampled_from(["a", "b", "a.log", "b.tif", "build"])
RULES = st.sampled_from(
    [
        "*.log",
        "!*.log",
        "a",
        "!a",
        "/a",
        "build/",
        "!build/",
        "a/b",
        "**/b",
        "a/**",
        "*.tif",
        "!b.tif",
        "[ab]",
        "?",
    ]
)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the judge here")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    paths=st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8),
    top=st.lists(RULES, max_size=4),
    below=st.lists(RULES, max_size=3),
)
@example(paths={"a/a"}, top=["a/**"], below=["!a"])
@example(paths={"a/b"}, top=["a/"], below=["!b"])
@example(paths={"a.log/a/a.log"}, top=["[ab]", "!*.log"], below=[])
def test_the_rules_mean_what_they_mean_to_git(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str], top: list[str], below: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    for path in sorted(paths):
        file = folder / path
        if not any(other.startswith(path + "/") for other in paths):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x")
    (folder / ".gitignore").write_text("\n".join(top))
    if (folder / "a").is_dir():
        (folder / "a/.gitignore").write_text("\n".join(below))
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    untracked = subprocess.run(
        ["git", "-C", str(folder), "ls-files", "--others", "--exclude-standard", "-z"],
        check=True,
        capture_output=True,
    ).stdout.decode()
    wanted = sorted(name for name in untracked.split("\0") if name and not name.endswith(".gitignore"))

    files, _ = scanned(folder, IgnoreRules(junk=(".git",), file_name=".gitignore"))

    assert sorted(files) == wanted
