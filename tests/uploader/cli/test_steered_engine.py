"""A real engine process, steered from other processes the way a person does it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from uploader.cli.exits import Exit
from uploader.embedded.server import in_thread

SESSION = "data/NFFA-7/gold/2025-03-11_rossi_SEM"


def nanoferry(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uploader", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def engine_now() -> dict[str, Any]:
    """What the running engine last said of itself; empty when there is none."""
    engines = json.loads(nanoferry("status", "--offline", "--json").stdout)["engines"]
    return engines[0] if engines else {}


def waited_for(is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    for _ in range(100):
        engine = engine_now()
        if is_so(engine):
            return engine
        time.sleep(0.1)
    raise AssertionError(f"the engine never came to it: {engine}")


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An engine over forty files that has surveyed and waits to be told to send."""
    (tmp_path / SESSION).mkdir(parents=True)
    for number in range(40):
        (tmp_path / SESSION / f"notes_{number:02}.txt").write_bytes(f"notes {number}\n".encode() * 5000)
    command = [sys.executable, "-m", "uploader", "engine", "--hold", "--dir", str(tmp_path / "data")]
    command += ["--spec", "em-session"]
    with in_thread(tmp_path / "state" / "catalog"):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            waited_for(lambda engine: engine.get("state") == "ready")
            yield process
        finally:
            process.kill()
            process.wait(60)


def test_held_then_sent_and_followed_to_the_end(held: subprocess.Popen[bytes]) -> None:
    assert engine_now()["files_left"] == 40
    assert nanoferry("limit", "2MB/s").returncode == Exit.DONE
    assert nanoferry("resume").returncode == Exit.DONE
    followed = nanoferry("follow")
    assert followed.returncode == Exit.DONE, followed.stderr
    assert "40  uploaded" in followed.stdout
    assert held.wait(60) == Exit.DONE
    assert engine_now() == {}


def test_one_file_is_cancelled_and_the_others_go(held: subprocess.Popen[bytes], tmp_path: Path) -> None:
    cancelled = nanoferry("cancel", str(tmp_path / SESSION / "notes_07.txt"), "--json")
    (answer,) = json.loads(cancelled.stdout)["answers"]
    assert answer["taken"]
    assert nanoferry("resume").returncode == Exit.DONE
    assert held.wait(60) == Exit.SOMETHING_LEFT
    shown = json.loads(nanoferry("status", "--offline", "--json").stdout)["runs"][0]
    assert (shown["outcomes"]["new"], shown["outcomes"]["cancelled"]) == (39, 1)


def test_stopped_from_elsewhere(held: subprocess.Popen[bytes]) -> None:
    assert nanoferry("stop").returncode == Exit.DONE
    assert held.wait(60) == Exit.INTERRUPTED
    assert nanoferry("stop").returncode == Exit.SOMETHING_LEFT


def test_a_killed_engine_is_told_and_the_same_folder_goes_on(
    held: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    held.kill()
    held.wait(60)
    assert engine_now()["state"] == "gone"
    assert nanoferry("follow").returncode == Exit.COULD_NOT_RUN
    again = nanoferry("upload", "--dir", str(tmp_path / "data"), "--spec", "em-session")
    assert again.returncode == Exit.DONE
    assert "40  uploaded" in again.stdout
