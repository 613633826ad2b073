"""What changed since the last run, here or there: moves, edits, twins, lost memory, moved folders."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ferry_world import SESSION, SMALL_WIRE, World, fill, hurried, png, session

from uploader.engine import run
from uploader.model.errors import Conflict, Unreachable
from uploader.model.events import FileFinished
from validation.check import Depth

DATASET = "nanoscience:Dataset"


def by_path(world: World) -> dict[str, dict[str, Any]]:
    return {row["Path"]: row for row in world.rows()}


def versions(world: World) -> dict[str, int]:
    return {name.rpartition("/")[2]: len(found) for name, found in world.objects().items()}


def listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (path.relative_to(folder).as_posix(), path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
    )


def test_changed_bytes_make_a_second_version_and_update_the_same_row(world: World, data: Path) -> None:
    world.upload(session(data))
    before = by_path(world)["notes.txt"]
    fill(data / SESSION, {"notes.txt": b"more notes"})
    assert world.upload(data).outcomes == {"same": 2, "updated": 1}
    after = by_path(world)["notes.txt"]
    assert after["RID"] == before["RID"]
    assert world.content(after["URL"]) == b"more notes"
    assert versions(world)["notes.txt"] == 2


def test_a_touched_file_is_the_same(world: World, data: Path) -> None:
    world.upload(session(data))
    os.utime(data / SESSION / "notes.txt", (1, 1))
    told = world.upload(data)
    assert told.outcomes == {"same": 3}
    assert told.finished.sent_bytes == 0


def test_a_renamed_folder_moves_its_rows(world: World, data: Path) -> None:
    fill(data / SESSION, {"day1/a.txt": b"same bytes", "day1/b.txt": b"same bytes", "day1/c.txt": b"other"})
    world.upload(data)
    rids = {row["RID"] for row in world.rows()}
    (data / SESSION / "day1").rename(data / SESSION / "day2")
    told = world.upload(data)
    assert told.plan == [f"moved         {SESSION}/day2/{name}.txt" for name in "abc"]
    assert told.outcomes == {"updated": 3}
    assert told.finished.sent_bytes == 0
    assert {row["RID"] for row in world.rows()} == rids
    assert by_path(world).keys() == {"day2/a.txt", "day2/b.txt", "day2/c.txt"}
    assert set(versions(world).values()) == {1}


def test_a_file_copied_to_its_new_place_is_hashed_and_recognised(world: World, data: Path) -> None:
    world.upload(session(data))
    source, target = data / SESSION / "notes.txt", data / SESSION / "moved.txt"
    shutil.copyfile(source, target)
    source.unlink()
    assert world.upload(data).outcomes == {"same": 2, "updated": 1}
    assert "moved.txt" in by_path(world)
    assert "notes.txt" not in by_path(world)


def test_a_copy_of_a_moved_file_does_not_take_its_row(world: World, data: Path) -> None:
    world.upload(session(data))
    folder = data / SESSION
    (folder / "notes.txt").rename(folder / "moved.txt")
    world.upload(data)
    shutil.copyfile(folder / "moved.txt", folder / "copy.txt")
    assert world.upload(data).outcomes == {"same": 3, "new": 1}
    assert {"moved.txt", "copy.txt"} <= by_path(world).keys()


def test_deleting_a_file_deletes_nothing_there(world: World, data: Path) -> None:
    world.upload(session(data))
    (data / SESSION / "notes.txt").unlink()
    assert world.upload(data).outcomes == {"same": 2}
    assert "notes.txt" in by_path(world)


def test_somebody_elses_bytes_are_a_conflict(world: World, data: Path) -> None:
    world.upload(session(data))
    row = by_path(world)["notes.txt"]
    world.edit("nanoscience:File", row["RID"], MD5="0" * 32, SHA256="0" * 64)
    told = world.upload(data)
    assert told.outcomes == {"same": 2, "held": 1}
    assert [one.code for one in told.results[f"{SESSION}/notes.txt"].issues if one.holds] == [
        "catalog.conflict"
    ]
    assert by_path(world)["notes.txt"]["MD5"] == "0" * 32


def test_a_column_somebody_edited_stays(world: World, data: Path) -> None:
    world.upload(session(data))
    world.edit("nanoscience:File", by_path(world)["notes.txt"]["RID"], Title="By hand")
    assert world.upload(data).outcomes == {"same": 3}
    assert by_path(world)["notes.txt"]["Title"] == "By hand"


def test_a_row_somebody_deleted_is_made_again_over_the_same_object(world: World, data: Path) -> None:
    world.upload(session(data))
    rid = by_path(world)["notes.txt"]["RID"]
    world.ask("DELETE", f"/ermrest/catalog/1/entity/nanoscience:File/RID={rid}").raise_for_status()
    told = world.upload(data)
    assert told.outcomes == {"same": 2, "new": 1}
    assert told.finished.sent_bytes == 0
    assert set(versions(world).values()) == {1}


def test_a_lost_journal_costs_hashing_and_nothing_else(world: World, data: Path) -> None:
    world.upload(session(data))
    before = world.end_state()
    for path in world.state_dir.glob("journal*"):
        path.unlink()
    told = world.upload(data)
    assert told.outcomes == {"same": 3}
    assert told.finished.sent_bytes == 0
    assert all(result.rid and result.object_url and result.md5 for result in told.results.values())
    assert world.end_state() == before
    assert world.upload(data).outcomes == {"same": 3}


def test_a_folder_that_moved_is_recognised_by_its_records(world: World, data: Path) -> None:
    world.upload(session(data))
    before = world.end_state()
    elsewhere = data.with_name("elsewhere")
    data.rename(elsewhere)
    told = world.upload(elsewhere)
    assert told.outcomes == {"same": 3}
    assert told.finished.sent_bytes == 0
    assert world.end_state() == before


def test_overlapping_folders_are_one_delivery(world: World, data: Path) -> None:
    session(data)
    told = world.upload(data, data / "NFFA-7")
    assert told.outcomes == {"new": 3, "same": 3}
    assert len(world.rows()) == 3
    assert set(versions(world).values()) == {1}
    again = world.upload(data, data / "NFFA-7")
    assert again.outcomes == {"same": 6}


def test_a_copy_in_a_second_folder_is_the_same_delivery(world: World, data: Path) -> None:
    session(data / "one")
    shutil.copytree(data / "one", data / "two")
    assert world.upload(data / "one", data / "two").outcomes == {"new": 3, "same": 3}
    assert len(world.rows()) == 3
    assert world.upload(data / "one", data / "two").outcomes == {"same": 6}


def test_other_bytes_under_one_name_are_a_conflict_every_time(world: World, data: Path) -> None:
    session(data / "one")
    shutil.copytree(data / "one", data / "two")
    fill(data / "two" / SESSION, {"notes.txt": b"other notes"})
    told = world.upload(data / "one", data / "two")
    assert told.outcomes == {"new": 3, "same": 2, "held": 1}
    assert world.content(by_path(world)["notes.txt"]["URL"]) == b"notes notes.txt\n"
    # Nor does the second folder win by coming again.
    assert world.upload(data / "one", data / "two").outcomes == {"same": 5, "held": 1}
    assert world.content(by_path(world)["notes.txt"]["URL"]) == b"notes notes.txt\n"
    assert versions(world)["notes.txt"] == 1


def test_a_changed_sidecar_updates_the_dataset_once(world: World, data: Path) -> None:
    session(data)
    fill(data / SESSION, {"nanoferry.yaml": b"operator: {name: Anna Rossi}\n"})
    world.upload(data)
    assert "Anna Rossi" in json.dumps(world.rows(DATASET)[0]["Metadata"])
    fill(data / SESSION, {"nanoferry.yaml": b"operator: {name: Anna R. Rossi}\n"})
    world.upload(data)
    row = world.rows(DATASET)[0]
    assert "Anna R. Rossi" in json.dumps(row["Metadata"])
    world.upload(data)
    assert world.rows(DATASET)[0]["RMT"] == row["RMT"]


def test_a_dataset_that_somebody_edited_keeps_the_edit(world: World, data: Path) -> None:
    session(data)
    fill(data / SESSION, {"nanoferry.yaml": b"operator: {name: Anna Rossi}\n"})
    world.upload(data)
    (row,) = world.rows(DATASET)
    world.edit(DATASET, row["RID"], Metadata={"by": "hand"})
    fill(data / SESSION, {"nanoferry.yaml": b"operator: {name: Anna R. Rossi}\n"})
    world.upload(data)
    assert world.rows(DATASET)[0]["Metadata"] == {"by": "hand"}


def test_a_dry_run_changes_nothing_anywhere(world: World, data: Path) -> None:
    world.upload(session(data))
    fill(data / SESSION, {"area2_001.png": png(9), "notes.txt": b"changed"})
    here, there = listing(data), (world.end_state(), world.objects())
    told = world.upload(data, dry_run=True)
    assert told.plan == sorted(
        [
            f"changed-bytes {SESSION}/notes.txt",
            f"new           {SESSION}/area2_001.png",
            f"same          {SESSION}/area1_001.png",
            f"same          {SESSION}/area1_002.png",
        ]
    )
    assert told.results == {}
    assert (world.end_state(), world.objects()) == there
    assert listing(data) == here


def test_strict_sends_nothing_while_something_is_held(world: World, data: Path) -> None:
    session(data)
    fill(data, {f"{SESSION}/{'n' * 240}.txt": b"too long a name"})
    told = world.upload(data, strict=True)
    assert told.outcomes == {"cancelled": 3, "held": 1}
    assert world.rows() == []
    assert world.objects() == {}
    assert world.upload(data).outcomes == {"new": 3, "held": 1}


def test_a_run_never_writes_below_the_data(world: World, data: Path) -> None:
    session(data)
    here = listing(data)
    world.upload(data)
    assert listing(data) == here


def test_a_stopped_run_goes_on_the_next_time(world: World, data: Path) -> None:
    session(data, [f"note_{number:03}.txt" for number in range(120)])
    with world.engine(data) as engine:
        events = []
        for event in engine.run(dry_run=False, strict=False, depth=Depth.HEADERS):
            events.append(event)
            if isinstance(event, FileFinished):
                engine.stop()
    assert events[-1].interrupted  # type: ignore[attr-defined]
    outcomes = [event.result.outcome.value for event in events if isinstance(event, FileFinished)]
    assert set(outcomes) <= {"new", "cancelled"}
    assert len(outcomes) == 120
    again = world.upload(data)
    assert set(again.outcomes) <= {"new", "same"}
    assert len(world.rows()) == 120
    assert set(versions(world).values()) == {1}


@pytest.mark.parametrize("kind", ["run_started", "survey_progressed", "plan_made"])
def test_a_run_stopped_in_its_survey_decides_nothing(kind: str, world: World, data: Path) -> None:
    session(data)
    with world.engine(data) as engine:
        events = []
        for event in engine.run(dry_run=False, strict=False, depth=Depth.HEADERS):
            events.append(event)
            if event.kind == kind:
                engine.stop()
    outcomes = {event.result.outcome.value for event in events if isinstance(event, FileFinished)}
    assert outcomes <= {"cancelled"}
    assert events[-1].interrupted  # type: ignore[attr-defined]
    assert world.rows() == []
    assert world.upload(data).outcomes == {"new": 3}


def test_a_file_that_changes_is_sent_as_it_is_now_and_one_that_goes_is_refused(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    session(data)
    folder = data / SESSION
    with world.engine(data) as engine:
        results = {}
        for event in engine.run(dry_run=False, strict=False, depth=Depth.HEADERS):
            if event.kind == "plan_made":
                fill(folder, {"notes.txt": b"written after the survey"})
                (folder / "area1_002.png").unlink()
            if isinstance(event, FileFinished):
                results[event.result.path.rpartition("/")[2]] = event.result
    assert results["area1_001.png"].outcome == "new"
    assert results["notes.txt"].outcome == "new"
    assert results["area1_002.png"].outcome == "failed"
    assert [one.code for one in results["area1_002.png"].issues if one.origin == "ferry"] == [
        "source.unreadable"
    ]
    assert by_path(world).keys() == {"area1_001.png", "notes.txt"}
    assert world.upload(data).outcomes == {"same": 2}
    assert world.content(by_path(world)["notes.txt"]["URL"]) == b"written after the survey"


def test_a_parent_the_catalog_refuses_holds_its_own_files_only(world: World, data: Path) -> None:
    """A record with the same key elsewhere cannot be made: the files of other records go."""
    session(data)
    too_long = fill(data, {"NFFA-8/gold/2025-03-11_rossi_SEM/a.txt": b"a"})
    world.upload(data, dry_run=True)
    other = "NFFA-8"
    with world.engine(too_long) as engine:
        insert = engine._ports.catalog.insert

        def refuse(table: str, rows: Any) -> Any:
            if table == "nanoscience:Project" and any(row["Name"] == other for row in rows):
                raise Conflict("check constraint", status=409)
            return insert(table, rows)

        engine._ports.catalog.insert = refuse  # type: ignore[method-assign]
        results = {}
        for event in engine.run(dry_run=False, strict=False, depth=Depth.HEADERS):
            assert event.kind != "parked"
            if isinstance(event, FileFinished):
                results[event.result.path.partition("/")[0]] = event.result
    assert results["NFFA-7"].outcome == "new"
    assert results[other].outcome == "held"
    assert "check constraint" in results[other].error
    assert len(world.rows()) == 3


class RowlessCatalog:
    """Takes parents, and no row of a file."""

    def __init__(self, catalog: Any) -> None:
        self._catalog = catalog

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def insert(self, table: str, rows: Any) -> Any:
        if table.endswith(":File"):
            raise Unreachable("The catalog is away.")
        return self._catalog.insert(table, rows)


@pytest.mark.parametrize("large", [False, True])
def test_a_file_that_changes_between_its_object_and_its_row_is_sent_anew(
    world: World, data: Path, monkeypatch: pytest.MonkeyPatch, *, large: bool
) -> None:
    monkeypatch.setattr(run, "Wire", SMALL_WIRE)
    session(data, ["notes.txt"])
    notes = data / SESSION / "notes.txt"
    notes.write_bytes(b"early " * (2000 if large else 1))
    with world.engine(data) as engine:
        catalog: Any = RowlessCatalog(engine._ports.catalog)
        engine._ports = dataclasses.replace(engine._ports, catalog=catalog)
        list(engine.run(dry_run=False, strict=False, depth=Depth.NAMES))
    notes.write_bytes(b"later " * (2000 if large else 1))
    assert world.upload(data).outcomes == {"new": 1}
    (row,) = world.rows()
    assert world.content(row["URL"]) == notes.read_bytes()
    assert {len(versions) for versions in world.objects().values()} == {2}
