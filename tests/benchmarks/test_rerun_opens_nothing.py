"""A second run over finished files opens none of them: every file that any of its processes opens is written down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from uploader.embedded.server import in_thread

FILES = 40

# Python imports this module by itself when it starts, in the workers of a run as well.
WITNESS = """
import os, sys
tree = os.environ["WATCHED_TREE"]
def note(event, arguments):
    if event == "open" and arguments and str(arguments[0]).startswith(tree + os.sep):
        line = os.open(os.environ["WATCHED_NOTES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(line, (str(arguments[0]) + "\\n").encode())
        os.close(line)
sys.addaudithook(note)
"""


def upload(tree: Path, scratch: Path, server: dict[str, str]) -> tuple[dict[str, int], list[str]]:
    """Outcomes of a run, and the files below the tree that it opened."""
    notes = scratch / "opened.txt"
    notes.write_text("", "utf-8")
    environment = {
        **os.environ,
        **server,
        "PYTHONPATH": str(scratch / "witness"),
        "WATCHED_TREE": str(tree),
        "WATCHED_NOTES": str(notes),
    }
    done = subprocess.run(
        [sys.executable, "-m", "uploader", "upload", "--dir", str(tree), "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes: dict[str, int] = json.loads(done.stdout.splitlines()[-1])["outcomes"]
    return outcomes, notes.read_text("utf-8").splitlines()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A session as the spec for newcomers has it, of files that are no pictures."""
    folder = tmp_path / "tree"
    for number in range(FILES):
        file = folder / "S-1" / "2026-03-05_kim_SEM" / f"area1_{number:03d}_15kV.tif"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"II*\0" + bytes([number]) * 3000)
    return folder


def test_a_second_run_opens_no_file_of_the_data(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "witness").mkdir()
    (tmp_path / "witness" / "sitecustomize.py").write_text(WITNESS, "utf-8")
    with in_thread(tmp_path / "server") as endpoint:
        server = {
            "NANOFERRY_SERVER": endpoint.url,
            "NANOFERRY_TOKEN": endpoint.token,
            "NANOFERRY_STATE_DIR": str(tmp_path / "state"),
        }
        init = [sys.executable, "-m", "uploader", "catalog", "init"]
        subprocess.run(init, env={**os.environ, **server}, capture_output=True, check=True)
        outcomes, opened = upload(tree, tmp_path, server)
        assert outcomes == {"new": FILES}
        assert len({line for line in opened if line.endswith(".tif")}) == FILES, "the witness must see"

        outcomes, opened = upload(tree, tmp_path, server)
        assert outcomes == {"same": FILES}
        assert opened == []
