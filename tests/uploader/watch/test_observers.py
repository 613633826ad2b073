"""Hints of the operating system: given for what is written, never for what is read, and never needed."""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from uploader.watch import observers
from uploader.watch.observers import WatchdogHints


@pytest.fixture
def hints() -> Iterator[WatchdogHints]:
    hints = WatchdogHints()
    yield hints
    hints.close()


def comes(hints: WatchdogHints) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if hints.take():
            return True
        threading.Event().wait(0.02)
    return False


def test_what_is_written_is_told_and_what_is_read_is_not(hints: WatchdogHints, tmp_path: Path) -> None:
    (tmp_path / "old.tif").write_text("x")
    assert hints.follow([tmp_path]) == ""
    (tmp_path / "old.tif").read_text()
    list(tmp_path.iterdir())
    (tmp_path / "deep").mkdir()
    assert comes(hints)
    told = []
    # Events come in their order: what reading told would come before what writing tells.
    (tmp_path / "old.tif").read_text()
    (tmp_path / "deep" / "new.tif").write_text("x")
    told.append(comes(hints))
    assert told == [True]


def test_without_watchdog_it_says_so(
    hints: WatchdogHints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchdog.events", None)
    assert hints.follow([tmp_path]).startswith("no hints of changes: watchdog cannot be loaded")
    assert not hints.take()


def test_a_system_that_refuses_is_no_failure(
    hints: WatchdogHints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(observers, "_observer", refuse)
    assert hints.follow([tmp_path]) == "no hints of changes: the system refuses (inotify watch limit reached)"


def test_a_folder_that_is_gone_leaves_no_thread(hints: WatchdogHints, tmp_path: Path) -> None:
    before = threading.active_count()
    assert hints.follow([tmp_path, tmp_path / "gone"]).startswith("no hints of changes: the system refuses")
    assert threading.active_count() == before


def test_closing_ends_its_threads(tmp_path: Path) -> None:
    before = threading.active_count()
    hints = WatchdogHints()
    hints.follow([tmp_path])
    hints.follow([tmp_path])
    assert threading.active_count() > before
    hints.close()
    assert threading.active_count() == before
