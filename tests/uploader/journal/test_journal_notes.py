"""What a run notes is there until it ends, kind by kind, and nobody else's."""

from __future__ import annotations

from uploader.journal.store import SqliteJournal


def begun(journal: SqliteJournal, run: str) -> str:
    target = journal.target("server", "1")
    journal.start_run(run, target=target, roots=[], spec_id="s", spec_version="1", spec_digest="")
    return run


def test_a_key_gives_back_its_values_in_their_order(journal: SqliteJournal) -> None:
    run = begun(journal, "r1")
    journal.note(run, "rows", ((f"k{number % 3}", {"n": number}) for number in range(2500)))
    found = journal.noted(run, "rows", ["k1", "k0", "none", "k1"])
    assert found.keys() == {"k0", "k1"}
    assert [note["n"] for note in found["k1"]] == list(range(1, 2500, 3))


def test_names_that_are_no_text_are_keys_like_any_other(journal: SqliteJournal) -> None:
    run = begun(journal, "r1")
    journal.note(run, "rows", [("a\udcff", {"name": "a\udcff"})])
    assert journal.noted(run, "rows", ["a\udcff"]) == {"a\udcff": [{"name": "a\udcff"}]}


def test_kinds_and_runs_are_kept_apart_and_a_run_that_ends_forgets(journal: SqliteJournal) -> None:
    first, second = begun(journal, "r1"), begun(journal, "r2")
    journal.note(first, "rows", [("k", {"n": 1})])
    journal.note(first, "gone", [("k", {"n": 2})])
    journal.note(second, "rows", [("k", {"n": 3})])
    journal.drop_notes(first, "rows")
    assert journal.noted(first, "rows", ["k"]) == {}
    assert journal.noted(first, "gone", ["k"]) == {"k": [{"n": 2}]}
    journal.finish_run(first, outcomes={}, interrupted=False, receipt="")
    assert journal.noted(first, "gone", ["k"]) == {}
    assert journal.noted(second, "rows", ["k"]) == {"k": [{"n": 3}]}
