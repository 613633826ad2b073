"""One detached server per folder: started once, found by everybody, stopped by anybody."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from uploader.embedded import lifecycle
from uploader.embedded.lock import LockHeld, held, is_held
from uploader.embedded.server import Settings, in_thread
from uploader.model.errors import SettingsError, Unreachable


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    lifecycle.stop(tmp_path / "data")


def test_start_find_stop_start_again(folder: Path) -> None:
    assert lifecycle.running(folder) is None
    assert lifecycle.stop(folder) is False

    first = lifecycle.ensure_running(folder)
    assert lifecycle.running(folder) == first
    assert lifecycle.ensure_running(folder) == first
    assert first.pid != os.getpid()
    answer = requests.get(
        f"{first.url}/authn/session", headers={"Authorization": f"Bearer {first.token}"}, timeout=10
    )
    assert answer.status_code == 200

    assert lifecycle.stop(folder) is True
    assert lifecycle.running(folder) is None
    assert not psutil.pid_exists(first.pid)

    second = lifecycle.ensure_running(folder)
    assert second.server_id == first.server_id
    assert second.token == first.token
    assert second.run != first.run


def test_what_opens_the_server_is_the_owner_s_alone(folder: Path) -> None:
    lifecycle.ensure_running(folder)
    for name in ("endpoint.json", "token", "server.lock"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_processes_that_race_get_one_server(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from uploader.embedded import lifecycle;"
        "e = lifecycle.ensure_running(Path(sys.argv[1])); print(e.pid, e.url)"
    )

    def start(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", program, str(folder)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(start, range(4)))
    assert len(answers) == 1
    served = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(folder.resolve()) in (process.info["cmdline"] or [])
    ]
    assert len(served) == 1, "a starter that lost the race leaves no server behind that would take over later"


def test_a_killed_server_is_replaced(folder: Path) -> None:
    first = lifecycle.ensure_running(folder)
    process = psutil.Process(first.pid)
    process.kill()
    process.wait(10)
    assert lifecycle.running(folder) is None
    assert lifecycle.ensure_running(folder).run != first.run


def test_it_outlives_whoever_started_it(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from uploader.embedded import lifecycle;"
        "lifecycle.ensure_running(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, timeout=60)
    endpoint = lifecycle.running(folder)
    assert endpoint is not None
    assert requests.get(endpoint.url, timeout=10).status_code == 200


def test_sigterm_leaves_a_tidy_folder(folder: Path) -> None:
    process = psutil.Process(lifecycle.ensure_running(folder).pid)
    process.terminate()
    process.wait(15)
    assert not (folder / "endpoint.json").exists()
    assert lifecycle.running(folder) is None


def test_a_folder_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match="writable folder"):
        lifecycle.ensure_running(tmp_path / "file" / "data")


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    folder.mkdir()
    (folder / "hatrac").write_text("in the way")
    with pytest.raises(
        Unreachable,
        match=r"did not start.*hatrac. cannot be opened|did not start.*cannot be opened: .*hatrac",
    ):
        lifecycle.ensure_running(folder)


def test_a_taken_port_is_named(folder: Path, tmp_path: Path) -> None:
    endpoint = lifecycle.ensure_running(folder)
    port = int(endpoint.url.rpartition(":")[2])
    with (
        pytest.raises(SettingsError, match=f"Port {port}"),
        in_thread(tmp_path / "other", Settings(port=port)),
    ):
        pass


def test_the_lock_has_one_holder(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not is_held(lock)
    with held(lock):
        assert is_held(lock)
        with pytest.raises(LockHeld), held(lock, patience_s=0):
            pass
    assert not is_held(lock)


def test_finding_a_server_is_light() -> None:
    program = (
        "import sys, uploader.embedded.lifecycle; "
        "print(sorted({'starlette', 'uvicorn', 'asyncio', 'sqlite3', 'numpy'} & sys.modules.keys()))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
