"""Fixtures that every part of the tests may use."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def samples_dir() -> Path:
    """The real instrument files beside the checkout; the test is skipped where they are absent."""
    folder = Path(os.environ.get("NANOFERRY_SAMPLES", CHECKOUT.parent / "shared" / "samples"))
    if not (folder / "expected.json").is_file():
        pytest.skip("the real instrument files are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def samples_expected(samples_dir: Path) -> dict[str, Any]:
    """Path below `files/` -> what was read independently from the sample."""
    loaded: dict[str, Any] = json.loads((samples_dir / "expected.json").read_text("utf-8"))
    return loaded


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the journal, server or token of the person who runs it."""
    for name in list(os.environ):
        if name.startswith("NANOFERRY_") and name != "NANOFERRY_SAMPLES":
            monkeypatch.delenv(name)
    monkeypatch.setenv("NANOFERRY_STATE_DIR", str(tmp_path / "state"))
