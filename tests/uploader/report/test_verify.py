"""Verify never calls a file safe unless disk, object and record all say so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from uploader.model.errors import Conflict, Unreachable
from uploader.model.files import FileResult, Outcome, Proof, Stored
from uploader.report.receipt import Receipt, ReceiptHead, open_receipt, write_receipt
from uploader.report.verify import DiskState, Verdict, VerifiedFile, verify

BYTES = b"pixels" * 50


@dataclass
class Server:
    """What the server holds: objects by URL and rows by RID. Implements the calls that verify makes."""

    objects: dict[str, bytes] = field(default_factory=dict)
    md5: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    look_ups: int = 0

    def head(self, url: str) -> Stored | None:
        if url not in self.objects:
            raise Conflict("currently has no content", status=409)
        body = self.objects[url]
        md5 = self.md5.get(url, hashlib.md5(body).hexdigest())
        return Stored(url.rpartition(":")[0], url, len(body), md5)

    def read(self, url: str) -> Iterator[bytes]:
        yield self.objects[url]

    def rows_by_key(self, table: str, column: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        assert (table, column) == ("nanoscience:File", "RID")
        self.look_ups += 1
        return [self.rows[value] for value in values if value in self.rows]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "session"
    made.mkdir()
    return made


@pytest.fixture
def delivered(folder: Path, script: Any) -> Callable[..., tuple[FileResult, Server]]:
    """A file on disk, its object, its row and its line in the receipt: all in order."""

    def make(path: str = "a.tif", server: Server | None = None) -> tuple[FileResult, Server]:
        (folder / path).write_bytes(BYTES)
        url, rid = f"/hatrac/s1/{path}:V1", f"RID-{path}"
        result = replace(
            script.result(path, object_url=url, rid=rid, root=str(folder)),
            size_bytes=len(BYTES),
            md5=hashlib.md5(BYTES).hexdigest(),
            sha256=hashlib.sha256(BYTES).hexdigest(),
        )
        server = server or Server()
        server.objects[url] = BYTES
        server.rows[rid] = {"RID": rid, "URL": url, "MD5": result.md5}
        return result, server

    return make


def receipt_of(folder: Path, results: Sequence[FileResult]) -> Receipt:
    head = ReceiptHead("r", "2026-03-01T12:00:00Z", "", "srv", "1", "s", "1", "d", (str(folder),))
    path = folder.parent / "receipt.json"
    write_receipt(path, head, results)
    return open_receipt(path)


def check(folder: Path, server: Any, *results: FileResult, deep: bool = False) -> list[VerifiedFile]:
    return list(verify(receipt_of(folder, results), server, server, deep=deep))


def test_a_file_in_order_is_safe(folder: Path, delivered: Any) -> None:
    result, server = delivered()
    (found,) = check(folder, server, result)
    assert found.is_safe
    assert found.proof is Proof.JOB_MD5


def test_the_same_size_with_other_bytes_is_not_safe(folder: Path, delivered: Any) -> None:
    result, server = delivered()
    (folder / "a.tif").write_bytes(b"x" * len(BYTES))
    (found,) = check(folder, server, result)
    assert not found.is_safe
    assert found.disk is DiskState.CHANGED


def test_a_deleted_file_is_secured_but_no_longer_a_question(folder: Path, delivered: Any) -> None:
    result, server = delivered()
    (folder / "a.tif").unlink()
    (found,) = check(folder, server, result)
    assert found.is_secured
    assert not found.is_safe
    assert found.disk is DiskState.GONE


def test_a_lost_object_is_not_safe(folder: Path, delivered: Any) -> None:
    result, server = delivered()
    server.objects.clear()
    (found,) = check(folder, server, result)
    assert found.faults == ("The server no longer holds the object.",)
    assert found.proof is Proof.NONE


def test_an_object_with_another_md5_is_not_safe(folder: Path, delivered: Any) -> None:
    result, server = delivered()
    server.md5[result.object_url] = "0" * 32
    (found,) = check(folder, server, result)
    assert "md5" in found.faults[0]


def test_an_object_without_md5_is_not_safe_on_size_alone(folder: Path, delivered: Any) -> None:
    result, server = delivered()
    server.md5[result.object_url] = ""
    assert not check(folder, server, result)[0].is_safe


@pytest.mark.parametrize("row", [None, {"RID": "RID-a.tif", "URL": "/hatrac/s1/other.tif:V9", "MD5": "0"}])
def test_a_lost_or_changed_record_is_not_safe(folder: Path, delivered: Any, row: Any) -> None:
    result, server = delivered()
    server.rows = {} if row is None else {result.rid: row}
    assert not check(folder, server, result)[0].is_safe


def test_a_record_may_hold_the_object_without_its_version(folder: Path, delivered: Any) -> None:
    result, server = delivered()
    server.rows[result.rid] = {"RID": result.rid, "URL": "https://srv/hatrac/s1/a.tif"}
    assert check(folder, server, result)[0].is_safe


@pytest.mark.parametrize("proof", [Proof.NONE, Proof.ADOPTED])
def test_bytes_the_server_never_checked_need_a_download(folder: Path, delivered: Any, proof: Proof) -> None:
    result, server = delivered()
    result = replace(result, proof=proof)
    (shallow,) = check(folder, server, result)
    (deep,) = check(folder, server, result, deep=True)
    assert not shallow.is_safe
    assert "--deep" in shallow.faults[0]
    assert deep.is_safe
    assert deep.proof is Proof.DOWNLOAD


def test_a_download_finds_rotten_bytes_behind_a_right_md5(folder: Path, delivered: Any) -> None:
    result, server = delivered()
    server.md5[result.object_url] = result.md5
    server.objects[result.object_url] = b"y" * len(BYTES)
    assert check(folder, server, result)[0].is_safe
    (deep,) = check(folder, server, result, deep=True)
    assert not deep.is_secured


@pytest.mark.parametrize("outcome", [Outcome.HELD, Outcome.UNMATCHED, Outcome.FAILED, Outcome.CANCELLED])
def test_one_file_left_behind_makes_the_folder_unsafe(
    folder: Path, delivered: Any, script: Any, outcome: Outcome
) -> None:
    sent, server = delivered()
    (folder / "left.tif").write_bytes(BYTES)
    left = replace(script.result("left.tif", outcome), root=str(folder), size_bytes=len(BYTES))
    verdict = Verdict()
    for file in check(folder, server, sent, left):
        verdict = verdict.add(file)
    assert verdict.faulty == {str(folder): 1}
    assert not verdict.is_clean
    assert (verdict.files, verdict.safe_files, verdict.safe_bytes) == (2, 1, len(BYTES))


def test_rows_are_looked_up_in_batches(folder: Path, delivered: Any) -> None:
    server = Server()
    results = [delivered(f"{number:03}.tif", server)[0] for number in range(250)]
    found = check(folder, server, *results)
    assert [file.path for file in found] == [result.path for result in results]
    assert all(file.is_safe for file in found)
    assert server.look_ups == 3


def test_no_answer_is_not_an_answer(folder: Path, delivered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result, server = delivered()

    def down(url: str) -> Stored:
        raise Unreachable("no answer")

    monkeypatch.setattr(server, "head", down)
    with pytest.raises(Unreachable):
        check(folder, server, result)


def test_an_object_of_another_length_is_not_safe_whatever_its_md5_says(folder: Path, delivered: Any) -> None:
    result, server = delivered()
    server.md5[result.object_url] = result.md5
    server.objects[result.object_url] = BYTES[:-1]
    (found,) = check(folder, server, result)
    assert found.faults == (f"The stored object has {len(BYTES) - 1} bytes, the receipt says {len(BYTES)}.",)
