"""Worlds for the engine: an embedded server in a thread of this process, and readers that start no process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ferry_world import World

from uploader.embedded.server import in_thread
from uploader.engine import workers


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A new catalog and a new memory."""
    # Worker processes have tests of their own; here they would only cost a second per test.
    monkeypatch.setattr(workers, "PooledExtractor", workers.InlineExtractor)
    with in_thread(tmp_path / "state" / "catalog") as endpoint:
        yield World(tmp_path, endpoint)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where a test puts the files it drops."""
    return tmp_path / "data"
