"""Commands that we print can be pasted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from uploader.cli.invocation import command_line


@pytest.fixture
def script_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "bin" / "nanoferry"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(script.parent))
    return script


def test_by_its_name_when_it_is_on_the_path(script_on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(script_on_path)])
    assert command_line("upload", "--dir", "my data") == "nanoferry upload --dir 'my data'"


def test_by_its_path_when_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", [".venv/bin/nanoferry"])
    assert command_line("status") == ".venv/bin/nanoferry status"


def test_not_by_the_name_of_another_installation(
    script_on_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "venv" / "nanoferry"
    ours.parent.mkdir()
    ours.touch()
    monkeypatch.setattr(sys, "argv", [str(ours)])
    assert command_line("status") == f"{ours} status"


def test_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["somewhere/uploader/__main__.py"])
    assert command_line("status") == f"{sys.executable} -m uploader status"
