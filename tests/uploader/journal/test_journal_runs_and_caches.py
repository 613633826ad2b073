"""Targets, roots, runs, events, and the caches by source identity."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from uploader.journal import runs
from uploader.journal.store import SqliteJournal
from uploader.model.entries import Purpose, RunRecord
from uploader.model.errors import JournalError
from uploader.model.events import FileProgressed, SurveyProgressed
from uploader.model.files import Digest, Root
from validation.codes import issue
from validation.instruments.model import FieldValue, Header


def test_a_volume_mounted_elsewhere_keeps_its_root(journal: SqliteJournal, begin: Callable[..., str]) -> None:
    here = journal.root(Root(Path("/media/stick/session"), "uuid:S", "/session"))
    there = journal.root(Root(Path("/mnt/session"), "uuid:S", "/session"))
    other = journal.root(Root(Path("/mnt/session"), "uuid:T", "/session"))

    assert here == there != other
    begin("r1", here)
    assert journal.runs()[0].roots == (str(Path("/mnt/session")),)


def test_runs_come_newest_first_with_how_they_ended(
    journal: SqliteJournal, begin: Callable[..., str]
) -> None:
    begin("older")
    begin("newer")
    journal.finish_run("older", outcomes={"new": 3}, interrupted=True, receipt="/tmp/r\udcff.json")

    newer, older = journal.runs()
    assert newer.run == "newer"
    assert newer.finished == ""
    assert older == RunRecord(
        run="older",
        started="2026-03-04T05:06:07+00:00",
        finished="2026-03-04T05:06:07+00:00",
        roots=(str(Path("/data/session")),),
        server="catalog.example.org",
        catalog="1",
        spec_id="lab",
        spec_version="1.0.0",
        outcomes={"new": 3},
        interrupted=True,
        receipt="/tmp/r\udcff.json",
    )
    assert [record.run for record in journal.runs(limit=1)] == ["newer"]


def test_a_check_is_told_from_an_upload(journal: SqliteJournal, begin: Callable[..., str]) -> None:
    begin("sent")
    begin("looked", purpose=Purpose.CHECK)
    assert [(record.run, record.purpose) for record in journal.runs()] == [
        ("looked", Purpose.CHECK),
        ("sent", Purpose.UPLOAD),
    ]


def test_ending_a_run_that_never_began_is_refused(journal: SqliteJournal) -> None:
    with pytest.raises(JournalError, match="no run"):
        journal.finish_run("ghost", outcomes={}, interrupted=False, receipt="")


def test_one_can_follow_a_run_by_its_events(journal: SqliteJournal, begin: Callable[..., str]) -> None:
    begin("r1")
    journal.append(
        [SurveyProgressed("r1", "t", "scan", 1, 0, "a\udcff.tif"), FileProgressed("r1", "t", "b", 9, 3)]
    )
    journal.append([FileProgressed("other", "t", "c", 9, 3)])
    journal.append([])

    first, second = journal.events_after("r1", 0)
    document = json.loads(first[1])
    assert document["kind"] == "survey_progressed"
    assert document["path"] == "a\udcff.tif"
    assert journal.events_after("r1", first[0]) == [second]
    assert journal.events_after("r1", second[0]) == []


def test_events_of_long_gone_runs_are_dropped_their_record_is_kept(
    journal: SqliteJournal, begin: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RUNS_WITH_EVENTS", 2)
    for name in ("r1", "r2", "r3", "r4"):
        begin(name)
        journal.append([FileProgressed(name, "t", "c", 9, 3)])
        journal.finish_run(name, outcomes={}, interrupted=False, receipt="")
    begin("r5")

    assert [len(journal.events_after(name, 0)) for name in ("r1", "r2", "r3", "r4")] == [0, 0, 1, 1]
    assert len(journal.runs()) == 5


def test_headers_come_back_whole(journal: SqliteJournal) -> None:
    header = Header(
        format="tiff-fei",
        reader="tiff-fei/1",
        fields={"size_px": FieldValue((4, 5), "256,257"), "hv_kV": FieldValue(30.0, "HV")},
        raw={"34682": {"Beam": {"HV": "30000"}}, "list": [1, 2]},
        issues=(issue("header.malformed", "a bit"),),
    )
    journal.save_headers({"v/1/2/3": header, "undecodable \udcff": Header("unknown", "none/1")})

    assert journal.headers(["v/1/2/3", "never seen"]) == {"v/1/2/3": header}
    assert "undecodable \udcff" in journal.headers(["undecodable \udcff"])


def test_a_newer_header_replaces_the_older(journal: SqliteJournal) -> None:
    journal.save_headers({"id": Header("unknown", "none/1")})
    journal.save_headers({"id": Header("mrc", "mrc/2")})

    assert journal.headers(["id"])["id"].reader == "mrc/2"


def test_thousands_of_digests_are_looked_up_at_once(journal: SqliteJournal) -> None:
    for number in range(0, 3000, 100):
        journal.save_digests({f"id {number}": Digest("m", "s", number)})

    found = journal.digests([f"id {number}" for number in range(3000)])
    assert found == {f"id {number}": Digest("m", "s", number) for number in range(0, 3000, 100)}


def test_a_cached_header_of_another_form_is_no_header(journal: SqliteJournal) -> None:
    """What an older program packed differently is read from the file again, it does not end the run."""
    journal.save_headers(
        {"old": Header("mrc", "mrc/1"), "torn": Header("mrc", "mrc/1"), "ours": Header("mrc", "mrc/1")}
    )
    other_form = zlib.compress(json.dumps({"format": "mrc", "fields": {"x": [1, "tag"]}}).encode())
    with journal._database.write() as connection:
        connection.execute("UPDATE headers SET header = ? WHERE identity = ?", (other_form, b"old"))
        connection.execute("UPDATE headers SET header = ? WHERE identity = ?", (b"no zlib", b"torn"))

    assert journal.headers(["old", "torn", "ours"]).keys() == {"ours"}
