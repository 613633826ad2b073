"""The embedded catalog is killed while a run sends: the run starts it again and goes on; a named server it leaves."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from ferry_world import SESSION, fill, layout

from uploader.bootstrap import Settings, connect, open_engine
from uploader.embedded.endpoint import Endpoint
from uploader.embedded.lifecycle import ensure_running, running, stop
from uploader.engine.limits import Limits
from uploader.model.events import Event, FileFinished, Parked, RunFinished
from validation.check import Depth

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")

FILES = 40
LARGE_BYTES = 12 * 1024 * 1024


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A memory whose embedded catalog is a process of its own, which the run starts."""
    state = tmp_path / "state"
    yield Settings("", "1", state, state / "catalog")
    stop(state / "catalog")


def dropped(folder: Path) -> Path:
    small = {f"{SESSION}/notes_{number:03}.txt": os.urandom(2000) for number in range(FILES)}
    return fill(folder, {**small, f"{SESSION}/notes_large.txt": os.urandom(LARGE_BYTES)})


def kill(settings: Settings) -> None:
    deadline_s = time.monotonic() + 30
    while (endpoint := running(settings.embedded_dir)) is None:  # the run is just starting it again
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.05)
    os.kill(endpoint.pid, signal.SIGKILL)
    # Dead once it has let go of its port; whoever started it reaps it.
    for process in (child for child in psutil.Process().children() if child.pid == endpoint.pid):
        process.wait(timeout=10)


def carried(settings: Settings, root: Path, *, kill_after: tuple[int, ...], patience_s: float) -> list[Event]:
    """The events of a run during which the catalog is killed after so many files."""
    events: list[Event] = []
    limits = Limits(patience_s=patience_s, limit_bytes_per_s=8_000_000)
    chosen = layout("em-session")
    with open_engine(settings, roots=[root], spec=chosen, limits=limits) as engine:
        for event in engine.run(dry_run=False, strict=False, depth=Depth.HEADERS):
            events.append(event)
            done = sum(isinstance(one, FileFinished) for one in events)
            if isinstance(event, FileFinished) and done in kill_after:
                kill(settings)
    return events


def outcomes(events: list[Event]) -> Counter[str]:
    return Counter(event.result.outcome.value for event in events if isinstance(event, FileFinished))


def asked(endpoint: Endpoint, path: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {endpoint.token}", "Accept": "application/json"}
    return requests.get(endpoint.url + path, headers=headers, timeout=30)


def test_a_run_whose_catalog_is_killed_twice_starts_it_again_and_ends_well(
    settings: Settings, tmp_path: Path
) -> None:
    root = dropped(tmp_path / "data")
    events = carried(settings, root, kill_after=(2, 30), patience_s=60.0)
    assert outcomes(events) == {"new": FILES + 1}
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert finished.duration_s < 45
    endpoint = running(settings.embedded_dir)
    assert endpoint is not None
    rows = asked(endpoint, "/ermrest/catalog/1/entity/nanoscience:File").json()
    assert len({row["Path"] for row in rows}) == len(rows) == FILES + 1
    for row in rows:
        assert asked(endpoint, row["URL"]).content == (root / SESSION / row["Path"]).read_bytes()
        name = row["URL"].rpartition(":")[0]
        assert len(asked(endpoint, f"{name};versions").json()) == 1


def test_without_patience_the_run_ends_parked_and_the_next_one_goes_on(
    settings: Settings, tmp_path: Path
) -> None:
    root = dropped(tmp_path / "data")
    events = carried(settings, root, kill_after=(2,), patience_s=0.0)
    parked = [event for event in events if isinstance(event, Parked)]
    assert [event.goes_on_by_itself for event in parked] == [False]
    assert running(settings.embedded_dir) is None
    again = carried(settings, root, kill_after=(), patience_s=0.0)
    assert outcomes(again).keys() == {"new", "same"}
    assert outcomes(again).total() == FILES + 1


def test_a_named_server_is_never_started(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = ensure_running(settings.embedded_dir)
    named = Settings(endpoint.url, "1", tmp_path / "other", tmp_path / "other" / "catalog")
    monkeypatch.setenv("NANOFERRY_TOKEN", endpoint.token)
    with connect(named) as remote:
        kill(settings)
        remote.revive(lambda: False)
        assert running(named.embedded_dir) is None
        assert running(settings.embedded_dir) is None
