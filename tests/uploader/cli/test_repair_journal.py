"""`repair --journal`: a damaged journal is told, and with --yes a new one holds what could be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uploader.cli.exits import Exit
from uploader.cli.main import run
from uploader.journal.store import open_journal
from uploader.model.files import Digest


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder whose journal holds some digests."""
    journal = open_journal(tmp_path / "state")
    journal.save_digests({f"v/{number}/1/1": Digest("5" * 32, "2" * 64, 1) for number in range(2000)})
    journal.close()
    return tmp_path / "state"


def tear(state: Path) -> None:
    """Overwrite a page in the middle, as a bad disk does."""
    file = state / "journal.sqlite3"
    body = bytearray(file.read_bytes())
    middle = len(body) // 2 // 4096 * 4096
    body[middle : middle + 4096] = b"\xff" * 4096
    file.write_bytes(body)


def test_a_sound_journal_is_left_alone(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (state / "journal.sqlite3").read_bytes()
    assert run(["repair", "--journal", "--yes"]) == Exit.DONE
    assert "is sound." in capsys.readouterr().out
    assert (state / "journal.sqlite3").read_bytes() == before


def test_a_damaged_journal_is_told_and_not_touched(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tear(state)
    torn = (state / "journal.sqlite3").read_bytes()
    assert run(["repair", "--journal"]) == Exit.SOMETHING_LEFT
    said = capsys.readouterr().out
    assert "is damaged" in said
    assert "With --yes" in said
    assert (state / "journal.sqlite3").read_bytes() == torn


def test_a_damaged_journal_is_saved_into_a_new_one(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tear(state)
    assert run(["repair", "--journal", "--yes"]) == Exit.DONE
    assert "The damaged journal was moved to" in capsys.readouterr().out
    assert len(list(state.glob("damaged-*"))) == 1
    assert run(["repair", "--journal"]) == Exit.DONE
    journal = open_journal(state)
    kept = journal.digests([f"v/{number}/1/1" for number in range(2000)])
    journal.close()
    assert len(kept) > 1000


def test_as_json(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tear(state)
    assert run(["repair", "--journal", "--yes", "--json"]) == Exit.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["fault"]
    assert document["rows"]["digests"] > 0
    assert Path(document["moved_to"]).is_dir()


def test_without_a_journal_none_is_made(tmp_path: Path) -> None:
    assert run(["repair", "--journal"]) == Exit.DONE
    assert not (tmp_path / "state").exists()
