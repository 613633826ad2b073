"""The last words of a run, and the exit code that goes with them."""

from __future__ import annotations

from typing import Any

import pytest

from uploader.cli.closing import closing_lines
from uploader.cli.exits import Exit, after
from uploader.model.events import IssueFound, Parked
from uploader.model.files import Outcome
from uploader.report.summary import Summary, summarise
from validation.codes import issue

AGAIN = ["upload", "--dir", "/data/my session"]


def words(summary: Summary) -> str:
    return "\n".join(closing_lines(summary, AGAIN))


def test_all_done(script: Any) -> None:
    summary = summarise(
        [
            script.started(),
            script.planned(new=1, same=1),
            script.finished("b.tif", Outcome.SAME),
            *script.sent("a.tif"),
            script.ended(new=1, same=1, receipt="/state/receipts/r.json"),
        ]
    )
    assert after(summary) is Exit.DONE
    assert closing_lines(summary, AGAIN) == [
        "Done: 1.0 kB sent in 12 s.",
        "        1  uploaded",
        "        1  already there",
        "Receipt: /state/receipts/r.json",
        "Safe to delete? nanoferry verify /state/receipts/r.json",
    ]


def test_something_held_says_what_and_how_to_go_on(script: Any) -> None:
    found = issue("catalog.record_missing", "no Dataset 'S1'", path="a.tif", severity=None)
    summary = summarise(
        [
            script.started(),
            script.planned(held=1),
            script.finished("a.tif", Outcome.HELD, issues=(found,)),
            script.ended(held=1),
        ]
    )
    assert after(summary) is Exit.SOMETHING_LEFT
    text = words(summary)
    assert "1 × The parent record is not in the catalog (catalog.record_missing)" in text
    assert "a.tif: no Dataset 'S1'" in text
    assert "run the same command again" in text


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELLED, Outcome.HELD])
def test_what_is_left_behind_is_exit_1(script: Any, outcome: Outcome) -> None:
    summary = summarise([script.started(), script.planned(), script.ended(**{outcome.value: 1})])
    assert after(summary) is Exit.SOMETHING_LEFT


def test_unmatched_files_alone_are_no_failure(script: Any) -> None:
    summary = summarise([script.started(), script.planned(unmatched=2), script.ended(unmatched=2)])
    assert after(summary) is Exit.DONE
    assert "2  not claimed by the spec" in words(summary)


def test_strict_sends_nothing_and_says_why(script: Any) -> None:
    summary = summarise([script.started(), script.planned(strict=True, unmatched=2, new=4), script.ended()])
    assert after(summary) is Exit.SOMETHING_LEFT
    assert "--strict: something is held or unmatched, so nothing was sent." in words(summary)


def test_interrupted_gives_the_command_to_go_on(script: Any) -> None:
    summary = summarise([script.started(), script.planned(new=2), script.ended(interrupted=True, new=1)])
    assert after(summary) is Exit.INTERRUPTED
    assert "run the same command again: nanoferry upload --dir '/data/my session'" in words(summary)


def test_findings_shown_before_are_not_told_again(script: Any) -> None:
    found = (issue("image.black", "all pixels are black"), issue("source.empty", "0 bytes"))
    ended = script.finished("a.tif", Outcome.NEW, issues=found)
    summary = summarise([script.started(), script.planned(new=1), ended, script.ended(new=1)])
    text = "\n".join(closing_lines(summary, AGAIN, told={"source.empty"}))
    assert "image.black" in text
    assert "source.empty" not in text


def test_could_not_run(script: Any) -> None:
    fault = issue("catalog.no_right", "may not insert into nanoscience:File")
    summary = summarise(
        [script.started(), IssueFound(script.run, script.time(), fault), script.ended(could_not_run=True)]
    )
    assert after(summary) is Exit.COULD_NOT_RUN
    assert "nothing was sent" in words(summary)
    assert "may not insert into nanoscience:File" in words(summary)


def test_a_run_without_an_end_did_not_run(script: Any) -> None:
    assert after(summarise([script.started()])) is Exit.COULD_NOT_RUN


def test_parked_at_the_end_is_exit_1_and_says_the_remedy(script: Any) -> None:
    parked = Parked(script.run, script.time(), "The login has ended.", "Set NANOFERRY_TOKEN again.")
    summary = summarise([script.started(), script.planned(new=2), parked, script.ended(new=0)])
    assert after(summary) is Exit.SOMETHING_LEFT
    assert "Set NANOFERRY_TOKEN again." in words(summary)


def test_a_dry_run_speaks_of_what_would_be(script: Any) -> None:
    summary = summarise([script.started(dry_run=True), script.planned(new=12, same=3), script.ended()])
    assert after(summary) is Exit.DONE
    assert words(summary).splitlines()[:3] == [
        "Dry run: nothing was sent.",
        "       12  would be uploaded",
        "        3  are already there",
    ]


def test_many_findings_stay_readable(script: Any) -> None:
    found = issue("header.path_conflict", "path says 200 kV", path="a.tif")
    events = [script.finished(f"{number}", Outcome.NEW, issues=(found,)) for number in range(5000)]
    text = words(summarise([script.started(), script.planned(new=5000), *events, script.ended(new=5000)]))
    assert "5,000 × Path and header disagree" in text
    assert "and 4,997 more" in text
    assert len(text.splitlines()) < 12


def test_a_run_that_gave_up_says_so_and_how_to_go_on(script: Any) -> None:
    parked = Parked(script.run, script.time(), "Nothing listens.", "Start it.")
    summary = summarise([script.started(), script.planned(new=2), parked, script.ended(cancelled=2)])
    text = words(summary)
    assert text.startswith("Stopped: ")
    assert "Sending stopped: Nothing listens. Start it." in text
    assert "run the same command again: nanoferry upload --dir '/data/my session'" in text


def test_who_interrupts_a_run_that_waits_is_not_told_to_wait_on(script: Any) -> None:
    events = [
        script.started(),
        script.planned(new=2),
        script.away(),
        script.ended(cancelled=2, interrupted=True),
    ]
    text = words(summarise(events))
    assert text.startswith("Interrupted: ")
    assert "It was waiting: The server is away." in text
    assert "Nothing to do." not in text
