"""What a run looks like while it happens, in each of the three displays."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console as RichConsole

from uploader.cli.console import Console
from uploader.cli.display import BarDisplay, JsonDisplay, PlainDisplay, events_of, follow
from uploader.model.events import (
    CommandTaken,
    Event,
    FileProgressed,
    FileSetAside,
    FileStarted,
    Parked,
    Paused,
)
from uploader.model.files import Outcome


def a_run(script: Any) -> list[Event]:
    return [
        script.started(),
        script.surveyed("scan", 2, 0, "sample"),
        script.surveyed("headers", 2, 1),
        script.planned(new=2, unmatched=1),
        *script.sent("a.tif"),
        *script.sent("b.tif"),
        script.finished("c.tif", Outcome.FAILED, error="The disk has a fault. Kept: nothing. Copy it again."),
        script.ended(new=2, failed=1),
    ]


def test_json_is_one_event_per_line_and_nothing_else(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    events = a_run(script)
    follow(events, JsonDisplay(Console(json_lines=True)))
    printed = capsys.readouterr()
    assert [json.loads(line) for line in printed.out.splitlines()] == [event.to_json() for event in events]
    assert printed.err == ""


def test_plain_lines_say_stages_plan_and_progress_on_stderr(
    script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    follow(a_run(script), PlainDisplay(Console()))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Reading headers" in printed.err
    assert "Plan: 2 new, 1 unmatched. To send: 2 files, 2.0 kB." in printed.err
    assert "failed: c.tif: The disk has a fault." in printed.err
    assert "100%  2.0 kB of 2.0 kB" in printed.err


def test_plain_lines_are_never_a_flood(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    script.tick_s = 0.01
    steps = [FileProgressed(script.run, script.time(), "a", 1000, sent) for sent in range(1000)]
    start = FileStarted(script.run, script.time(), "a", 1000)
    late = [FileProgressed(script.run, script.time(), "a", 1000, 1000) for _ in range(50)]
    follow([script.started(), script.planned(new=1), start, *steps, *late], PlainDisplay(Console()))
    assert len(capsys.readouterr().err.splitlines()) < 15


def test_bars_show_totals_rate_and_time_left(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = RichConsole(file=io.StringIO(), force_terminal=True, width=160)
    console = Console()
    monkeypatch.setattr(Console, "live", lambda self: screen)
    display = BarDisplay(console, clock=itertools.count().__next__)
    shown = []
    script.tick_s = 2.0
    events = [
        script.started(),
        script.planned(new=10),
        FileStarted(script.run, script.time(), "sample/a.tif", 10_000),
        FileProgressed(script.run, script.time(), "sample/a.tif", 10_000, 1000),
        FileProgressed(script.run, script.time(), "sample/a.tif", 10_000, 2000),
    ]

    class Watching:
        def show(self, event: Event, summary: Any) -> None:
            display.show(event, summary)
            shown.append(display.line)

        def close(self) -> None:
            display.close()

    follow(events, Watching())
    assert shown[-1] == "Sending a.tif  20% of 10.0 kB, 0/10 files, 500 B/s, 16 s left"
    assert isinstance(screen.file, io.StringIO)
    assert "a.tif" in screen.file.getvalue()


@pytest.mark.parametrize(
    ("dry_run", "files", "end"),
    [(True, {"new": 2}, "Checked  2 files"), (False, {"same": 2}, "Done  nothing to send")],
)
def test_a_bar_never_stands_at_nought_when_all_is_done(
    script: Any, monkeypatch: pytest.MonkeyPatch, dry_run: bool, files: dict[str, int], end: str
) -> None:
    screen = RichConsole(file=io.StringIO(), force_terminal=True, width=160)
    monkeypatch.setattr(Console, "live", lambda self: screen)
    display = BarDisplay(Console())
    events = [script.started(dry_run=dry_run), script.surveyed("headers", 2, 2), script.planned(**files)]
    follow([*events, script.ended()], display)
    assert display.line == end


def test_an_interrupted_bar_says_stopped_and_promises_nothing(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = RichConsole(file=io.StringIO(), force_terminal=True, width=160)
    monkeypatch.setattr(Console, "live", lambda self: screen)
    display = BarDisplay(Console())
    events = [script.started(), script.planned(new=2), *script.sent("a.tif")]
    follow([*events, script.ended(interrupted=True, new=1)], display)
    assert display.line.startswith("Stopped  50% of 2.0 kB, 1/2 files")
    assert "left" not in display.line


def test_the_display_is_closed_when_the_engine_fails(script: Any) -> None:
    closed = []

    class Recording:
        def show(self, event: Event, summary: Any) -> None: ...

        def close(self) -> None:
            closed.append(True)

    def failing() -> Iterator[Event]:
        yield script.started()
        raise RuntimeError("the world broke")

    with pytest.raises(RuntimeError):
        follow(failing(), Recording())
    assert closed == [True]


def test_parked_says_what_to_do(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    parked = Parked(script.run, script.time(), "The login has ended.", "Set NANOFERRY_TOKEN again.")
    follow([script.started(), parked], PlainDisplay(Console()))
    assert "The login has ended. Everything is kept. Set NANOFERRY_TOKEN again." in capsys.readouterr().err


def test_a_wait_a_pause_and_a_command_are_lines_of_their_own(
    script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run, time = script.run, script.time()
    events = [
        script.started(),
        script.planned(new=1),
        script.away(next_look_s=8.0),
        script.resumed(200.0),
        CommandTaken(run, time, "pause", "everything paused"),
        Paused(run, time),
        script.resumed(),
        FileSetAside(run, time, "a.tif", "It is still being written."),
        *script.sent("b.tif"),
        script.ended(new=1),
    ]
    follow(events, PlainDisplay(Console()))
    assert capsys.readouterr().err.splitlines()[1:-2] == [
        "Waiting: The server is away. Everything is kept; the next look is in 8.0 s, and it goes on by itself."
        " Nothing to do.",
        "Going on after 3 min 20 s.",
        "pause: everything paused",
        "Paused; what was on its way is kept. `nanoferry resume` goes on, `nanoferry stop` ends it.",
        "Going on after 8.0 s.",
        "set aside: a.tif: It is still being written. It is looked at again later in this run.",
    ]


def test_a_log_of_a_long_run_says_now_and_then_how_far_it_is(
    script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    script.tick_s = 60.0
    start = [script.started(), script.planned(new=1000)]
    slow = [FileProgressed(script.run, script.time(), "a", 1_000_000, 10 * minute) for minute in range(30)]
    follow([*start, *slow], PlainDisplay(Console()))
    assert 4 <= len(capsys.readouterr().err.splitlines()) <= 8


@pytest.mark.parametrize(("paused", "word"), [(True, "Paused"), (False, "Waiting")])
def test_a_bar_that_waits_says_so(
    script: Any, monkeypatch: pytest.MonkeyPatch, paused: bool, word: str
) -> None:
    screen = RichConsole(file=io.StringIO(), force_terminal=True, width=160)
    monkeypatch.setattr(Console, "live", lambda self: screen)
    display = BarDisplay(Console(), clock=itertools.count().__next__)
    wait = Paused(script.run, script.time()) if paused else script.away()
    follow([script.started(), script.planned(new=2), *script.sent("a.tif"), wait], display)
    assert display.line == f"{word}  50% of 2.0 kB, 1/2 files"


def test_a_bar_shows_the_limit_in_force(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = RichConsole(file=io.StringIO(), force_terminal=True, width=160)
    monkeypatch.setattr(Console, "live", lambda self: screen)
    display = BarDisplay(Console(), clock=itertools.count().__next__)
    paced = script.paced(limit=2_000_000)
    follow([script.started(), script.planned(new=2), *script.sent("a.tif"), paced], display)
    assert display.line.endswith("333 B/s (limit 2.0 MB/s), 3.0 s left")


def test_a_flood_of_events_is_not_drawn_one_by_one(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = RichConsole(file=io.StringIO(), force_terminal=True, width=160)
    monkeypatch.setattr(Console, "live", lambda self: screen)
    drawn: list[str] = []
    monkeypatch.setattr(BarDisplay, "_draw", lambda self, progress, summary: drawn.append(summary.stage))
    ticks = itertools.count(step=0.001)
    events = [
        script.started(),
        script.planned(new=500),
        *(e for n in range(500) for e in script.sent(f"{n}")),
    ]
    follow([*events, script.ended(new=500)], BarDisplay(Console(), clock=ticks.__next__))
    assert len(drawn) < 60
    assert drawn[-1] == "done"


def test_without_a_terminal_lines_are_plain() -> None:
    assert isinstance(events_of(Console()), PlainDisplay)
    assert isinstance(events_of(Console(json_lines=True)), JsonDisplay)
