"""The command line on a small real session, as a person uses it: processes, exit codes, files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from uploader.demo import DemoSession, make_session
from uploader.embedded.lifecycle import stop
from validation.specset import data_dir

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("flow")]


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Nanoferry = Callable[..., Ended]


def environment(state: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NANOFERRY_")}
    return {**kept, "NANOFERRY_STATE_DIR": str(state), "COLUMNS": "100", **more}


def run(state: Path, *arguments: str | Path, **more: str) -> Ended:
    done = subprocess.run(
        [sys.executable, "-m", "uploader", *map(str, arguments)],
        env=environment(state, **more),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Place:
    """A state folder of its own, a session, and what its first upload said."""

    state: Path
    session: DemoSession
    first: Ended
    before: dict[str, tuple[int, int]]

    def nanoferry(self, *arguments: str | Path, **more: str) -> Ended:
        return run(self.state, *arguments, **more)

    @property
    def receipt(self) -> Path:
        return Path(self.first.lines[-1]["receipt"])


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    base = tmp_path_factory.mktemp("flow")
    session = make_session(base / "session", files=24)
    before = state_of(session.folder)
    first = run(base / "state", "upload", "--dir", session.folder, "--json")
    yield Place(base / "state", session, first, before)
    stop(base / "state" / "catalog")


@pytest.fixture
def own_state(tmp_path: Path) -> Iterator[Path]:
    """A state folder with a catalog of its own: example sessions share their records, whatever their seed."""
    yield tmp_path / "state"
    stop(tmp_path / "state" / "catalog")


def validator(name: str) -> Draft202012Validator:
    schemas = [
        json.loads((data_dir() / "meta" / f"{each}.schema.json").read_text("utf-8"))
        for each in ("event", "receipt")
    ]
    registry: Registry[Any] = Registry().with_resources(
        (each["$id"], Resource.from_contents(each)) for each in schemas
    )
    wanted = schemas[("event", "receipt").index(name)]
    return Draft202012Validator(wanted, registry=registry, format_checker=FormatChecker())


def test_what_has_no_fault_arrives_and_the_rest_is_named(place: Place) -> None:
    assert place.first.code == 1, place.first.err
    outcomes = place.first.lines[-1]["outcomes"]
    assert outcomes["held"] == 1
    assert outcomes["unmatched"] == 1
    assert outcomes["new"] == len(place.session.pictures) - 2
    assert "failed" not in outcomes


def test_the_events_keep_to_their_schema(place: Place) -> None:
    checker = validator("event")
    for line in place.first.lines:
        assert [error.message for error in checker.iter_errors(line)] == [], line["kind"]
    kinds = [line["kind"] for line in place.first.lines]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    assert kinds.count("plan_made") == 1


def test_the_receipt_keeps_to_its_schema_and_agrees_with_the_events(place: Place) -> None:
    document = json.loads(place.receipt.read_text("utf-8"))
    assert [error.message for error in validator("receipt").iter_errors(document)] == []
    finished = {line["path"]: line for line in place.first.lines if line["kind"] == "file_finished"}
    assert {file["path"] for file in document["files"]} == set(finished)
    for file in document["files"]:
        event = finished[file["path"]]
        assert {key: event[key] for key in file} == file
        if file["outcome"] == "new":
            assert file["md5"]
            assert file["rid"]
            assert file["object_url"]


def test_nothing_is_written_into_the_data_folder(place: Place) -> None:
    place.nanoferry("validate", place.session.folder)
    place.nanoferry("upload", "--dir", place.session.folder, "--dry-run")
    assert state_of(place.session.folder) == place.before


def test_a_second_run_sends_nothing(place: Place) -> None:
    again = place.nanoferry("upload", "--dir", place.session.folder, "--json")
    last = again.lines[-1]
    assert last["sent_bytes"] == 0
    assert last["outcomes"].keys() == {"same", "held", "unmatched"}


def test_a_dropped_part_of_the_session_is_the_same_delivery(place: Place) -> None:
    sample = next(iter(sorted((place.session.folder / "NFFA-DEMO-042").iterdir())))
    part = place.nanoferry("upload", "--dir", sample, "--json")
    assert part.lines[-1]["sent_bytes"] == 0
    assert "new" not in part.lines[-1]["outcomes"]


def test_strict_sends_nothing_when_something_is_left(own_state: Path, tmp_path: Path) -> None:
    session = make_session(tmp_path / "session", files=8)
    strict = run(own_state, "upload", "--dir", session.folder, "--strict", "--json")
    assert strict.code == 1
    assert strict.lines[-1]["sent_bytes"] == 0
    assert "new" not in strict.lines[-1]["outcomes"]


def test_a_dry_run_lists_every_file_and_sends_nothing(place: Place) -> None:
    dry = place.nanoferry("upload", "--dir", place.session.folder, "--dry-run", "--json")
    planned = [line for line in dry.lines if line["kind"] == "file_planned"]
    assert len(planned) == len(place.session.pictures)
    assert not [line for line in dry.lines if line["kind"] == "file_finished"]


def test_verify_names_what_must_be_kept(place: Place) -> None:
    answer = place.nanoferry("verify", place.receipt, "--json")
    assert answer.code == 1
    files, verdict = answer.lines[:-1], answer.lines[-1]
    kept = {file["path"] for file in files if not file["safe_to_delete"]}
    assert len(kept) == 2
    assert verdict["safe_files"] == len(place.session.pictures) - 2
    assert verdict["folders"][0]["safe_to_delete"] is False
    deep = place.nanoferry("verify", place.receipt, "--deep", "--json").lines[-1]
    assert deep["proofs"]["downloaded and compared"] == verdict["safe_files"]


def test_a_receipt_beside_its_catalog_is_verified_from_any_state_folder(place: Place, tmp_path: Path) -> None:
    answer = run(tmp_path / "elsewhere", "verify", place.receipt, "--json")
    assert answer.code == 1
    assert answer.lines[-1]["safe_files"] == len(place.session.pictures) - 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_receipt_of_an_unknown_built_in_catalog_starts_none(place: Place, tmp_path: Path) -> None:
    taken_away = tmp_path / "mine.json"
    taken_away.write_bytes(place.receipt.read_bytes())
    answer = run(tmp_path / "elsewhere", "verify", taken_away)
    assert answer.code == 2
    assert "NANOFERRY_STATE_DIR" in answer.err
    assert not (tmp_path / "elsewhere").exists()


def test_a_check_is_a_finished_run_of_its_own_kind(place: Place) -> None:
    assert place.nanoferry("validate", place.session.folder).code == 1
    assert "check, finished: nothing sent" in place.nanoferry("status", "--runs", "1").out


def test_status_shows_the_run_and_its_receipt(place: Place) -> None:
    shown = place.nanoferry("status", "--runs", "1000")
    assert shown.code == 0
    assert str(place.receipt) in shown.out


def test_a_catalogs_spec_stays_until_it_is_told_to_be_replaced(tmp_path: Path) -> None:
    state = tmp_path / "state"
    try:
        assert run(state, "catalog", "init").code == 0
        kept = run(state, "catalog", "init", "--spec", "team1-stem")
        assert "--replace-spec" in kept.out
        assert "em-session" in run(state, "explain", "x.tif", "--json").lines[0]["spec"]
        assert run(state, "catalog", "init", "--spec", "team1-stem", "--replace-spec").code == 0
        assert "team1-stem" in run(state, "explain", "x.tif", "--json").lines[0]["spec"]
    finally:
        stop(state / "catalog")


def test_catalog_init_does_nothing_the_second_time(place: Place) -> None:
    assert place.nanoferry("catalog", "init", "--json").lines == [{"created": [], "spec_kept": False}]


def test_explain_uses_the_catalogs_spec(place: Place) -> None:
    taken, odd = (
        place.session.pictures[0],
        next(path for path in place.session.pictures if "FINAL" in path),
    )
    folder = place.session.folder
    answer = place.nanoferry("explain", "--dir", folder, folder / taken, folder / odd, "--json")
    assert answer.code == 1
    assert [line["matched"] for line in answer.lines] == [True, False]


def test_inspect_reads_a_header(place: Place) -> None:
    shown = place.nanoferry("inspect", place.session.folder / place.session.pictures[0])
    assert shown.code == 0
    assert "Accelerating voltage" in shown.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["upload", "--dir", "{none}"], 2, "There is no folder"),
        (["upload", "--dir", "{file}"], 2, "is a file, not a folder"),
        (["upload", "--dir", "{empty}"], 0, ""),
        (["upload", "--dir", "{empty}", "--spec", "{faulty}"], 2, "4 faults in the spec"),
        (["upload", "--dir", "{empty}", "--spec", "no-such-spec"], 2, "no-such-spec"),
        (["upload", "--dir", "{empty}", "--server", "http://127.0.0.1:1"], 2, "Nothing listens at"),
        (["upload", "--dir", "{empty}", "--server", "ftp://x"], 2, "can't be used"),
        (["upload", "--dir", "{empty}", "--catalog", "99"], 2, "no such catalog"),
        (["verify", "{none}"], 2, "cannot be read"),
        (["verify", "{file}"], 2, "not a whole receipt"),
        (["inspect", "{none}"], 2, "There is no file"),
        (["inspect", "{empty}"], 2, "is a folder"),
        (["spec", "check", "{faulty}"], 1, "4 findings"),
        (["spec", "check", "em-session"], 0, ""),
    ],
)
def test_bad_input_is_one_clear_message(
    place: Place, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("{}", "utf-8")
    (tmp_path / "faulty.yaml").write_text(
        'nanoferry: 1\nid: lab\nversion: "1"\nanchor: sideways\nrules:\n'
        '  - {id: a, path: "{x:nonsense}.tif", table: [nanoscience, File]}\n'
        '  - {id: a, path: "{y.tif", table: [nanoscience, File]}\n',
        "utf-8",
    )
    names = {
        "none": tmp_path / "none",
        "file": tmp_path / "file",
        "empty": tmp_path / "empty",
        "faulty": tmp_path / "faulty.yaml",
    }
    ended = place.nanoferry(*(part.format(**names) for part in arguments))
    assert (ended.code, words in ended.err + ended.out) == (code, True), ended
    if code == 2:
        assert ended.out == ""
        assert "What to do:" in ended.err or "    " in ended.err


def test_a_wrong_token_is_one_clear_message(place: Place) -> None:
    url = place.nanoferry("serve", "--json").lines[0]["url"]
    ended = place.nanoferry(
        "upload", "--dir", place.session.folder, "--server", url, NANOFERRY_TOKEN="no-such-token"
    )
    assert ended.code == 2
    assert "does not know this login" in ended.err
    assert "NANOFERRY_TOKEN" in ended.err


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_ctrl_c_finishes_cleanly_and_the_same_command_goes_on(own_state: Path, tmp_path: Path) -> None:
    session = make_session(tmp_path / "session", files=40)
    command = [sys.executable, "-m", "uploader", "upload", "--dir", str(session.folder), "--json"]
    with subprocess.Popen(
        command, env=environment(own_state), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        lines = []
        for text in child.stdout:
            lines.append(json.loads(text))
            if lines[-1]["kind"] == "file_started":
                child.send_signal(signal.SIGINT)
                break
        rest, said = child.communicate(timeout=60)
    lines += [json.loads(text) for text in rest.splitlines()]
    assert child.returncode == 130, said
    assert lines[-1]["kind"] == "run_finished"
    assert lines[-1]["interrupted"] is True
    assert "run the same command again" in said
    assert Path(lines[-1]["receipt"]).is_file()

    again = run(own_state, "upload", "--dir", session.folder, "--json")
    outcomes = again.lines[-1]["outcomes"]
    done = lines[-1]["outcomes"].get("new", 0)
    assert outcomes.get("same", 0) == done, "what had arrived is not sent again"
    assert outcomes["new"] + done == len(session.pictures) - outcomes["held"] - outcomes["unmatched"]
