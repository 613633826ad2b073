"""The fold of events into a summary: counts, bytes, rate, time left, grouped findings."""

from __future__ import annotations

from typing import Any

import pytest

from uploader.model.events import (
    CommandTaken,
    FileProgressed,
    FileSetAside,
    FileStarted,
    IssueFound,
    Parked,
    Paused,
)
from uploader.model.files import Outcome
from uploader.report.summary import Folding, Summary, summarise
from validation.codes import issue


def test_counts_outcomes_and_bytes(script: Any) -> None:
    summary = summarise(
        [
            script.started(),
            script.planned(new=2, same=1),
            script.finished("c.tif", Outcome.SAME),
            *script.sent("a.tif"),
            *script.sent("b.tif"),
            script.ended(new=2, same=1),
        ]
    )
    assert summary.outcomes == {
        "new": 2, "updated": 0, "same": 1, "held": 0, "unmatched": 0, "failed": 0, "cancelled": 0,
    }  # fmt: skip
    assert summary.bytes_sent == 2000
    assert summary.files_sent == 2
    assert summary.is_complete
    assert not summary.current


def test_bytes_go_back_when_a_part_is_sent_again(script: Any) -> None:
    events = [script.started(), script.planned(new=1), FileStarted(script.run, script.time(), "a", 1000)]
    before = summarise([*events, FileProgressed(script.run, script.time(), "a", 1000, 800)])
    after = summarise([FileProgressed(script.run, script.time(), "a", 1000, 500)], before)
    assert (before.bytes_sent, after.bytes_sent) == (800, 500)


def test_files_of_one_path_in_two_dropped_folders_are_two_files(script: Any) -> None:
    both = [
        FileProgressed(script.run, script.time(), "a.tif", 1000, sent, root)
        for root, sent in (("/data/s1", 400), ("/data/s2", 700))
    ]
    under_way = summarise([script.started(), script.planned(new=2), *both])
    assert under_way.bytes_sent == 1100
    ended = summarise([script.finished("a.tif", Outcome.NEW, root="/data/s2")], under_way)
    assert list(ended.current) == [("/data/s1", "a.tif")]
    assert ended.bytes_sent == 1400


def test_rate_and_time_left_follow_the_bytes(script: Any) -> None:
    summary = summarise(
        [
            script.started(),
            script.planned(new=10),
            FileStarted(script.run, script.time(), "a", 10_000),
            FileProgressed(script.run, script.time(), "a", 10_000, 500),
            FileProgressed(script.run, script.time(), "a", 10_000, 1000),
        ]
    )
    assert summary.rate_bytes_per_s == pytest.approx(500)
    assert summary.time_left_s == pytest.approx(9000 / 500)


def test_rate_is_of_the_latest_seconds(script: Any) -> None:
    events = [script.started(), script.planned(new=1000), FileStarted(script.run, script.time(), "a", 1)]
    slow = [FileProgressed(script.run, script.time(), "a", 1, 10 * second) for second in range(60)]
    fast = [FileProgressed(script.run, script.time(), "a", 1, 600 + 1000 * second) for second in range(60)]
    summary = summarise([*events, *slow, *fast])
    assert summary.rate_bytes_per_s == pytest.approx(1000)


def test_no_rate_before_there_is_something_to_measure(script: Any) -> None:
    summary = summarise([script.started(), script.planned(new=1), *script.sent("a")[:1]])
    assert summary.rate_bytes_per_s is None
    assert summary.time_left_s is None


def test_marks_stay_few_however_many_events_come(script: Any) -> None:
    script.tick_s = 0.001
    events = [script.started(), *(event for number in range(2000) for event in script.sent(f"{number}"))]
    assert len(summarise(events).marks) < 300


def test_findings_are_grouped_by_code_with_few_examples(script: Any) -> None:
    found = issue("header.path_conflict", "path says 200 kV, header 300 kV", path="a.tif")
    events = [script.started(), script.planned(new=9)]
    events += [script.finished(f"{number}.tif", Outcome.NEW, issues=(found,)) for number in range(9)]
    events += [IssueFound(script.run, script.time(), issue("group.gap", "frame 3 is missing"))]
    groups = summarise(events).issues
    assert {code: group.count for (code, _), group in groups.items()} == {
        "header.path_conflict": 9,
        "group.gap": 1,
    }
    assert all(len(group.examples) <= 3 for group in groups.values())


@pytest.mark.parametrize(
    ("outcome", "complete"),
    [
        (Outcome.SAME, True),
        (Outcome.UNMATCHED, True),
        (Outcome.HELD, False),
        (Outcome.FAILED, False),
        (Outcome.CANCELLED, False),
    ],
)
def test_complete_means_everything_the_spec_claims(script: Any, outcome: Outcome, complete: bool) -> None:
    summary = summarise(
        [script.started(), script.planned(), script.finished("a", outcome), script.ended(**{outcome: 1})]
    )
    assert summary.is_complete is complete


def test_a_dry_run_counts_what_would_be_held(script: Any) -> None:
    summary = summarise([script.started(dry_run=True), script.planned(new=3, conflict=1), script.ended()])
    assert summary.held == 1
    assert not summary.is_complete


def test_parked_ends_when_sending_goes_on(script: Any) -> None:
    parked = script.away()
    waiting = summarise([script.started(), script.planned(new=1), parked])
    assert waiting.parked == parked
    # What was on its way may still be acknowledged: that ends no outage.
    assert summarise([script.started(), parked, *script.sent("a")]).parked == parked
    assert summarise([script.resumed()], waiting).parked is None


def test_parked_and_resumed_and_all_ended_well_is_complete(script: Any) -> None:
    events = [script.started(), script.planned(new=1), script.away(), script.resumed()]
    assert summarise([*events, *script.sent("a"), script.ended(new=1)]).is_complete


def test_an_outage_longer_than_our_patience_is_not_complete(script: Any) -> None:
    events = [script.started(), script.planned(new=1), script.away()]
    left = script.finished("a", Outcome.CANCELLED)
    assert not summarise([*events, left, script.ended(cancelled=1)]).is_complete


def test_parked_for_a_person_is_not_complete(script: Any) -> None:
    parked = Parked(script.run, script.time(), "The login has ended.", "Sign in again.")
    assert not summarise([script.started(), script.planned(same=1), parked, script.ended(same=1)]).is_complete


def test_a_wait_does_not_count_into_the_rate(script: Any) -> None:
    script.tick_s = 0.5
    before = [script.started(), script.planned(new=2), *script.sent("a"), script.away()]
    assert summarise(before).rate_bytes_per_s is None
    script.tick_s = 3600.0
    resumed = script.resumed(3600.0)
    script.tick_s = 0.5
    assert summarise([*before, resumed, *script.sent("b")]).rate_bytes_per_s == pytest.approx(1000 / 1.5)


def test_paused_by_a_person_until_resumed(script: Any) -> None:
    paused = summarise([script.started(), script.planned(new=1), Paused(script.run, script.time())])
    assert paused.is_paused
    assert not summarise([script.resumed()], paused).is_paused


def test_a_file_set_aside_is_no_longer_on_its_way(script: Any) -> None:
    aside = FileSetAside(script.run, script.time(), "a", "it is still being written", script.root)
    summary = summarise([script.started(), script.planned(new=1), *script.sent("a")[:2], aside])
    assert not summary.current
    assert summary.set_aside == 1


def test_the_engine_knows_better_what_is_left(script: Any) -> None:
    events = [script.started(), script.planned(new=10), *script.sent("a")]
    assert summarise(events).bytes_left == 9000
    paced = script.paced(files=2, size=2000)
    summary = summarise([*events, paced])
    assert (summary.pacing, summary.bytes_left) == (paced, 2000)


def test_a_file_that_was_never_shown_on_its_way_counts(script: Any) -> None:
    summary = summarise([script.started(), script.planned(new=1), script.finished("a", Outcome.NEW)])
    assert summary.bytes_sent == 1000


def test_a_new_run_starts_from_nothing(script: Any) -> None:
    first = summarise([script.started(), script.planned(new=1), *script.sent("a"), script.ended(new=1)])
    second = summarise([script.started()], first)
    assert second.files_done == 0
    assert second.finished is None
    assert isinstance(second, Summary)


def test_a_summary_stays_as_it_was_when_more_happens(script: Any) -> None:
    folding = Folding()
    for event in [script.started(), script.planned(new=2), *script.sent("a"), *script.sent("b")[:2]]:
        folding.take(event)
    looked_at = folding.summary()
    known = (looked_at.files_done, looked_at.bytes_sent, dict(looked_at.current), looked_at.marks)
    folding.take(script.finished("b", Outcome.NEW))
    assert (looked_at.files_done, looked_at.bytes_sent, dict(looked_at.current), looked_at.marks) == known
    assert folding.summary().files_done == known[0] + 1


def test_a_folding_goes_on_from_any_summary(script: Any) -> None:
    found = issue("group.gap", "frame 3 is missing")
    events = [
        script.started(),
        script.surveyed("scan", 2, 0),
        script.planned(new=3),
        *script.sent("a"),
        IssueFound(script.run, script.time(), found),
        *script.sent("b")[:2],
        script.away(),
        script.resumed(),
        FileSetAside(script.run, script.time(), "b", "it is still being written", script.root),
        script.finished("c", Outcome.FAILED, issues=(found,), error="The disk has a fault."),
        *script.sent("b"),
        script.ended(new=2, failed=1),
    ]
    whole = summarise(events)
    for cut in range(len(events) + 1):
        assert summarise(events[cut:], summarise(events[:cut])) == whole


def test_the_bytes_sent_are_known_without_a_summary(script: Any) -> None:
    folding = Folding()
    for event in [script.started(), script.planned(new=3), *script.sent("a"), *script.sent("b")[:2]]:
        folding.take(event)
        assert folding.bytes_sent == folding.summary().bytes_sent


def test_a_limit_that_was_changed_is_not_shown_on(script: Any) -> None:
    taken = CommandTaken(script.run, script.time(), "limit", "no limit", value="0")
    summary = summarise([script.started(), script.planned(new=2), script.paced(limit=2_000_000), taken])
    assert summary.pacing is not None
    assert summary.pacing.limit_bytes_per_s == 0
