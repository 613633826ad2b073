"""A command begins without what it does not need: most runs have nothing to send, and people wait for the start."""

from __future__ import annotations

import subprocess
import sys

import pytest

DEAR = ("jsonschema", "requests", "rich", "numpy", "tifffile", "h5py", "PIL", "uvicorn", "starlette")
RUN = (
    "uploader.cli.upload",
    "uploader.engine.run",
    "uploader.engine.workers",
    "uploader.journal.store",
    "uploader.remote.ermrest",
    "uploader.remote.hatrac",
    "validation.spec.load",
)
"""What a run over finished files on this machine's server imports."""


@pytest.mark.parametrize("modules", [("uploader.cli.main",), RUN], ids=["help", "upload"])
def test_dear_modules_are_imported_when_they_are_needed(modules: tuple[str, ...]) -> None:
    words = f"import sys, {', '.join(modules)}; print(*(name for name in {DEAR} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
