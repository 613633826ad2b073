"""Commands to running engines: whom they reach, what is said, and that nobody is asked in vain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uploader.cli.exits import Exit
from uploader.cli.main import run
from uploader.model.control import EngineState, Verb


@pytest.mark.parametrize(
    ("arguments", "verb", "value"),
    [
        (["pause"], Verb.PAUSE, ""),
        (["resume"], Verb.RESUME, ""),
        (["retry"], Verb.RETRY, ""),
        (["cancel", "--all"], Verb.CANCEL, ""),
        (["stop"], Verb.STOP, ""),
        (["limit", "20MB/s"], Verb.LIMIT, "20000000"),
        (["limit", "off"], Verb.LIMIT, "0"),
    ],
)
def test_a_wish_about_everything_reaches_the_running_engine(
    engines: Any, capsys: pytest.CaptureFixture[str], arguments: list[str], verb: Verb, value: str
) -> None:
    engine = engines("0123abcd", "session7")
    assert run(arguments) == Exit.DONE
    (taken,) = engine.taken
    assert (taken.verb, taken.run, taken.path, taken.value) == (verb, "0123abcd", "", value)
    assert capsys.readouterr().out == f"{engine.record.roots[0]}: {verb.value} done (run 0123abcd)\n"


def test_a_path_reaches_only_the_engine_that_has_it(engines: Any, tmp_path: Path) -> None:
    one, other = engines("aaaa", "one"), engines("bbbb", "other")
    assert run(["prioritise", str(tmp_path / "one/sample/a.tif"), "--level", "5"]) == Exit.DONE
    assert [(each.path, each.value) for each in one.taken] == [(str(tmp_path / "one/sample/a.tif"), "5")]
    assert other.taken == []


def test_a_folder_above_stands_for_everything_below_it(engines: Any, tmp_path: Path) -> None:
    one, other = engines("aaaa", "data/one", "data/two"), engines("bbbb", "other")
    assert run(["pause", str(tmp_path / "data")]) == Exit.DONE
    assert [each.path for each in one.taken] == [str(tmp_path / "data/one"), str(tmp_path / "data/two")]
    assert other.taken == []


def test_a_relative_path_and_a_link_lead_to_the_folder_too(
    engines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engines("aaaa", "one")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    monkeypatch.chdir(tmp_path / "one")
    assert run(["pause", "a.tif", str(tmp_path / "link/b.tif")]) == Exit.DONE
    assert [each.path for each in engine.taken] == [str(tmp_path / "one/a.tif"), str(tmp_path / "one/b.tif")]


def test_one_run_of_several_by_the_beginning_of_its_id(engines: Any) -> None:
    one, other = engines("aaaa1111", "one"), engines("bbbb2222", "other")
    assert run(["stop", "--run", "bbb"]) == Exit.DONE
    assert (len(one.taken), len(other.taken)) == (0, 1)


def test_without_an_engine_nothing_is_posted(journal: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pause"]) == Exit.SOMETHING_LEFT
    assert "No engine is running; nothing was asked of anybody." in capsys.readouterr().err
    assert journal.answers(1) == {}


def test_where_nothing_ever_ran_no_journal_is_made(tmp_path: Path) -> None:
    assert run(["pause"]) == Exit.SOMETHING_LEFT
    assert not (tmp_path / "state").exists()


def test_a_dead_engine_is_not_asked(engines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engine = engines("aaaa", "one")
    engine.die()
    assert run(["pause"]) == Exit.SOMETHING_LEFT
    assert "No engine is running" in capsys.readouterr().err
    assert engine.taken == []


def test_a_path_that_no_engine_has_says_which_folders_run(
    engines: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = engines("aaaa", "one")
    stranger = tmp_path / "elsewhere" / "a.tif"
    assert run(["pause", str(tmp_path / "one"), str(stranger)]) == Exit.SOMETHING_LEFT
    said = capsys.readouterr().err
    assert f"No running engine has {stranger}; nothing was asked of anybody." in said
    assert f"{tmp_path / 'one'}  (run aaaa)" in said
    assert engine.taken == []


def test_an_engine_that_is_too_busy_to_answer(engines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engines("aaaa", "one").answers = lambda command: None
    assert run(["pause"]) == Exit.SOMETHING_LEFT
    assert "no answer yet; the wish stays posted" in capsys.readouterr().out


def test_answers_as_json(engines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engines("aaaa", "one", state=EngineState.PARKED)
    assert run(["retry", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == {
        "schema": "nanoferry.answers/1",
        "verb": "retry",
        "value": "",
        "answers": [{"run": "aaaa", "path": "", "taken": True, "answer": "retry done"}],
    }


@pytest.mark.parametrize("arguments", [["cancel"], ["cancel", "x", "--all"], ["prioritise"], ["limit"]])
def test_what_is_not_said_clearly_is_not_done(engines: Any, arguments: list[str]) -> None:
    engine = engines("aaaa", "one")
    assert run(arguments) == Exit.COULD_NOT_RUN
    assert engine.taken == []


def test_a_limit_that_is_no_rate_says_how_to_write_one(
    engines: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = engines("aaaa", "one")
    assert run(["limit", "fast"]) == Exit.COULD_NOT_RUN
    assert "20MB/s" in capsys.readouterr().err
    assert engine.taken == []
