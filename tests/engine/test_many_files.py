"""A survey streams: its memory does not grow with the files, and a file of many takes no longer than one of few."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("many_files.py")
MOST_BYTES_PER_FILE = 50


def tree_of(folder: Path, files: int, *, per_dataset: int) -> Path:
    """Sparse files of 4 KiB, so many to a dataset."""
    for start in range(0, files, per_dataset):
        session = folder / f"NFFA-7/s{start:07}/2025-03-11_rossi_SEM"
        session.mkdir(parents=True)
        for number in range(start, min(files, start + per_dataset)):
            with (session / f"area1_{number:07}.csv").open("wb") as file:
                file.truncate(4096)
    return folder


def ran(what: str, tree: Path, state: Path) -> dict[str, Any]:
    """What a run in a process of its own tells."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), what, str(tree), str(state)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def measured(tmp_path: Path, files: int, per_dataset: int) -> dict[str, dict[str, Any]]:
    """A first look at so many files, and a run over them once all are sent."""
    tree = tree_of(tmp_path / f"tree{files}", files, per_dataset=per_dataset)
    state = tmp_path / f"state{files}"
    found = {what: ran(what, tree, state) for what in ("first", "seed", "again")}
    assert found["first"]["planned"] == {"new": files}
    assert found["again"]["planned"] == {"same": files}
    return found


def test_a_run_over_files_sent_before_finds_them_all_the_same(tmp_path: Path) -> None:
    found = measured(tmp_path, 1500, 700)
    assert found["again"]["peak_kb"] < 100_000


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("per_dataset", [200, 1_000_000])
def test_memory_and_time_per_file_do_not_grow(tmp_path: Path, per_dataset: int) -> None:
    few, many = (measured(tmp_path, files, per_dataset) for files in (100_000, 300_000))
    for what in ("first", "again"):
        grown = (many[what]["peak_kb"] - few[what]["peak_kb"]) * 1024 / 200_000
        factor = many[what]["cpu_s"] / few[what]["cpu_s"]
        sys.stdout.write(f"{what}: {grown:.0f} bytes a file, {factor:.2f} times the time of a third\n")
        assert grown < MOST_BYTES_PER_FILE
        assert factor < 3.3
