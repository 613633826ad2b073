"""`python -m validation`: what it takes, its exit codes, and that it needs nothing of the uploader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from validation.__main__ import main

CHECKOUT = Path(__file__).parents[2]

SPEC = """\
nanoferry: 1
id: lab
version: "1.0.0"
level: capture
table: [nanoscience, File]
rules:
  - id: frames
    path: "{project}/{sample}/{slice:digits(4)}.dat"
    dataset: "{project} {sample}"
    object: "/hatrac/{project}/{sample}/{path}"
required:
  - {rule: frames, series: slice, gaps: hold}
"""

SIDECAR = """\
facility: CNR-IOM
operator: Ada Lovelace
instrument: Zeiss Supra 40
technique: sem
"""

ALONE = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError("blocked by the test: " + name, name=name)

sys.meta_path.insert(0, Blocker())
"""

BLOCKED = (
    "requests", "click", "rich", "starlette", "uvicorn", "platformdirs", "pathspec", "sqlite3", "uploader",
    "PySide6", "urllib3", "anyio",
)  # fmt: skip


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A project with one sample of three slices, typed metadata at the top, and its spec beside it."""
    folder = tmp_path / "drop"
    sample = folder / "NanoPb" / "S1"
    sample.mkdir(parents=True)
    for number in (1, 2, 3):
        (sample / f"{number:04}.dat").write_bytes(b"x")
    (folder / "nanoferry.yaml").write_text(SIDECAR, "utf-8")
    (tmp_path / "lab.yaml").write_text(SPEC, "utf-8")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = main([*map(str, arguments), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def found(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["code"], one.get("location", {}).get("path", "")) for one in report["issues"]]


def test_a_good_folder_is_clean(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys, session, "--spec", session.parent / "lab.yaml")
    assert [one for one in report["issues"] if one["severity"] != "info"] == []
    assert (code, report["files_checked"]) == (0, 3)
    assert any("catalog" in words for words in report["checks_not_run"])


def test_faults_of_a_folder_are_found_and_held(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (session / "NanoPb" / "S1" / "0002.dat").unlink()
    (session / "NanoPb" / "S1" / "notes.docx").write_bytes(b"")
    (session / "NanoPb" / "nanoferry.yaml").write_text("operater: X\n", "utf-8")
    code, report = run(capsys, session, "--spec", session.parent / "lab.yaml")
    assert code == 1
    assert set(found(report)) >= {
        ("group.gap", "NanoPb/S1"),
        ("path.unmatched", "NanoPb/S1/notes.docx"),
        ("source.empty", "NanoPb/S1/notes.docx"),
        ("sidecar.unknown_key", "NanoPb/nanoferry.yaml"),
    }


def test_without_a_spec_names_are_not_judged_and_that_is_said(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = run(capsys, session)
    assert code == 0
    assert not [one for one in found(report) if one[0].startswith(("path.", "group.", "metadata."))]
    assert any("no spec" in words for words in report["checks_not_run"])


@pytest.mark.parametrize(
    ("name", "text", "code", "expected"),
    [
        ("lab.yaml", SPEC, 0, ""),
        ("lab.yaml", SPEC.replace("path:", "pth:"), 1, "spec."),
        ("nanoferry.yaml", SIDECAR, 0, ""),
        ("nanoferry.yaml", "a: [", 1, "sidecar.unreadable"),
        ("d.json", '{"schemaVersion": "1.0"}', 1, "metadata.missing"),
        ("d.yaml", 'schemaVersion: "2"\n', 1, "metadata.invalid"),
        ("d.json", '{"a": 1,}', 1, "metadata.unreadable"),
        ("d.json", '{"a": NaN}', 1, "metadata.unreadable"),
        ("d.json", "[" * 100_000, 1, "metadata.unreadable"),
        ("d.json", "[1]", 1, "metadata.unreadable"),
        ("d.json", '{"rows": 1}', 1, "metadata.unreadable"),
        ("image.tif", "", 0, "source.empty"),
    ],
)
def test_one_file_of_each_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, code: int, expected: str
) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    exit_code, report = run(capsys, path)
    assert exit_code == code
    assert not expected or any(one[0].startswith(expected) and one[1] == str(path) for one in found(report))


def test_a_document_is_told_which_level_it_reaches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "d.json"
    path.write_text('{"schemaVersion": "1.0", "identifier": "a", "title": "b"}', "utf-8")
    _, report = run(capsys, path, "--level", "nffa-core")
    (level,) = [one for one in report["issues"] if one["code"] == "metadata.level"]
    assert level["message"] == "checked at level nffa-core; it reaches none yet"


def test_what_cannot_run_is_exit_2_with_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "absent")]) == 2
    said = capsys.readouterr().err
    assert "absent" in said
    assert said.count("\n") == 1
    (tmp_path / "bad.yaml").write_text("nanoferry: 1\n", "utf-8")
    assert main([str(tmp_path), "--spec", str(tmp_path / "bad.yaml")]) == 2


def test_the_report_may_go_into_a_file(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(session), "-o", str(tmp_path / "r.txt")]) == 0
    assert capsys.readouterr().out == ""
    assert "3 files checked" in (tmp_path / "r.txt").read_text("utf-8")


def test_warnings_may_fail_a_run(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (session / "NanoPb" / "S1" / "0003.dat").write_bytes(b"")
    assert run(capsys, session)[0] == 0
    assert run(capsys, session, "--fail-on", "warning")[0] == 1


def alone(program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs Python in a process that cannot import anything of the uploader."""
    return subprocess.run(
        [sys.executable, "-c", ALONE.format(blocked=set(BLOCKED)) + program, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_validation_runs_without_the_uploaders_libraries(session: Path) -> None:
    program = "import runpy; sys.argv[0] = 'validation'; runpy.run_module('validation', run_name='__main__')"
    spec = str(session.parent / "lab.yaml")
    done = alone(program, str(session), "--spec", spec, cwd=session.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 files checked" in done.stdout


def test_import_validation_is_light_and_its_names_are_all_there(tmp_path: Path) -> None:
    program = """
import validation
heavy = {"numpy", "jsonschema", "tifffile", "PIL", "h5py", "yaml", "regex"} & set(sys.modules)
assert not heavy, heavy
for name in validation.__all__:
    assert getattr(validation, name) is not None
try:
    validation.nonsense
except AttributeError as error:
    assert "nonsense" in str(error)
else:
    raise SystemExit(1)
"""
    done = alone(program, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
