"""`history`: have I sent this file, by its bytes, its folder or a word; and what became of runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uploader.cli import history
from uploader.cli.exits import Exit
from uploader.cli.main import run
from uploader.model.entries import Found
from uploader.model.files import Digest, FileResult, Outcome, SourceFile
from uploader.stages.ignore import IgnoreRules
from uploader.stages.one_file import source_of
from uploader.stages.roots import make_root
from uploader.stages.scan import scan

RUN = "0123abcd"


@pytest.fixture
def sent(journal: Any, tmp_path: Path) -> Callable[..., Path]:
    """Writes files into a folder and notes them as sent by one run."""

    def send(folder: str, files: dict[str, bytes], outcome: Outcome = Outcome.NEW) -> Path:
        for name, body in files.items():
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_bytes(body)
        root = make_root(tmp_path / folder)
        target, root_id = journal.target("catalog.example.org", "1"), journal.root(root)
        known = ("em-session", "1.0.0", "d" * 64)
        journal.start_run(
            RUN, target=target, roots=[root_id], spec_id=known[0], spec_version=known[1], spec_digest=known[2]
        )
        sources = [each for each in scan(root, ignore=IgnoreRules()) if isinstance(each, SourceFile)]
        journal.record(RUN, target, root_id, [Found(source) for source in sources])
        entries = list(journal.entries(RUN, target, root_id))
        journal.finish([(each.entry_id, _result(each.source, files, root.path, outcome)) for each in entries])
        journal.finish_run(RUN, outcomes={outcome.value: len(entries)}, interrupted=False, receipt="/r.json")
        return root.path

    return send


def _result(source: SourceFile, files: dict[str, bytes], root: Path, outcome: Outcome) -> FileResult:
    return FileResult(
        source.path,
        source.size_bytes,
        outcome,
        sha256=hashlib.sha256(files[source.path]).hexdigest(),
        object_url=f"/hatrac/{source.path}:V1",
        rid="1-ABCD",
        table="nanoscience:File",
        root=str(root),
    )


def test_a_file_that_was_sent(sent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    root = sent("session7", {"sample/a.tif": b"gold"})
    assert run(["history", str(root / "sample/a.tif")]) == Exit.DONE
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("Yes: sent 20")
    assert first.endswith(f" UTC as {root}/sample/a.tif")
    assert rest == [
        "  object:  https://catalog.example.org/hatrac/sample/a.tif:V1",
        "  record:  nanoscience:File 1-ABCD on catalog.example.org, catalog 1",
        f"  run:     {RUN}",
    ]


def test_a_file_under_another_name_is_known_by_its_bytes(
    sent: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = sent("session7", {"a.tif": b"gold"})
    (tmp_path / "copy.tif").write_bytes(b"gold")
    assert run(["history", str(tmp_path / "copy.tif")]) == Exit.DONE
    assert f"as {root}/a.tif" in capsys.readouterr().out


def test_a_file_that_was_never_sent(sent: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent("session7", {"a.tif": b"gold"})
    (tmp_path / "b.tif").write_bytes(b"silver")
    assert run(["history", str(tmp_path / "b.tif")]) == Exit.SOMETHING_LEFT
    assert capsys.readouterr().out.startswith("No: nothing with these bytes was sent from this PC.\n")


def test_a_file_that_has_changed_since(sent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    root = sent("session7", {"a.tif": b"gold"})
    (root / "a.tif").write_bytes(b"silver")
    assert run(["history", str(root / "a.tif")]) == Exit.SOMETHING_LEFT
    said = capsys.readouterr().out
    assert said.startswith("No: nothing with these bytes")
    assert "Other bytes were sent under this path" in said


def test_a_file_that_was_held_was_not_sent(sent: Any) -> None:
    root = sent("session7", {"a.tif": b"gold"}, Outcome.HELD)
    assert run(["history", str(root / "a.tif")]) == Exit.SOMETHING_LEFT


def test_a_known_digest_is_not_computed_again(
    sent: Any, journal: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = sent("session7", {"a.tif": b"gold"})
    # The folder's scan and a look at the single file must give it one identity.
    (scanned,) = [
        each for each in scan(make_root(root), ignore=IgnoreRules()) if isinstance(each, SourceFile)
    ]
    assert source_of(root / "a.tif").identity == scanned.identity
    journal.save_digests({scanned.identity: Digest("m" * 32, hashlib.sha256(b"gold").hexdigest(), 4)})
    monkeypatch.setattr(history, "digest_file", None)
    assert run(["history", str(root / "a.tif")]) == Exit.DONE


def test_hashing_a_big_file_is_announced(
    sent: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = sent("session7", {"a.tif": b"gold"})
    monkeypatch.setattr(history, "BIG_BYTES", 3)
    assert run(["history", str(root / "a.tif")]) == Exit.DONE
    assert "Hashing 4 B …" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["session7", "gold_0", "GOLD_01", "."])
def test_files_by_folder_or_by_a_word(
    sent: Any, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = sent("session7", {"s/gold_01.tif": b"1", "s/other.tif": b"2"})
    monkeypatch.chdir(root if what == "." else root.parent)
    assert run(["history", what]) == Exit.DONE
    said = capsys.readouterr().out
    assert f"{root}/s/gold_01.tif" in said
    number = 1 if "gold" in what.lower() else 2
    assert said.startswith(f"Yes: {number} file{'s' if number > 1 else ''} sent.")


def test_a_link_to_the_folder_finds_the_same(
    sent: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = sent("session7", {"a.tif": b"1"})
    (tmp_path / "link").symlink_to(root)
    assert run(["history", str(tmp_path / "link")]) == Exit.DONE
    assert f"{root}/a.tif" in capsys.readouterr().out


def test_no_more_than_the_limit(sent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sent("session7", {f"{number}.tif": bytes([number]) for number in range(5)})
    assert run(["history", "session7", "--limit", "3"]) == Exit.DONE
    said = capsys.readouterr().out
    assert said.startswith("Yes: at least 3 files sent.")
    assert "There may be more" in said


def test_nothing_by_that_word(sent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sent("session7", {"a.tif": b"1"})
    assert run(["history", "silver"]) == Exit.SOMETHING_LEFT
    assert capsys.readouterr().out == "No: nothing with silver in its path was sent from this PC.\n"


def test_runs_and_their_receipts(sent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    root = sent("session7", {"a.tif": b"1"})
    for arguments in (["history"], ["history", "--runs", "session7"]):
        assert run(arguments) == Exit.DONE
        said = capsys.readouterr().out
        assert f"UTC  {root}" in said
        assert "upload, finished: 1 new\n          /r.json" in said
    assert run(["history", "--runs", "elsewhere"]) == Exit.SOMETHING_LEFT


@pytest.mark.parametrize("what", ["", "word", "."])
def test_where_nothing_ever_ran_no_journal_is_made(what: str, tmp_path: Path) -> None:
    assert run(["history", what]) == Exit.SOMETHING_LEFT
    assert not (tmp_path / "state").exists()


def test_answers_as_json(sent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    root = sent("session7", {"a.tif": b"gold"})
    assert run(["history", str(root / "a.tif"), "--json"]) == Exit.DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["sent"], answer["sha256"]) == (True, hashlib.sha256(b"gold").hexdigest())
    assert answer["found"][0]["file"] == f"{root}/a.tif"
    assert answer["found"][0]["object_url"] == "/hatrac/a.tif:V1"
    assert run(["history", "session7", "--json"]) == Exit.DONE
    assert len(json.loads(capsys.readouterr().out)["found"]) == 1
    assert run(["history", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["runs"][0]["run"] == RUN
