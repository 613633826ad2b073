"""Have I sent this file?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from uploader.journal.connection import Database
from uploader.journal.migrations import STEPS, migrate
from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.control import SentFile
from uploader.model.entries import Found
from uploader.model.files import FileResult, Outcome, Proof, Root, SourceFile

Send = Callable[..., None]


def result(path: str, sha256: str, outcome: Outcome = Outcome.NEW, **more: str) -> FileResult:
    return FileResult(
        path,
        10,
        outcome,
        md5=f"md5 of {sha256}",
        sha256=sha256,
        object_url=more.get("url", f"/hatrac/{path}:1"),
        rid="1-ABC",
        preview_url="",
        proof=Proof.JOB_MD5,
        mtime_ns=1,
        root=str(Path(more.get("root", "/data/session"))),
        table="nanoscience:File",
    )


@pytest.fixture
def send(journal: SqliteJournal, target: int, root: int, begin: Callable[..., str]) -> Send:
    def sent(run: str, *results: FileResult, below: int = root) -> None:
        begin(run, below)
        journal.record(run, target, below, [Found(SourceFile(one.path, 10, 1)) for one in results])
        entries = {entry.source.path: entry.entry_id for entry in journal.entries(run, target, below)}
        journal.finish([(entries[one.path], one) for one in results])

    return sent


def where(found: list[SentFile]) -> list[str]:
    return [Path(one.path).as_posix() for one in found]


def test_a_file_is_found_by_its_bytes_and_all_is_told(journal: SqliteJournal, send: Send) -> None:
    sent = result("day 1/a\udcff.tif", "AB12".lower(), url="/hatrac/a%FF.tif:1")
    send("r1", sent, result("b.tif", "ffff"))

    assert journal.sent(sha256="AB12") == [
        SentFile(
            path=str(Path("/data/session/day 1/a\udcff.tif")),
            run="r1",
            when="2026-03-04T05:06:07+00:00",
            server="catalog.example.org",
            catalog="1",
            result=sent,
        )
    ]
    assert journal.sent(sha256="0000") == []


def test_it_is_known_after_a_later_survey_and_after_it_changed(journal: SqliteJournal, send: Send) -> None:
    send("r1", result("a.tif", "old", url="/hatrac/a:1"))
    send("r2", result("a.tif", "old", Outcome.SAME, url="/hatrac/a:1"))
    assert [(one.run, one.result.outcome) for one in journal.sent(sha256="old")] == [("r1", Outcome.NEW)]

    send("r3", result("a.tif", "changed", Outcome.UPDATED, url="/hatrac/a:2"))
    assert [one.result.object_url for one in journal.sent(sha256="old")] == ["/hatrac/a:1"]
    assert [one.result.object_url for one in journal.sent(path="/data/session/a.tif")] == [
        "/hatrac/a:2",
        "/hatrac/a:1",
    ]
    send("r4", result("a.tif", "changed", Outcome.UPDATED, url="/hatrac/b:3"))
    assert [one.result.object_url for one in journal.sent(sha256="changed")] == ["/hatrac/b:3"]


def test_what_did_not_arrive_is_not_called_sent(journal: SqliteJournal, send: Send) -> None:
    send(
        "r1",
        *(result(f"{outcome.value}.tif", "same bytes", outcome) for outcome in Outcome),
    )
    assert sorted(one.result.outcome for one in journal.sent(sha256="same bytes")) == [
        "new",
        "same",
        "updated",
    ]


def test_files_below_a_folder_or_with_a_word_in_their_path(journal: SqliteJournal, send: Send) -> None:
    other = journal.root(Root(Path("/mnt/Stick"), "uuid:B"))
    send("r1", *(result(path, path) for path in ("day/1.tif", "day/2.tif", "day 2/1.tif", "100%.tif")))
    send("r2", result("x.tif", "x", root="/mnt/Stick"), below=other)

    assert sorted(where(journal.sent(path="/data/session/day"))) == [
        "/data/session/day/1.tif",
        "/data/session/day/2.tif",
    ]
    assert where(journal.sent(path="/data/session/day/2.tif")) == ["/data/session/day/2.tif"]
    assert len(journal.sent(path="/data")) == 4
    assert len(journal.sent(path="/")) == 5
    assert len(journal.sent(path="/", limit=2)) == 2
    assert journal.sent(path="/data/session/da") == []
    assert journal.sent(name="\udcff") == []
    assert where(journal.sent(name="0%")) == ["/data/session/100%.tif"]
    assert where(journal.sent(name="sTICK")) == ["/mnt/Stick/x.tif"]
    assert where(journal.sent(path="/data", name="Day 2")) == ["/data/session/day 2/1.tif"]


def test_what_an_older_journal_knew_as_sent_is_in_the_history(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    database = Database(state_dir / "journal.sqlite3")
    migrate(database, STEPS[:2])
    document = '{"md5":"m","sha256":"s","object_url":"/hatrac/a:1","rid":"1-A","table":"s:t","proof":"none"}'
    with database.write() as connection:
        connection.execute("INSERT INTO targets VALUES (1, 'host', '7')")
        connection.execute("INSERT INTO roots VALUES (1, x'2f', CAST('/data' AS BLOB), '')")
        connection.execute(
            "INSERT INTO runs (run_no, run, target_id, spec_id, spec_version, spec_digest, started, finished)"
            " VALUES (1, 'r1', 1, '', '', '', 'then', 'later')"
        )
        connection.executemany(
            "INSERT INTO entries (target_id, root_id, run_no, path, size_bytes, mtime_ns, volume_id, file_id, rule,"
            " dataset, object_path, set_key, role, outcome, result)"
            " VALUES (1, 1, 1, ?, 9, 8, '', '', '', '', '', '', '', ?, ?)",
            [(b"a.tif", "new", document), (b"b.tif", "failed", document)],
        )
    database.close()

    journal = open_journal(state_dir)
    (found,) = journal.sent(name="tif")
    assert (found.path, found.run, found.when, found.server) == (
        str(Path("/data/a.tif")),
        "r1",
        "later",
        "host",
    )
    assert (found.result.sha256, found.result.object_url, found.result.table) == ("s", "/hatrac/a:1", "s:t")
    journal.close()
