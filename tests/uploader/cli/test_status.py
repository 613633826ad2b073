"""`status` and `follow`: what runs, how far it is, with or without a server."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from uploader.cli import follow, status
from uploader.cli.exits import Exit
from uploader.cli.main import run
from uploader.model.control import EngineState

PROGRESS: dict[str, Any] = {
    "files_done": 1200, "files_left": 3800, "bytes_done": 12_300_000_000, "bytes_left": 37_700_000_000,
    "bytes_per_s": 23_000_000.0, "files_per_s": 12.5, "at_once": 8, "seen": "2026-03-01T12:00:00.000+00:00",
}  # fmt: skip


def test_a_sending_engine_says_how_far_how_fast_and_how_long(
    engines: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = engines("0123abcd", "session7", limit_bytes_per_s=25_000_000, **PROGRESS)
    assert run(["status", "--offline"]) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        f"Engine:   sending  {engine.record.roots[0]}",
        "          1,200 of 5,000 files, 12.3 GB of 50.0 GB; 23.0 MB/s, 12.5 files/s, 27 min 19 s left;"
        " 8 requests at once; limit 25.0 MB/s",
        f"          run 0123abcd, process {engine.record.pid} on {engine.record.host},"
        " seen 2026-03-01 12:00:00 UTC",
    ]
    assert "          upload, running" in lines


def test_a_parked_engine_says_why_and_when_it_looks_again(
    engines: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    engines(
        "0123abcd",
        "session7",
        **{**PROGRESS, "state": EngineState.PARKED},
        cause="The server is away.",
        next_look="2026-03-01T12:00:30+00:00",
    )
    assert run(["status", "--offline"]) == Exit.DONE
    said = capsys.readouterr().out
    assert "Engine:   parked: The server is away; looks again at 2026-03-01 12:00:30 UTC  /" in said
    assert "MB/s" not in said


def test_a_watch_that_waits_counts_no_files(engines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engines("0123abcd", "session7", state=EngineState.WATCHING)
    assert run(["status", "--offline"]) == Exit.DONE
    said = capsys.readouterr().out
    assert "Engine:   watching  /" in said
    assert " of 0 files" not in said


def test_repair_lets_a_running_engine_be(engines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What it has in hand would look like a trouble, even to a repair that only looks."""
    engines("0123abcd", "session7")
    assert run(["repair"]) == Exit.COULD_NOT_RUN
    assert "nanoferry stop" in capsys.readouterr().err


def test_a_killed_engine_is_not_running(engines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engines("0123abcd", "session7").die()
    assert run(["status", "--offline"]) == Exit.DONE
    said = capsys.readouterr().out
    assert "Engine:   gone" in said
    assert "upload, ended without a word; what the server acknowledged is kept" in said
    assert "nothing sent" not in said  # nobody counted


def test_status_as_json(engines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engines("0123abcd", "session7", **PROGRESS)
    assert run(["status", "--offline", "--json"]) == Exit.DONE
    document = json.loads(capsys.readouterr().out)
    (engine,) = document["engines"]
    assert (engine["run"], engine["state"], engine["files_left"]) == ("0123abcd", "sending", 3800)
    assert document["login"] == "not asked"


def test_nothing_has_ever_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == Exit.DONE
    said = capsys.readouterr().out
    assert said.startswith("Server:   built-in, not running")
    assert "Runs:     none yet" in said


def test_a_server_that_does_not_answer_keeps_nobody_waiting(
    engines: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engines("0123abcd", "session7", **PROGRESS)
    answered = threading.Event()
    monkeypatch.setattr(status, "SERVER_WITHIN_S", 0.05)
    monkeypatch.setattr(status, "_server", lambda settings: answered.wait(60) and {})
    try:
        assert run(["status", "--server", "https://catalog.example.org"]) == Exit.COULD_NOT_RUN
    finally:
        answered.set()
    said = capsys.readouterr().out
    assert "Engine:   sending" in said
    assert "Login:    The server has not answered within" in said


def test_follow_shows_a_run_from_now_to_its_end(
    engines: Any, clock: Any, script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    script.run = "0123abcd"
    engine = engines("0123abcd", "session7")
    engine.journal.append([script.started(), script.planned(new=2), script.away(), script.resumed()])
    later = iter([script.sent("a.tif"), script.sent("b.tif"), [script.ended(new=2, receipt="/state/r.json")]])
    clock.on_sleep.append(lambda: engine.journal.append(next(later)))
    assert run(["follow"]) == Exit.DONE
    printed = capsys.readouterr()
    # What is over when we come is not told again; what we see is told as if the run were ours.
    assert "Waiting" not in printed.err
    assert "100%  2.0 kB of 2.0 kB" in printed.err
    assert "Done: 2.0 kB sent in 12 s." in printed.out


def test_follow_as_json_is_the_whole_run(
    engines: Any, clock: Any, script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    script.run = "0123abcd"
    engine = engines("0123abcd", "session7")
    told = [script.started(), script.planned(new=1), *script.sent("a.tif"), script.ended(new=1)]
    engine.journal.append(told[:3])
    clock.on_sleep.append(lambda: engine.journal.append(told[3:]))
    assert run(["follow", "012", "--json"]) == Exit.DONE
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [event.to_json() for event in told]


def test_follow_gives_the_exit_code_of_the_run(engines: Any, clock: Any, script: Any) -> None:
    script.run = "0123abcd"
    engine = engines("0123abcd", "session7")
    engine.journal.append([script.started(), script.planned(new=1)])
    clock.on_sleep.append(lambda: engine.journal.append([script.ended(interrupted=True)]))
    assert run(["follow", engine.record.roots[0]]) == Exit.INTERRUPTED


def test_follow_says_when_the_engine_was_killed(
    engines: Any, clock: Any, script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    script.run = "0123abcd"
    engine = engines("0123abcd", "session7")
    engine.journal.append([script.started(), script.planned(new=1)])
    clock.on_sleep.append(engine.die)
    assert run(["follow"]) == Exit.COULD_NOT_RUN
    assert "gone without a last word" in capsys.readouterr().err


def test_ctrl_c_ends_only_the_watching(
    engines: Any, clock: Any, script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = engines("0123abcd", "session7")

    def interrupted() -> None:
        raise KeyboardInterrupt

    clock.on_sleep.append(interrupted)
    assert run(["follow"]) == Exit.INTERRUPTED
    assert "No longer watching; run 0123abcd goes on." in capsys.readouterr().err
    assert engine.taken == []


def test_follow_asks_which_of_several(engines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engines("aaaa", "one")
    engines("bbbb", "other")
    assert run(["follow"]) == Exit.COULD_NOT_RUN
    said = capsys.readouterr().err
    assert "More than one engine is running." in said
    assert "bbbb  " in said


@pytest.mark.parametrize("arguments", [["follow"], ["follow", "nobody"]])
def test_follow_without_an_engine(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == Exit.COULD_NOT_RUN
    assert "No engine is running" in capsys.readouterr().err


def test_last_words_written_while_we_looked_for_the_engine_are_heard(
    engines: Any, script: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.run = "0123abcd"
    engine = engines("0123abcd", "session7")
    engine.journal.append([script.started(), script.planned(new=1)])

    def nobody(queue: Any) -> list[Any]:
        engine.journal.append([*script.sent("a.tif"), script.ended(new=1)])
        return []

    monkeypatch.setattr(follow, "running_engines", nobody)
    told = list(follow.events_to_the_end(engine.journal, engine.run, 0, clock))
    assert told[-1].kind == "run_finished"
