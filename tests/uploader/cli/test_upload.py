"""`upload` and `validate` over an imagined engine: what is asked of it, what is said, which exit code."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from uploader.cli import upload, validate
from uploader.cli.exits import Exit
from uploader.cli.main import run
from uploader.cli.run_options import parse_duration
from uploader.engine.limits import Limits
from uploader.model.control import Order
from uploader.model.errors import SettingsError
from uploader.model.events import Event
from uploader.model.files import Outcome
from validation.check import Depth
from validation.codes import issue
from validation.model import Report


@dataclass
class ImaginedEngine:
    """Plays the events it was given and notes what it was asked."""

    events: Sequence[Event]
    found: Report = field(default_factory=Report)
    asked: dict[str, Any] = field(default_factory=dict)
    stop_after: int | None = None
    stops: int = 0

    def run(self, **asked: Any) -> Iterator[Event]:
        self.asked |= asked
        yield from self.events

    def survey(self, depth: Depth) -> Iterator[Event]:
        self.asked["depth"] = depth
        yield from self.events

    def report(self) -> Report:
        return self.found

    def stop(self) -> None:
        self.stops += 1


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts an imagined engine in place of the real one."""

    def install(events: Sequence[Event], found: Report | None = None) -> ImaginedEngine:
        engine = ImaginedEngine(events, found or Report())

        @contextmanager
        def open_engine(settings: Any, **asked: Any) -> Iterator[ImaginedEngine]:
            engine.asked |= {"settings": settings, **asked}
            yield engine

        for module in (upload, validate):
            monkeypatch.setattr(module, "open_engine", open_engine)
        return engine

    return install


def test_upload_hands_on_what_was_asked(script: Any, play: Any) -> None:
    engine = play([script.started(), script.planned(), script.ended()])
    arguments = ["upload", "--dir", "/data/a", "--dir", "/data/b", "--strict", "--receipt", "r.json"]
    arguments += ["--server", "https://catalog.example.org", "--catalog", "7"]
    assert run(arguments) == Exit.DONE
    assert engine.asked["roots"] == (Path("/data/a"), Path("/data/b"))
    assert engine.asked["strict"] is True
    assert engine.asked["dry_run"] is False
    assert engine.asked["depth"] is Depth.HEADERS
    assert engine.asked["receipt"] == Path("r.json")
    assert engine.asked["spec"] is None
    assert (engine.asked["settings"].server, engine.asked["settings"].catalog) == (
        "https://catalog.example.org",
        "7",
    )


def test_upload_without_limits_has_good_manners(script: Any, play: Any) -> None:
    engine = play([script.started(), script.planned(), script.ended()])
    assert run(["upload", "--dir", "x"]) == Exit.DONE
    assert engine.asked["limits"] == Limits()


def test_upload_hands_on_the_limits(script: Any, play: Any) -> None:
    engine = play([script.started(), script.planned(), script.ended()])
    arguments = ["--limit", "20MB/s", "--schedule", "20:00-06:00 full; else 2MB/s", "--order", "oldest"]
    arguments += ["--at-once", "8", "--wait", "2h"]
    assert run(["upload", "--dir", "x", *arguments]) == Exit.DONE
    assert engine.asked["limits"] == Limits(
        limit_bytes_per_s=20_000_000,
        schedule="20:00-06:00 full; else 2MB/s",
        order=Order.OLDEST,
        most_at_once=8,
        patience_s=7200.0,
    )


@pytest.mark.parametrize(
    ("typed", "wait_s"),
    [("0", 0), ("90", 90), ("30s", 30), ("10m", 600), ("10 min", 600), ("1.5h", 5400), ("2d", 172_800)],
)
def test_durations_as_a_person_types_them(typed: str, wait_s: float) -> None:
    assert parse_duration(typed) == wait_s
    assert parse_duration("Forever") == math.inf


@pytest.mark.parametrize("typed", ["", "soon", "-5", "5 weeks", "1h30"])
def test_what_is_no_duration(typed: str) -> None:
    with pytest.raises(SettingsError, match="is not a duration"):
        parse_duration(typed)


@pytest.mark.parametrize(
    "faulty", [["--limit", "fast"], ["--schedule", "at night"], ["--wait", "soon"], ["--at-once", "0"]]
)
def test_a_wrong_limit_is_known_before_anything_is_read(play: Any, faulty: list[str]) -> None:
    engine = play([])
    assert run(["upload", "--dir", "x", *faulty]) == Exit.COULD_NOT_RUN
    assert engine.asked == {}


def test_the_command_to_go_on_names_the_limits_again(
    script: Any, play: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    play([script.started(), script.planned(new=2), script.ended(interrupted=True)])
    arguments = ["upload", "--dir", "x", "--limit", "2MB/s", "--at-once", "4", "--wait", "forever"]
    assert run(arguments) == Exit.INTERRUPTED
    assert f"{shlex.join(['nanoferry', *arguments])}\n" in capsys.readouterr().out


def test_upload_json_keeps_stdout_for_events(
    script: Any, play: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    play([script.started(), script.planned(new=1), *script.sent("a.tif"), script.ended(new=1)])
    assert run(["upload", "--dir", "x", "--json"]) == Exit.DONE
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert {line["schema"] for line in lines} == {"nanoferry.event/1"}
    assert lines[-1]["kind"] == "run_finished"
    assert "Done:" in printed.err


def test_the_command_to_go_on_names_spec_and_server_again(
    script: Any, play: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    play([script.started(), script.planned(new=2), script.ended(interrupted=True)])
    arguments = ["upload", "--dir", "a b", "--spec", "em-session", "--server", "https://srv", "--strict"]
    assert run(arguments) == Exit.INTERRUPTED
    assert f"{shlex.join(['nanoferry', *arguments])}\n" in capsys.readouterr().out


def test_upload_exit_code_follows_the_outcomes(script: Any, play: Any) -> None:
    play([script.started(), script.planned(held=1), script.finished("a", Outcome.HELD), script.ended(held=1)])
    assert run(["upload", "--dir", "x"]) == Exit.SOMETHING_LEFT


def test_upload_names_shipped_specs(script: Any, play: Any) -> None:
    engine = play([script.started(), script.planned(), script.ended()])
    assert run(["upload", "--dir", "x", "--spec", "em-session"]) == Exit.DONE
    assert engine.asked["spec"].id == "em-session"


def test_upload_with_a_faulty_spec_could_not_run(
    play: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play([])
    (tmp_path / "lab.yaml").write_text("nanoferry: 1\nid: lab\nrules: none\n", "utf-8")
    assert run(["upload", "--dir", "x", "--spec", str(tmp_path / "lab.yaml")]) == Exit.COULD_NOT_RUN
    assert "lab.yaml:" in capsys.readouterr().err


def test_validate_clean(script: Any, play: Any) -> None:
    engine = play([script.started(), script.planned(new=1)], Report(files_checked=1))
    assert run(["validate", "x", "--depth", "names", "--offline"]) == Exit.DONE
    assert engine.asked["depth"] is Depth.NAMES
    assert engine.asked["offline"] is True


def test_validate_findings_that_hold_are_exit_1(
    script: Any, play: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    found = issue("catalog.record_missing", "no Dataset 'S1'", path="a.tif")
    play([script.started(), script.planned(held=1)], Report((found,), files_checked=1))
    assert run(["validate", "x"]) == Exit.SOMETHING_LEFT
    assert "no Dataset 'S1'" in capsys.readouterr().out


def test_validate_warnings_are_exit_0(script: Any, play: Any) -> None:
    found = issue("header.path_conflict", "path says 200 kV", path="a.tif")
    play([script.started(), script.planned(new=1)], Report((found,), files_checked=1))
    assert run(["validate", "x"]) == Exit.DONE


def test_validate_writes_the_same_json_to_stdout_and_file(
    script: Any, play: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = issue("header.path_conflict", "path says 200 kV", path="a.tif")
    play([script.started(), script.planned(new=1)], Report((found,), files_checked=1))
    target = tmp_path / "report.json"
    assert run(["validate", "x", "--json", "-o", str(target)]) == Exit.DONE
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(target.read_text("utf-8"))
    assert printed["schema"] == "nanoferry.report/1"


def test_validate_says_when_the_report_cannot_be_written(
    script: Any, play: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play([script.started(), script.planned()])
    assert run(["validate", "x", "-o", str(tmp_path / "none" / "r.json")]) == Exit.COULD_NOT_RUN
    assert "cannot be written" in capsys.readouterr().err
