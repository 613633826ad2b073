"""What `nanoferry watch` says, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.main import run
from uploader.cli.watch import Diary
from uploader.model.events import Event, RunFinished, Watching
from uploader.model.files import Outcome
from uploader.report.summary import Folding
from uploader.watch import opening
from validation.codes import issue


def lines(capsys: pytest.CaptureFixture[str], *events: Event) -> list[str]:
    """What the diary says of these events, without the times."""
    diary = Diary(Console())
    for event in events:
        diary.show(event, Folding())
    told = capsys.readouterr().out.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in told)
    return [line[10:] for line in told]


def test_it_says_what_it_waits_for(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    now = script.run, script.time()
    told = lines(
        capsys,
        Watching(*now, settling=0),
        Watching(*now, settling=1, examples=("a.tif",)),
        Watching(*now, settling=5, examples=("a.tif", "b.tif", "c.tif")),
        Watching(*now, settling=0, away=("/data/usb",)),
        Watching(
            *now, settling=0, note="no hints of changes: the system refuses; looking every 60 s instead"
        ),
    )
    assert told == [
        "watching",
        "waiting for 1 file still growing (a.tif)",
        "waiting for 5 files still growing (a.tif, b.tif, c.tif, …)",
        "/data/usb is not there; waiting until it is back",
        "no hints of changes: the system refuses; looking every 60 s instead",
    ]


def test_a_run_is_one_line(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    now = script.run, script.time()
    told = lines(
        capsys,
        RunFinished(*now, {"new": 4, "same": 10000}, 2_000_000, 1.5, receipt="/state/receipts/r.json"),
        RunFinished(*now, {"same": 10000, "failed": 1, "held": 2}, 0, 1.5),
        RunFinished(*now, {}, 0, 1.5),
    )
    assert told == [
        "4 new, 0 held; 2.0 MB in 1.5 s; receipt /state/receipts/r.json",
        "0 new, 2 held, 1 failed",
        "stopped",
    ]


def test_a_held_file_is_named_with_its_reason(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = issue("header.path_conflict", "the path says 200 kV", path="a.tif", severity=None)
    assert lines(capsys, script.finished("a.tif", Outcome.HELD, issues=(found,)))[0].startswith(
        "held: a.tif: "
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--settle", "forever"],
        ["--settle", "soon"],
        ["--rescan", "0.1s"],
        ["--limit", "fast"],
        ["--order", "best"],
    ],
)
def test_options_that_make_no_sense(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["watch", str(tmp_path), *arguments]) == Exit.COULD_NOT_RUN
    assert capsys.readouterr().err


def test_without_a_folder_it_does_not_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["watch"]) == Exit.COULD_NOT_RUN
    assert run(["watch", str(tmp_path / "gone")]) == Exit.COULD_NOT_RUN
    assert "There is no folder" in capsys.readouterr().err


def test_a_server_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits: list[float] = []
    stops: list[opening.Stop] = []
    init = opening.Stop.__init__

    def noted(self: opening.Stop, clock: Any) -> None:
        init(self, clock)
        stops.append(self)

    def sleep(_: object, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 6:
            stops[0]()

    monkeypatch.setattr(opening.Stop, "__init__", noted)
    monkeypatch.setattr("uploader.bootstrap.SystemClock.sleep", sleep)
    monkeypatch.setenv("NANOFERRY_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "data").mkdir()
    assert run(["watch", str(tmp_path / "data"), "--server", "http://127.0.0.1:9"]) == Exit.DONE
    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    assert capsys.readouterr().err.count("Trying again in") == 6
