"""No room on the server: 507 in plain words, nothing half kept, earlier objects untouched."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from uploader.embedded.server import Settings

ROOM = 100_000


@pytest.fixture
def settings() -> Settings:
    return Settings(max_bytes=ROOM)


@pytest.fixture(autouse=True)
def _namespace(call):
    call.namespace("/hatrac/lab")


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "data/hatrac").rglob("*/*") if path.is_file()]


def test_a_body_beyond_the_room_is_refused_and_the_room_kept(call, tmp_path):
    call.put("/hatrac/lab/first", bytes(60_000))
    refused = call.put("/hatrac/lab/second", bytes(60_000))
    assert refused.status_code == 507
    assert refused.headers["Content-Type"] == "text/plain"
    assert "Nothing of this request was kept" in refused.text
    assert call("HEAD", "/hatrac/lab/second").status_code == 404
    assert len(files(tmp_path)) == 1
    assert call.put("/hatrac/lab/third", bytes(40_000)).status_code == 201


def test_deleting_makes_room(call):
    call.put("/hatrac/lab/first", bytes(ROOM))
    assert call.put("/hatrac/lab/second", b"x").status_code == 507
    call("DELETE", "/hatrac/lab/first")
    assert call.put("/hatrac/lab/second", bytes(ROOM)).status_code == 201


def test_a_job_reserves_its_room_and_gives_it_back(call):
    job = call.job("/hatrac/lab/big", ROOM, 1000)
    assert call.put("/hatrac/lab/second", b"x").status_code == 507
    call("DELETE", job)
    assert call.put("/hatrac/lab/second", b"x").status_code == 201


def test_refused_requests_do_not_eat_the_room(call, md5):
    for _ in range(5):
        call.put("/hatrac/lab/first", bytes(60_000), Content_MD5=md5(b"other"))
    assert call.put("/hatrac/lab/first", bytes(ROOM)).status_code == 201


def test_a_disk_that_fills_while_a_body_arrives(call, tmp_path, monkeypatch):
    real = os.write

    def full(handle: int, block: memoryview) -> int:
        if len(block) > 10_000:
            real(handle, block[:5000])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, block)

    monkeypatch.setattr("uploader.embedded.hatrac.bodies.os.write", full)
    assert call.put("/hatrac/lab/o", bytes(50_000)).status_code == 507
    assert call("HEAD", "/hatrac/lab/o").status_code == 404
    assert files(tmp_path) == []
    job = call.job("/hatrac/lab/big", 20_000, 20_000)
    assert call.put(f"{job}/0", bytes(20_000)).status_code == 507
    monkeypatch.undo()
    assert call("POST", job).status_code == 409  # the chunk does not count
    assert call.put(f"{job}/0", bytes(20_000)).status_code == 204
    assert call("POST", job).status_code == 201


def test_a_disk_that_fills_while_the_index_is_written(call, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("uploader.embedded.hatrac.changes.add_version", full)
    assert call.put("/hatrac/lab/o", bytes(5000)).status_code == 507
    monkeypatch.undo()
    assert files(tmp_path) == []
    assert call.put("/hatrac/lab/o", bytes(ROOM)).status_code == 201
