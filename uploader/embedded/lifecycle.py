"""Start, find and stop the one embedded server of a data folder. Light: no web framework is imported here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from uploader.embedded.endpoint import (
    LOCK_FILE,
    LOG_FILE,
    STOP_FILE,
    Endpoint,
    identity_of,
    read_endpoint,
    write_private,
)
from uploader.embedded.lock import is_held
from uploader.embedded.ownership import refuse_foreign
from uploader.model.errors import Cancelled, SettingsError, Unreachable

__all__ = ["Endpoint", "ensure_running", "identity_of", "running", "stop"]

LOCK_WAS_HELD = 3
"""Exit code of a server that found the folder served already."""

START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 20.0
POLL_S = 0.03
LOG_TAIL_CHARS = 1500
LEAST_ROOM_BYTES = 1 << 20
_LOGINS = ("NANOFERRY_TOKEN", "NANOFERRY_COOKIE")

_started: list[subprocess.Popen[bytes]] = []
"""Servers this process started: kept so that a stopped one is reaped instead of left as a zombie."""


def running(data_dir: Path) -> Endpoint | None:
    """The server that serves this folder now, if there is one."""
    refuse_foreign(data_dir)
    try:
        if not is_held(data_dir / LOCK_FILE):
            return None
    except PermissionError as error:
        raise SettingsError(
            f"The folder {data_dir} belongs to another user.",
            detail="Nothing was started or changed.",
            remedy="Choose a folder of your own (`serve --data DIR`).",
        ) from error
    # A server removes an old endpoint file as soon as it has the lock, so what is there is its own.
    return read_endpoint(data_dir)


def ensure_running(
    data_dir: Path,
    *,
    port: int = 0,
    public_read: bool = False,
    stop_waiting: Callable[[], bool] = lambda: False,
) -> Endpoint:
    """The server of this folder, started detached when none runs; safe in any thread.

    `port` and `public_read` matter only to a server that is started here. Two processes that race get the
    same server. When `stop_waiting` says so it raises Cancelled; a server that was about to start starts.
    """
    if (found := running(data_dir)) is not None:
        return found
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        child = _spawn(data_dir, port=port, public_read=public_read)
    except OSError as error:
        raise SettingsError(
            f"The embedded catalog cannot use the folder {data_dir}: {error.strerror or error}.",
            detail="Nothing was started or changed.",
            remedy="Choose a writable folder on a local disk (`serve --data DIR`).",
        ) from error
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        if (found := running(data_dir)) is not None:
            _dismiss_unless(child, found)
            return found
        ended = child.poll()
        if ended == LOCK_WAS_HELD:
            # Another starter was faster, or the server before is still finishing: wait for one, or start again.
            if not is_held(data_dir / LOCK_FILE):
                child = _spawn(data_dir, port=port, public_read=public_read)
        elif ended is not None:
            break
        if stop_waiting():
            raise Cancelled("Stopped before the embedded catalog had started.")
        time.sleep(POLL_S)
    raise Unreachable(
        f"The embedded catalog of {data_dir} did not start.",
        detail=_log_tail(data_dir),
        remedy=f"Read {data_dir / LOG_FILE}, or run `nanoferry serve --data {data_dir}` to see why.",
    )


def _dismiss_unless(child: subprocess.Popen[bytes], found: Endpoint) -> None:
    """End a server of ours that lost the race: still starting, it might take over a folder stopped meanwhile.

    On Windows a virtual environment starts Python through a process of another number, so that the two cannot be
    told apart; there the loser ends by itself when it finds the folder held.
    """
    if sys.platform != "win32" and child.pid != found.pid and child.poll() is None:
        child.terminate()
        child.wait(timeout=STOP_DEADLINE_S)


def stop(data_dir: Path) -> bool:
    """Stop the server of this folder and wait until it has let go; False when none was running."""
    endpoint = running(data_dir)
    if endpoint is None:
        return False
    # A file instead of a signal: the same on three systems, and it can never hit a process that reuses the pid.
    try:
        write_private(data_dir / STOP_FILE, endpoint.run)
    except OSError as error:
        raise SettingsError(
            f"The embedded catalog cannot be asked to stop: {error.strerror or error} ({data_dir}).",
            detail="It runs on. What it has acknowledged is safe on disk.",
            remedy=f"Make room there and try again, or end process {endpoint.pid} yourself.",
        ) from error
    deadline = time.monotonic() + STOP_DEADLINE_S
    while is_held(data_dir / LOCK_FILE):
        current = read_endpoint(data_dir)
        if current is not None and current.run != endpoint.run:
            break  # ours has gone and somebody has started another one
        if time.monotonic() >= deadline:
            raise Unreachable(
                f"The embedded catalog (process {endpoint.pid}) has not stopped within {STOP_DEADLINE_S:.0f} s.",
                detail="What it has acknowledged is safe on disk.",
                remedy=f"Wait for its transfers to end, or end process {endpoint.pid} yourself.",
            )
        time.sleep(POLL_S)
    for child in _started:
        if child.pid == endpoint.pid:
            child.wait(timeout=STOP_DEADLINE_S)
    _started[:] = [child for child in _started if child.poll() is None]
    return True


def _spawn(data_dir: Path, *, port: int, public_read: bool) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "uploader.embedded",
        "--data",
        str(data_dir.resolve()),
        "--port",
        str(port),
    ]
    if public_read:
        command.append("--public-read")
    windows = 0
    if sys.platform == "win32":
        windows = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    # The login to an institution's server is nothing that a process of weeks should carry along.
    environment = {name: value for name, value in os.environ.items() if name not in _LOGINS}
    handle = os.open(data_dir / LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "ab") as log:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            close_fds=True,
            start_new_session=sys.platform != "win32",
            creationflags=windows,
        )
    # A server that was killed is reaped by whoever starts the next one.
    _started[:] = [*(one for one in _started if one.poll() is None), child]
    return child


def _log_tail(data_dir: Path) -> str:
    try:
        text = (data_dir / LOG_FILE).read_text("utf-8", errors="replace").strip()
    except OSError:
        return "It left no log."
    if text:
        return f"End of its log: {text[-LOG_TAIL_CHARS:]}"
    # The one cause that keeps a server from writing why it ended.
    free_bytes = shutil.disk_usage(data_dir).free
    return "Its disk is full." if free_bytes < LEAST_ROOM_BYTES else "Its log is empty."
