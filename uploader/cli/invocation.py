"""How the person at the keyboard can call this program: what we print must run when it is pasted."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def command_line(*arguments: str) -> str:
    """A command of this program, ready to be pasted into the shell it was called from."""
    return shlex.join([*_program(), *arguments])


def _program() -> list[str]:
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return [sys.executable, "-m", "uploader"]
    found = shutil.which("nanoferry")
    # `make demo` and an environment that is not activated call the script by its path.
    if called.stem == "nanoferry" and (found is None or not called.exists() or not called.samefile(found)):
        return [str(called)]
    return ["nanoferry"]
