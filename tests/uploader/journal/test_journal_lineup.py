"""The line of files to be sent: its orders, lanes, priorities, and what a person may do to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uploader.journal.store import SqliteJournal
from uploader.model.control import Intent, Lane, Order, Standing
from uploader.model.entries import Decision, DeliveryState, Entry, Found
from uploader.model.errors import JournalError
from uploader.model.files import Action, Digest, FileResult, Outcome, Root, SourceFile, Stored

SMALL_BYTES = 100


def file(path: str, *, dataset: str = "", size_bytes: int = 10, mtime_ns: int = 1) -> Found:
    return Found(SourceFile(path, size_bytes, mtime_ns), rule="image", dataset=dataset, object_path=path)


@pytest.fixture
def survey(journal: SqliteJournal, target: int, root: int, begin: Callable[..., str]) -> Callable[..., str]:
    """A run that has seen these files and decided to send them all."""

    def seen(*found: Found, run: str = "r1", action: Action = Action.NEW) -> str:
        begin(run)
        journal.record(run, target, root, found)
        entries = journal.entries(run, target, root)
        journal.decide([Decision(entry.entry_id, action, ()) for entry in entries])
        return run

    return seen


def paths(entries: Sequence[Entry]) -> list[str]:
    return [entry.source.path for entry in entries]


def take(journal: SqliteJournal, run: str, limit: int = 100, lane: Lane = Lane.SMALL) -> list[Entry]:
    return journal.next_up(run, lane, small_bytes=SMALL_BYTES, limit=limit)


def result(entry: Entry, outcome: Outcome) -> FileResult:
    return FileResult(entry.source.path, entry.source.size_bytes, outcome)


@pytest.mark.parametrize(
    ("order", "line"),
    [
        (Order.NEWEST, ["b/2", "b/9", "c/1", "a/5"]),
        (Order.OLDEST, ["a/5", "c/1", "b/2", "b/9"]),
        (Order.PATH, ["a/5", "b/2", "b/9", "c/1"]),
        (Order.GIVEN, ["a/5", "c/1", "b/2", "b/9"]),
    ],
)
def test_sessions_are_sent_in_the_order_that_was_asked_for(
    journal: SqliteJournal, survey: Callable[..., str], order: Order, line: list[str]
) -> None:
    run = survey(
        file("a/5", dataset="monday", mtime_ns=10),
        file("b/9", dataset="wednesday", mtime_ns=31),
        file("b/2", dataset="wednesday", mtime_ns=15),
        file("c/1", dataset="tuesday", mtime_ns=20),
    )
    assert journal.line_up(run, order) == 4
    assert paths(take(journal, run)) == line


def test_folders_stand_as_they_were_given_or_all_sessions_together(
    journal: SqliteJournal, target: int, begin: Callable[..., str]
) -> None:
    first, second = (journal.root(Root(Path(path), "uuid:A")) for path in ("/data/z", "/data/a"))
    run = begin("r1", first, second)
    journal.record(run, target, first, [file("1", dataset="old", mtime_ns=1)])
    journal.record(
        run, target, second, [file("2", dataset="new", mtime_ns=9), file("3", dataset="old", mtime_ns=2)]
    )
    for root in (first, second):
        journal.decide(
            [Decision(entry.entry_id, Action.NEW, ()) for entry in journal.entries(run, target, root)]
        )
    lines = {}
    for order in Order:
        journal.line_up(run, order)
        lines[order] = paths(take(journal, run))
    assert lines == {
        Order.NEWEST: ["2", "1", "3"],
        Order.OLDEST: ["1", "3", "2"],
        Order.PATH: ["2", "3", "1"],
        Order.GIVEN: ["1", "2", "3"],
    }


def test_only_files_that_need_something_stand_in_line(
    journal: SqliteJournal, target: int, root: int, begin: Callable[..., str]
) -> None:
    run = begin("r1")
    journal.record(run, target, root, [file(action.value) for action in Action] + [file("undecided")])
    entries = {entry.source.path: entry for entry in journal.entries(run, target, root)}
    journal.decide([Decision(entries[action.value].entry_id, action, ()) for action in Action])
    journal.finish([(entries["moved"].entry_id, result(entries["moved"], Outcome.UPDATED))])

    assert journal.line_up(run, Order.PATH) == 3
    assert paths(take(journal, run)) == ["changed-bytes", "changed-row", "new"]


def test_small_and_large_files_wait_in_lanes_of_their_own(
    journal: SqliteJournal, survey: Callable[..., str]
) -> None:
    run = survey(*(file(f"{number}", size_bytes=number) for number in (99, 100, 101, 5000)))
    journal.line_up(run, Order.PATH)

    assert paths(take(journal, run, lane=Lane.LARGE)) == ["101", "5000"]
    assert paths(take(journal, run, lane=Lane.SMALL)) == ["100", "99"]
    assert take(journal, run, lane=Lane.LARGE) == take(journal, run, lane=Lane.SMALL) == []


def test_what_is_taken_is_not_given_out_twice_and_finished_files_leave_the_line(
    journal: SqliteJournal, survey: Callable[..., str]
) -> None:
    run = survey(*(file(f"{number}") for number in range(5)))
    journal.line_up(run, Order.PATH)

    first, second = take(journal, run, 2), take(journal, run, 2)
    assert (paths(first), paths(second)) == (["0", "1"], ["2", "3"])
    assert journal.waiting(run) == {
        Standing.WAITING: (1, 10),
        Standing.TAKEN: (4, 40),
        Standing.PAUSED: (0, 0),
        Standing.SET_ASIDE: (0, 0),
    }

    journal.finish([(entry.entry_id, result(entry, Outcome.NEW)) for entry in first])
    journal.put_back([entry.entry_id for entry in second])
    assert journal.waiting(run)[Standing.TAKEN] == (0, 0)
    assert paths(take(journal, run)) == ["2", "3", "4"]


def test_a_file_set_aside_comes_back_when_asked_for_only(
    journal: SqliteJournal, survey: Callable[..., str]
) -> None:
    run = survey(file("a"), file("b"))
    journal.line_up(run, Order.PATH)
    entry, other = take(journal, run)
    journal.put_back([entry.entry_id], Standing.SET_ASIDE)
    journal.put_back([other.entry_id])

    assert paths(take(journal, run)) == ["b"]
    assert paths(journal.aside(run, 10)) == ["a"]
    assert journal.aside(run, 10) == []
    # Only what is in hand can be put back: an engine that is late changes nothing.
    journal.finish([(entry.entry_id, result(entry, Outcome.FAILED))])
    journal.put_back([entry.entry_id])
    assert take(journal, run) == []


def test_a_folder_can_be_put_first_in_the_middle_of_a_run(
    journal: SqliteJournal, survey: Callable[..., str], root: int
) -> None:
    run = survey(*(file(f"{folder}/{number}") for folder in "abc" for number in range(2)))
    journal.line_up(run, Order.PATH)
    assert paths(take(journal, run, 1)) == ["a/0"]

    assert journal.prioritise(run, root, "c", 5) == 2
    assert journal.prioritise(run, root, "b/1", 9) == 1
    assert journal.prioritise(run, root, "a", -1) == 1
    assert paths(take(journal, run)) == ["b/1", "c/0", "c/1", "b/0", "a/1"]


def test_a_folder_is_paused_and_goes_on(
    journal: SqliteJournal, survey: Callable[..., str], root: int
) -> None:
    run = survey(*(file(path) for path in ("a", "a b/1", "a/1", "a/2/3", "a0", "a%/1", "a-/1")))
    journal.line_up(run, Order.PATH)

    assert journal.pause_files(run, root, "a") == 3  # itself and what lies below, no neighbour of its name
    assert paths(take(journal, run)) == ["a b/1", "a%/1", "a-/1", "a0"]
    assert journal.resume_files(run, root, "a/2/") == 1
    assert paths(take(journal, run)) == ["a/2/3"]
    assert journal.resume_files(run, root, "") == 2
    assert paths(take(journal, run)) == ["a", "a/1"]


def test_cancelled_files_leave_the_line_in_pages_and_can_be_tried_again(
    journal: SqliteJournal, survey: Callable[..., str], root: int
) -> None:
    run = survey(*(file(f"day/{number}") for number in range(4)), file("kept"))
    journal.line_up(run, Order.PATH)
    in_hand = take(journal, run, 1)
    journal.pause_files(run, root, "day/1")

    dropped = []
    while page := journal.drop_files(run, root, "day", 2):
        dropped += page
        journal.finish([(entry.entry_id, result(entry, Outcome.CANCELLED)) for entry in page])
    assert (paths(in_hand), paths(dropped)) == (["day/0"], ["day/1", "day/2", "day/3"])

    journal.finish([(in_hand[0].entry_id, result(in_hand[0], Outcome.FAILED))])
    assert journal.retry_files(run, root, "day/0") == 1
    assert journal.retry_files(run, root, "") == 3
    assert journal.retry_files(run, root, "") == 0
    assert paths(take(journal, run)) == ["kept", "day/0", "day/1", "day/2", "day/3"]


def test_held_files_are_not_tried_again(
    journal: SqliteJournal, survey: Callable[..., str], target: int, root: int
) -> None:
    run = survey(file("held"), action=Action.HELD)
    journal.line_up(run, Order.PATH)
    (entry,) = journal.entries(run, target, root)
    journal.finish([(entry.entry_id, result(entry, Outcome.CANCELLED))])
    assert journal.retry_files(run, root, "") == 0


def test_a_file_that_grew_changes_its_lane(journal: SqliteJournal, survey: Callable[..., str]) -> None:
    run = survey(file("a"))
    journal.line_up(run, Order.PATH)
    (entry,) = take(journal, run)

    now = SourceFile("a", 5000, 99, "uuid:A", "inode 7")
    assert journal.replace_source(entry.entry_id, now) == replace(entry, source=now)
    assert journal.waiting(run)[Standing.TAKEN] == (1, 5000)
    journal.put_back([entry.entry_id])
    assert take(journal, run, lane=Lane.SMALL) == []
    assert [one.source for one in take(journal, run, lane=Lane.LARGE)] == [now]
    with pytest.raises(JournalError, match="no such file"):
        journal.replace_source(9999, now)


def test_a_new_run_begins_with_a_line_of_its_own(journal: SqliteJournal, survey: Callable[..., str]) -> None:
    first = survey(file("a"), file("b"))
    journal.line_up(first, Order.PATH)
    take(journal, first)  # and then it was killed

    second = survey(file("a"), run="r2")
    assert journal.line_up(second, Order.PATH) == 1
    assert take(journal, first) == []
    assert paths(take(journal, second)) == ["a"]
    journal.finish_run(second, outcomes={}, interrupted=True, receipt="")
    assert sum(files for files, _ in journal.waiting(second).values()) == 0


def test_the_first_file_to_claim_a_record_keeps_it(
    journal: SqliteJournal, survey: Callable[..., str], target: int, root: int
) -> None:
    run = survey(file("a"), file("b"))
    a, b = (entry.entry_id for entry in journal.entries(run, target, root))
    high, low = (1 << 64) - 1, -5

    assert journal.claim(run, "survey", [(high, a), (7, b), (high, b)]) == {high: (a, "a"), 7: (b, "b")}
    assert journal.claim(run, "survey", [(high, b), (low, b)]) == {high: (a, "a"), low: (b, "b")}
    assert journal.claim(run, "ferry", [(high, b)]) == {high: (b, "b")}
    assert journal.claim(run, "ferry", [(number, a) for number in range(1200)]).keys() == set(range(1200))

    journal.finish_run(run, outcomes={}, interrupted=False, receipt="")
    assert journal.claim(run, "survey", [(high, b)]) == {high: (b, "b")}


def test_many_intents_are_one_step(journal: SqliteJournal, target: int) -> None:
    intents = [Intent("s:t", f"k{n}", f"/hatrac/{n}", SourceFile(f"{n}", 1, 1), f"{n}") for n in (2, 1, 2)]
    made = journal.intend_all(target, intents)

    assert [one.row_key for one in made] == ["k2", "k1", "k2"]
    assert made[0] == made[2] == journal.intend(target, "s:t", "k2", "/hatrac/2", SourceFile("2", 1, 1), "2")
    assert journal.intend_all(target, []) == []


def test_a_digest_is_cached_with_the_state_that_rests_on_it(journal: SqliteJournal, target: int) -> None:
    source = SourceFile("a", 3, 1)
    delivery = journal.intend(target, "s:t", "k", "/hatrac/a", source, "a")
    digest = Digest("m", "s", 3)
    stored = Stored("/hatrac/a", "/hatrac/a:1", 3)
    journal.stored(delivery.delivery_id, stored, digest, source_identity=source.identity)
    assert journal.digests([source.identity]) == {source.identity: digest}

    with pytest.raises(JournalError, match="cannot become stored"):
        journal.stored(delivery.delivery_id, stored, Digest("x", "y", 3), source_identity=source.identity)
    assert journal.digests([source.identity]) == {source.identity: digest}
    assert journal.deliveries(target, "s:t", ["k"])["k"].state is DeliveryState.STORED


MOVES = [
    "take",
    "take large",
    "put back",
    "aside",
    "set aside",
    "pause",
    "resume",
    "drop",
    "retry",
    "fail",
    "rank",
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(MOVES), st.sampled_from(["", "a", "b/1", "c"])), max_size=25))
def test_no_file_is_lost_or_doubled_whatever_is_asked(
    journal: SqliteJournal, survey: Callable[..., str], root: int, moves: list[tuple[str, str]]
) -> None:
    """Every file is in exactly one place: in the line, in hand, or finished; and the counts say so."""
    everything = {f"{folder}/{number}" for folder in "abc" for number in range(4)}
    run = survey(
        *(file(path, size_bytes=10 if path < "c" else 1000) for path in everything),
        run=f"r{len(journal.runs(1000))}",
    )
    journal.line_up(run, Order.PATH)
    in_hand: dict[str, Entry] = {}
    ended: set[str] = set()

    def finish(entries: Sequence[Entry], outcome: Outcome) -> None:
        journal.finish([(entry.entry_id, result(entry, outcome)) for entry in entries])
        ended.update(paths(entries))

    for move, path in moves:
        if move.startswith("take"):
            lane = Lane.LARGE if move == "take large" else Lane.SMALL
            taken = take(journal, run, 3, lane)
            assert not ({*paths(taken)} & {*in_hand, *ended})
            in_hand.update((entry.source.path, entry) for entry in taken)
        elif move == "aside":
            in_hand.update((entry.source.path, entry) for entry in journal.aside(run, 2))
        elif move in {"put back", "set aside"}:
            standing = Standing.SET_ASIDE if move == "set aside" else Standing.WAITING
            journal.put_back([entry.entry_id for entry in in_hand.values()], standing)
            in_hand.clear()
        elif move == "pause":
            journal.pause_files(run, root, path)
        elif move == "resume":
            journal.resume_files(run, root, path)
        elif move == "rank":
            journal.prioritise(run, root, path, 3)
        elif move == "drop":
            finish(journal.drop_files(run, root, path, 3), Outcome.CANCELLED)
        elif move == "fail":
            finish(list(in_hand.values())[:1], Outcome.FAILED)
            in_hand = dict(list(in_hand.items())[1:])
        elif journal.retry_files(run, root, path):
            ended = {one for one in ended if path and one != path and not one.startswith(f"{path}/")}
        counts = journal.waiting(run)
        assert counts[Standing.TAKEN][0] == len(in_hand)
        assert sum(files for files, _ in counts.values()) == len(everything) - len(ended)

    journal.resume_files(run, root, "")
    rest = [
        *in_hand.values(),
        *take(journal, run),
        *take(journal, run, lane=Lane.LARGE),
        *journal.aside(run, 99),
    ]
    assert sorted([*paths(rest), *ended]) == sorted(everything)
