"""The survey's tables: record, decide, count, finish, read back in pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uploader.journal import survey
from uploader.journal.codec import from_blob, to_blob
from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.entries import Decision, Found
from uploader.model.errors import JournalError
from uploader.model.files import Action, FileResult, Outcome, Proof, Root, SourceFile
from validation.model import Issue

Make = Callable[..., Found]


def paths(entries: object) -> list[str]:
    return [entry.source.path for entry in entries]  # type: ignore[attr-defined]


def test_an_entry_comes_back_as_it_was_found(
    journal: SqliteJournal, target: int, root: int, begin: Callable[..., str], finding: Callable[[str], Issue]
) -> None:
    run = begin("r1")
    source = SourceFile("a/b #1.tif", 123, -5, "uuid:A", "42")
    whole = Found(source, "image", "session", "b #1.tif", "set", "companion", (finding("empty"),))

    journal.record(run, target, root, [whole])

    (entry,) = journal.entries(run, target, root)
    assert entry.source == source
    assert (entry.rule, entry.dataset, entry.object_path) == ("image", "session", "b #1.tif")
    assert (entry.set_key, entry.role, entry.issues) == ("set", "companion", (finding("empty"),))
    assert (entry.root_id, entry.action, entry.outcome, entry.row) == (root, None, None, {})


def test_entries_are_ordered_by_path_or_by_dataset(
    journal: SqliteJournal, target: int, root: int, begin: Callable[..., str], found: Make
) -> None:
    run = begin("r1")
    journal.record(
        run,
        target,
        root,
        [found("b", dataset="1"), found("a", dataset="2"), found("é", dataset="1"), found("Z")],
    )

    assert paths(journal.entries(run, target, root)) == ["Z", "a", "b", "é"]
    assert paths(journal.entries(run, target, root, by_dataset=True)) == ["Z", "b", "é", "a"]


@pytest.mark.parametrize("by_dataset", [False, True])
def test_every_entry_comes_once_while_others_are_written_between(
    journal: SqliteJournal,
    target: int,
    root: int,
    begin: Callable[..., str],
    found: Make,
    monkeypatch: pytest.MonkeyPatch,
    by_dataset: bool,
) -> None:
    monkeypatch.setattr(survey, "PAGE", 7)
    run = begin("r1")
    everything = [found(f"{number:03}", dataset=str(number % 5)) for number in range(100)]
    journal.record(run, target, root, everything)

    seen = []
    for entry in journal.entries(run, target, root, by_dataset=by_dataset):
        journal.decide([Decision(entry.entry_id, Action.NEW, ())])
        seen.append((entry.dataset, entry.source.path))

    expected = [(one.dataset, one.source.path) for one in everything]
    assert seen == (sorted(expected) if by_dataset else expected)
    assert journal.counts(run, target, root) == {Action.NEW: (100, 1000)}


def test_only_the_asked_actions_come(
    journal: SqliteJournal, target: int, root: int, begin: Callable[..., str], found: Make
) -> None:
    run = begin("r1")
    journal.record(run, target, root, [found("a"), found("b"), found("c")])
    a, b, c = journal.entries(run, target, root)
    journal.decide(
        [
            Decision(a.entry_id, Action.NEW, ()),
            Decision(b.entry_id, Action.SAME, (), {"RID": "1-X"}),
            Decision(c.entry_id, Action.HELD, ()),
        ]
    )

    (same,) = journal.entries(run, target, root, actions=[Action.SAME])
    assert (same.source.path, same.row) == ("b", {"RID": "1-X"})
    assert paths(journal.entries(run, target, root, actions=[Action.HELD, Action.NEW])) == ["a", "c"]
    assert paths(journal.entries(run, target, root, actions=[])) == []

    journal.finish([(b.entry_id, FileResult("b", 10, Outcome.SAME))])
    assert paths(journal.entries(run, target, root, undone=True)) == ["a", "c"]
    assert paths(journal.entries(run, target, root, undone=True, actions=[Action.SAME, Action.NEW])) == ["a"]


def test_recording_again_forgets_decision_and_outcome(
    journal: SqliteJournal, target: int, root: int, begin: Callable[..., str], found: Make
) -> None:
    first = begin("r1")
    journal.record(first, target, root, [found("a")])
    (entry,) = journal.entries(first, target, root)
    journal.decide([Decision(entry.entry_id, Action.NEW, (), {"RID": "1-X"})])
    journal.finish([(entry.entry_id, FileResult("a", 10, Outcome.NEW))])

    second = begin("r2")
    journal.record(second, target, root, [found("a", size_bytes=11)])

    (again,) = journal.entries(second, target, root)
    assert again.entry_id == entry.entry_id
    assert (again.source.size_bytes, again.action, again.outcome, again.row) == (11, None, None, {})
    assert list(journal.entries(first, target, root)) == []
    assert list(journal.results(second)) == []


def test_vanished_are_those_only_earlier_runs_saw(
    journal: SqliteJournal, target: int, root: int, begin: Callable[..., str], found: Make
) -> None:
    journal.record(begin("r1"), target, root, [found("gone"), found("stays")])
    elsewhere = journal.target("other.example.org", "1")
    journal.record("r1", elsewhere, root, [found("of another catalog")])
    second = begin("r2")
    journal.record(second, target, root, [found("stays"), found("new")])

    assert paths(journal.vanished(second, target, root)) == ["gone"]


def test_findings_are_added_to_those_that_are_there(
    journal: SqliteJournal,
    target: int,
    root: int,
    begin: Callable[..., str],
    found: Make,
    finding: Callable[[str], Issue],
) -> None:
    run = begin("r1")
    journal.record(run, target, root, [found("a", issues=(finding("one"),)), found("b")])
    a, b = journal.entries(run, target, root)

    journal.add_issues([(a.entry_id, [finding("two")]), (b.entry_id, [])])

    a, b = journal.entries(run, target, root)
    assert [one.message for one in a.issues] == ["one", "two"]
    assert b.issues == ()


def test_an_unknown_entry_or_run_is_refused_and_the_batch_with_it(
    journal: SqliteJournal,
    target: int,
    root: int,
    begin: Callable[..., str],
    found: Make,
    finding: Callable[[str], Issue],
) -> None:
    run = begin("r1")
    journal.record(run, target, root, [found("a")])
    (entry,) = journal.entries(run, target, root)

    with pytest.raises(JournalError, match="no such file"):
        journal.decide([Decision(entry.entry_id, Action.NEW, ()), Decision(999, Action.NEW, ())])
    with pytest.raises(JournalError, match="no such file"):
        journal.finish([(999, FileResult("a", 10, Outcome.NEW))])
    with pytest.raises(JournalError, match="no such file"):
        journal.add_issues([(999, [finding("lost")])])
    with pytest.raises(JournalError, match="no run"):
        journal.record("never started", target, root, [found("b")])

    assert journal.counts(run, target, root) == {}


def test_results_come_by_root_and_path_with_everything_a_receipt_needs(
    journal: SqliteJournal,
    target: int,
    begin: Callable[..., str],
    found: Make,
    finding: Callable[[str], Issue],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(survey, "PAGE", 2)
    first, second = journal.root(Root(Path("/z"), "v")), journal.root(Root(Path("/a"), "v"))
    run = begin("r1", first, second)
    expected = []
    for where in (first, second):
        journal.record(run, target, where, [found(name) for name in ("c", "a", "b", "not finished")])
        for entry in journal.entries(run, target, where):
            if entry.source.path == "not finished":
                continue
            result = FileResult(
                entry.source.path,
                10,
                Outcome.UPDATED,
                md5="m",
                sha256="s",
                object_url="/hatrac/x:1",
                rid="1-X",
                issues=(finding("small"),),
                proof=Proof.JOB_MD5,
                mtime_ns=where,
            )
            expected.append(result)
            journal.finish([(entry.entry_id, result)])

    assert list(journal.results(run)) == expected


@given(st.lists(st.text(min_size=1), unique=True, max_size=20))
def test_any_name_is_kept_without_loss_and_in_the_order_of_strings(names: list[str]) -> None:
    blobs = [to_blob(name) for name in names]
    assert [from_blob(blob) for blob in blobs] == names
    assert [from_blob(blob) for blob in sorted(blobs)] == sorted(names)


any_name = st.text(st.characters(exclude_characters="\0/"), min_size=1, max_size=40)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    names=st.sets(
        any_name | st.binary(min_size=1, max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
        max_size=12,
    )
)
def test_undecodable_names_go_through_the_journal_unharmed(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    journal = open_journal(tmp_path_factory.mktemp("state"))
    target, root = journal.target("h", "1"), journal.root(Root(Path("/data")))
    journal.start_run("r", target=target, roots=[root], spec_id="", spec_version="", spec_digest="")
    journal.record(
        "r",
        target,
        root,
        [Found(SourceFile(name, 1, 1), dataset=name, object_path=name, set_key=name) for name in names],
    )
    for entry in journal.entries("r", target, root):
        result = FileResult(entry.source.path, 1, Outcome.HELD, error=entry.source.path)
        journal.finish([(entry.entry_id, result)])

    entries = list(journal.entries("r", target, root))
    assert [entry.source.path for entry in entries] == sorted(names)
    assert all(entry.dataset == entry.object_path == entry.set_key == entry.source.path for entry in entries)
    assert [result.path for result in journal.results("r")] == sorted(names)
    journal.close()
