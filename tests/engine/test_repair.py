"""What has come apart between disk, journal and server is found, and a repair and an upload heal it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ferry_world import SESSION, World, session

from uploader.bootstrap import Remote, connect
from uploader.cli.exits import Exit
from uploader.cli.main import run
from uploader.engine.repair import Ailment, Examination, treat
from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.entries import DeliveryState
from uploader.model.files import Digest, Proof, SourceFile
from uploader.stages.one_file import source_of

A = f"{SESSION}/area1_001.png"


@contextmanager
def opened(world: World) -> Iterator[tuple[SqliteJournal, Remote]]:
    journal = open_journal(world.state_dir)
    try:
        with connect(world.settings) as remote:
            yield journal, remote
    finally:
        journal.close()


def ailments(world: World, *within: Path) -> list[Ailment]:
    with opened(world) as (journal, remote):
        roots = [Path(root) for each in journal.runs() for root in each.roots]
        looking = Examination(journal, remote.store, remote.catalog, roots=roots, within=within)
        return list(looking.ailments())


def told(world: World) -> list[str]:
    return [f"{each.trouble.name} {each.cure.name} {Path(each.path).name}" for each in ailments(world)]


def repaired(*arguments: str) -> int:
    return run(["repair", "--yes", "--spec", "em-session", *arguments])


def lose_object(world: World, path: str = A) -> str:
    """The server loses the version that the record names, as when it was restored from an older backup."""
    row = row_of(world, path)
    assert world.ask("DELETE", row["URL"]).status_code == 204
    return str(row["URL"])


def lose_row(world: World, path: str = A) -> None:
    row = row_of(world, path)
    answer = world.ask("DELETE", f"/ermrest/catalog/1/entity/nanoscience:File/RID={row['RID']}")
    assert answer.status_code == 204


def row_of(world: World, path: str = A) -> dict[str, Any]:
    name = path.rpartition("/")[2]
    (row,) = [each for each in world.rows() if each["Path"].endswith(name)]
    return row


def content_is_right(world: World, data: Path, path: str = A) -> bool:
    return world.content(row_of(world, path)["URL"]) == (data / path).read_bytes()


@pytest.fixture
def sent(world: World, data: Path) -> World:
    """A session that was sent, and is whole."""
    world.upload(session(data))
    assert ailments(world) == []
    return world


def test_what_is_whole_needs_nothing(sent: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["repair"]) == Exit.DONE
    assert "All is whole" in capsys.readouterr().out


def test_a_lost_object_is_sent_again_and_its_record_corrected(
    sent: World, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = lose_object(sent)
    assert told(sent) == ["NO_OBJECT SEND_AGAIN area1_001.png"]
    # A plain upload sees the record and the journal's word and believes them.
    assert sent.upload(data).outcomes["same"] == 3

    assert run(["repair"]) == Exit.SOMETHING_LEFT
    assert "Nothing was changed." in capsys.readouterr().out
    assert told(sent) == ["NO_OBJECT SEND_AGAIN area1_001.png"]

    assert repaired() == Exit.DONE
    assert told(sent) == []
    assert row_of(sent)["URL"] != lost
    assert content_is_right(sent, data)
    assert len(sent.rows()) == 3


def test_a_lost_object_whose_file_has_changed_is_replaced_by_what_is_there(sent: World, data: Path) -> None:
    lose_object(sent, f"{SESSION}/notes.txt")
    (data / SESSION / "notes.txt").write_text("other notes\n", "utf-8")
    assert told(sent) == ["NO_OBJECT UPLOAD notes.txt"]
    assert repaired() == Exit.DONE
    assert told(sent) == []
    assert content_is_right(sent, data, f"{SESSION}/notes.txt")


def test_a_touched_file_is_known_by_its_bytes(sent: World, data: Path) -> None:
    lose_object(sent)
    (data / A).touch()
    assert told(sent) == ["NO_OBJECT SEND_AGAIN area1_001.png"]
    assert repaired() == Exit.DONE
    assert content_is_right(sent, data)


def test_a_lost_object_whose_file_is_gone_is_told_and_left(
    sent: World, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lose_object(sent)
    (data / A).unlink()
    assert told(sent) == ["NO_OBJECT NONE area1_001.png"]
    assert repaired() == Exit.SOMETHING_LEFT
    assert "Look for a copy, put it back" in capsys.readouterr().out
    assert len(sent.rows()) == 3


def test_a_copy_that_is_put_back_heals_it(sent: World, data: Path) -> None:
    body = (data / A).read_bytes()
    lose_object(sent)
    (data / A).unlink()
    assert repaired() == Exit.SOMETHING_LEFT
    (data / A).write_bytes(body)
    assert repaired() == Exit.DONE
    assert content_is_right(sent, data)


def test_a_disk_that_is_not_connected_says_nothing_about_its_files(
    sent: World, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(sent, data, "late.txt", arrived=False)
    lose_object(sent)
    data.rename(data.with_name("away"))
    assert told(sent) == ["NO_OBJECT NONE area1_001.png"]
    assert repaired() == Exit.SOMETHING_LEFT
    assert "connect its disk and run this again" in capsys.readouterr().out
    data.with_name("away").rename(data)
    assert told(sent) == ["NO_OBJECT SEND_AGAIN area1_001.png", "UNFINISHED UPLOAD late.txt"]


def test_a_record_that_was_deleted_is_written_again(sent: World, data: Path) -> None:
    lose_row(sent)
    assert told(sent) == ["NO_RECORD UPLOAD area1_001.png"]
    versions = sent.objects()
    assert repaired() == Exit.DONE
    assert told(sent) == []
    assert content_is_right(sent, data)
    assert sent.objects() == versions


def test_an_object_without_record_and_file_is_told_with_its_place(
    sent: World, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = row_of(sent)["URL"]
    lose_row(sent)
    (data / A).unlink()
    assert told(sent) == ["NO_RECORD NONE area1_001.png"]
    assert run(["repair"]) == Exit.SOMETHING_LEFT
    assert f"its object is kept at {url}" in capsys.readouterr().out


def begun(world: World, data: Path, name: str, *, arrived: bool, noted: bool = False) -> SourceFile:
    """A first upload that was killed: after the intent, or after the object arrived, or after that was noted."""
    (data / SESSION / name).write_bytes(name.encode() * 10)
    full = source_of(data / SESSION / name)
    source = SourceFile(f"{SESSION}/{name}", full.size_bytes, full.mtime_ns, full.volume_id, full.file_id)
    body = (data / SESSION / name).read_bytes()
    digest = Digest(hashlib.md5(body).hexdigest(), hashlib.sha256(body).hexdigest(), len(body))
    with opened(world) as (journal, remote):
        target = journal.target(remote.catalog.server, remote.catalog.catalog_id)
        named = f"/hatrac/begun/{name}"
        delivery = journal.intend(target, "nanoscience:File", f'["{name}"]', named, source, source.path)
        journal.save_digests({source.identity: digest})
        if arrived:
            remote.store.ensure_namespaces(["/hatrac/begun"])
            md5 = bytes.fromhex(digest.md5)
            kind = {"content_type": "text/plain", "filename": name}
            stored = remote.store.put(named, body, md5=md5, only_new=True, **kind)
            if noted:
                journal.stored(delivery.delivery_id, stored, digest)
    return source


def test_a_stored_object_whose_record_was_never_written(sent: World, data: Path) -> None:
    begun(sent, data, "late.txt", arrived=True, noted=True)
    assert told(sent) == ["NO_RECORD UPLOAD late.txt"]


def test_what_was_begun_is_finished_by_an_upload(sent: World, data: Path) -> None:
    begun(sent, data, "late.txt", arrived=False)
    assert told(sent) == ["UNFINISHED UPLOAD late.txt"]


def test_what_was_begun_and_has_gone_is_forgotten_with_its_jobs(sent: World, data: Path) -> None:
    source = begun(sent, data, "late.txt", arrived=False)
    with opened(sent) as (_, remote):
        remote.store.ensure_namespaces(["/hatrac/begun"])
        like = {"content_type": "text/plain", "filename": "late.txt"}
        remote.store.open_job("/hatrac/begun/late.txt", size_bytes=9000, chunk_bytes=9000, **like)
    (data / source.path).unlink()
    assert told(sent) == ["UNFINISHED FORGET late.txt"]
    assert len(sent.jobs()) == 1
    assert repaired() == Exit.DONE
    assert told(sent) == []
    assert sent.jobs() == []


def test_an_object_that_arrived_unnoticed_is_noted_when_it_is_ours(sent: World, data: Path) -> None:
    source = begun(sent, data, "late.txt", arrived=True)
    (data / source.path).unlink()
    assert told(sent) == ["UNFINISHED ADOPT late.txt"]
    repaired()
    assert told(sent) == ["NO_RECORD NONE late.txt"]
    with opened(sent) as (journal, remote):
        target = journal.target(remote.catalog.server, remote.catalog.catalog_id)
        held = journal.deliveries(target, "nanoscience:File", ['["late.txt"]'])['["late.txt"]']
    assert (held.state, held.proof) == (DeliveryState.STORED, Proof.ADOPTED)


def test_an_object_of_somebody_else_is_left_alone(sent: World, data: Path) -> None:
    source = begun(sent, data, "late.txt", arrived=False)
    with opened(sent) as (_, remote):
        remote.store.ensure_namespaces(["/hatrac/begun"])
        md5 = hashlib.md5(b"theirs").digest()
        like = {"content_type": "text/plain", "filename": "late.txt"}
        remote.store.put("/hatrac/begun/late.txt", b"theirs", md5=md5, only_new=True, **like)
    (data / source.path).unlink()
    assert told(sent) == ["UNFINISHED FORGET late.txt"]
    assert repaired() == Exit.DONE
    assert sent.content("/hatrac/begun/late.txt") == b"theirs"


def test_a_job_that_nobody_wants_is_cancelled(sent: World, data: Path) -> None:
    with opened(sent) as (journal, remote):
        remote.store.ensure_namespaces(["/hatrac/begun"])
        like = {"content_type": "text/plain", "filename": "a"}
        path = remote.store.open_job("/hatrac/begun/a", size_bytes=9000, chunk_bytes=9000, **like)
        held = journal.held(journal.target(remote.catalog.server, "1"), 0, 1)[0].delivery
        journal.open_job(
            held.delivery_id, path, chunk_bytes=9000, size_bytes=9000, source_identity=held.source_identity
        )
        journal.open_job(
            held.delivery_id, f"{path}2", chunk_bytes=9, size_bytes=9, source_identity=held.source_identity
        )
    assert told(sent) == ["STRAY_JOB CANCEL a"]
    assert repaired() == Exit.DONE
    assert sent.jobs() == []


def test_only_what_lies_below_a_folder(sent: World, data: Path) -> None:
    lose_object(sent)
    assert ailments(sent, data / "elsewhere") == []
    assert len(ailments(sent, data / SESSION)) == 1
    assert repaired("--dir", str(data / "elsewhere")) == Exit.DONE
    assert len(ailments(sent)) == 1


def test_nothing_is_healed_under_a_running_engine(
    sent: World, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_object(sent)
    monkeypatch.setattr(
        "uploader.cli.repair.running_engines", lambda journal: [type("E", (), {"roots": ["/d"]})]
    )
    assert repaired() == Exit.COULD_NOT_RUN
    assert "An engine is running for /d." in capsys.readouterr().err
    assert told(sent) == ["NO_OBJECT SEND_AGAIN area1_001.png"]


def test_a_cure_done_twice_does_no_harm(sent: World) -> None:
    lose_object(sent)
    (ailment,) = ailments(sent)
    with opened(sent) as (journal, remote):
        assert treat(journal, remote.store, ailment)
    # Killed before its upload: what is left to do is still known.
    assert told(sent) == ["UNFINISHED UPLOAD area1_001.png"]
    assert repaired() == Exit.DONE
    assert told(sent) == []


def test_where_nothing_ever_ran_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["repair"]) == Exit.DONE
    assert "Nothing was ever sent from here." in capsys.readouterr().out
    assert not (tmp_path / "state").exists()
