"""Receipts are whole or absent, private, streamed, and come back as they were written."""

from __future__ import annotations

import json
import stat
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from uploader.model.errors import SettingsError
from uploader.model.files import FileResult, Outcome
from uploader.report.receipt import ReceiptHead, default_path, open_receipt, write_receipt
from validation.codes import issue

HEAD = ReceiptHead(
    run="0123abcd",
    started="2026-03-01T12:00:00Z",
    finished="2026-03-01T12:10:00Z",
    server="srv",
    catalog="1",
    spec_id="em-session",
    spec_version="1.0.0",
    spec_digest="d" * 64,
    roots=("/data/s1",),
    issues=(issue("group.gap", "frame 3 is missing", group="dataset:s1"),),
)


def test_comes_back_as_written(script: Any, tmp_path: Path) -> None:
    found = issue("header.path_conflict", "path says 200 kV", path="b\n.tif", line=3)
    results = [
        script.result("a.tif"),
        script.result("b\n.tif", Outcome.HELD, issues=(found,)),
        script.result("undecodable-\udcff.tif", Outcome.FAILED, error="It could not be read."),
    ]
    totals = write_receipt(tmp_path / "r.json", HEAD, results)
    receipt = open_receipt(tmp_path / "r.json")
    assert receipt.head == HEAD
    assert list(receipt.files()) == results
    assert list(receipt.files()) == results, "it can be read again"
    assert totals.files == 3
    assert totals.size_bytes == 3000
    assert totals.outcomes["held"] == totals.outcomes["new"] == totals.outcomes["failed"] == 1


def test_a_receipt_without_files(tmp_path: Path) -> None:
    write_receipt(tmp_path / "r.json", HEAD, [])
    assert list(open_receipt(tmp_path / "r.json").files()) == []


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    write_receipt(tmp_path / "deep" / "r.json", HEAD, [])
    assert stat.S_IMODE((tmp_path / "deep" / "r.json").stat().st_mode) == 0o600


def test_whole_or_absent(script: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_receipt(path, HEAD, [script.result("a.tif")])
    before = path.read_bytes()

    def torn() -> Iterator[FileResult]:
        yield script.result("b.tif")
        raise RuntimeError("the journal went away")

    with pytest.raises(RuntimeError):
        write_receipt(path, HEAD, torn())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_memory_does_not_grow_with_the_files(script: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    tracemalloc.start()
    try:
        write_receipt(path, HEAD, (script.result(f"{number:06}.tif") for number in range(5_000)))
        count = sum(1 for _ in open_receipt(path).files())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 5_000
    assert path.stat().st_size > 2_000_000
    assert peak < 1_500_000


@pytest.mark.parametrize(
    "text",
    ["", "not json", "[]", "{}", '{"schema": "nanoferry.receipt/9"}', '{"schema": "nanoferry.receipt/1"}'],
)
def test_anything_else_is_refused_with_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=r"not a whole receipt") as caught:
        open_receipt(tmp_path / "r.json")
    assert "nanoferry status" in caught.value.remedy


def test_a_cut_receipt_is_noticed_while_its_files_are_read(script: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_receipt(path, HEAD, [script.result("a.tif"), script.result("b.tif")])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SettingsError, match="not a whole receipt"):
        list(open_receipt(path).files())


def test_a_missing_receipt(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        open_receipt(tmp_path / "none.json")


def test_it_is_plain_json_for_every_other_program(script: Any, tmp_path: Path) -> None:
    write_receipt(tmp_path / "r.json", HEAD, [script.result("a.tif")])
    document = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert document["schema"] == "nanoferry.receipt/1"
    assert list(document["files"][0])[:8] == [
        "path", "size_bytes", "md5", "sha256", "outcome", "object_url", "rid", "issues",
    ]  # fmt: skip
    assert document["totals"]["files"] == 1


def test_the_default_place_is_the_state_folder(tmp_path: Path) -> None:
    assert default_path(tmp_path, "0123abcd", HEAD.started) == (
        tmp_path / "receipts" / "20260301T120000-0123abcd.json"
    )
