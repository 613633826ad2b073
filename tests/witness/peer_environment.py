"""deriva-py, the independent client, in an environment of its own: it pins libraries that ours does not use."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / ".venv-witness"
SCRIPTS = Path(__file__).parent / "scripts"
PINNED = "deriva==1.7.12"
INSTALL_TIMEOUT_S = 540
RUN_TIMEOUT_S = 100

_UNREACHABLE = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "ConnectionResetError",
    "NameResolutionError",
    "ProxyError",
    "Read timed out",
)
"""What pip writes when it cannot reach a registry, as against one that lacks the package."""


class RegistryUnreachable(Exception):
    """No package registry answers, so the environment cannot be built."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The client, with a home folder that nobody else uses."""

    bin: Path
    home: Path

    def facts(self, script: str, *arguments: str) -> dict[str, Any]:
        """What one of the scripts beside this module found out, which it prints as JSON on its last line."""
        done = self._run([str(self.bin / "python"), str(SCRIPTS / f"{script}.py"), *arguments])
        assert done.returncode == 0, f"{script}.py failed:\n{done.stderr[-6000:]}"
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def upload(self, host: str, token: str, folder: Path, config: Path) -> str:
        """What `deriva-upload-cli` writes while it uploads a folder; a failure fails the test."""
        done = self._run(self.upload_command(host, token, folder, config))
        assert done.returncode == 0, f"deriva-upload-cli failed:\n{done.stderr[-6000:]}"
        return done.stderr

    def upload_command(self, host: str, token: str, folder: Path, config: Path) -> list[str]:
        """The command line of an upload to catalog 1 of `http://host`."""
        command = [str(self.bin / "deriva-upload-cli"), "--catalog", "1", "--token", token]
        return [*command, "--config-file", str(config), f"http://{host}", str(folder)]

    def environment(self) -> Mapping[str, str]:
        """The variables a command of this client runs with: no proxy between it and this machine."""
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
        return {**kept, "HOME": str(self.home), "NO_PROXY": "*", "PYTHONUTF8": "1"}

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=RUN_TIMEOUT_S,
            check=False,
        )


def peer_bin(folder: Path = FOLDER) -> Path:
    """The folder of the client's commands; built when it is not there or of another version.

    Raises RegistryUnreachable.
    """
    wanted = f"{PINNED} on Python {sys.version.split()[0]} from {sys.base_prefix}"
    environment, stamp = folder / "environment", folder / "installed.txt"
    folder.mkdir(exist_ok=True)
    # Two test runs in one checkout: the second waits and finds the work done.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text("utf-8") != wanted:
            stamp.unlink(missing_ok=True)
            shutil.rmtree(environment, ignore_errors=True)
            _install(environment)
            stamp.write_text(wanted, "utf-8")
    return environment / "bin"


def _install(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    done = subprocess.run(
        [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            PINNED,
        ],
        capture_output=True,
        text=True,
        timeout=INSTALL_TIMEOUT_S,
        check=False,
    )
    if done.returncode == 0:
        return
    if any(sign in done.stderr for sign in _UNREACHABLE):
        raise RegistryUnreachable(f"{PINNED} cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
    raise AssertionError(f"{PINNED} cannot be installed:\n{done.stderr[-4000:]}")
