"""The last words of a run name the receipt when there is one, and only then."""

from __future__ import annotations

from typing import Any

from uploader.cli.closing import closing_lines
from uploader.model.files import Outcome
from uploader.report.summary import Summary, summarise
from validation.codes import issue


def words(summary: Summary) -> str:
    return "\n".join(closing_lines(summary, ["upload", "--dir", "/data"]))


def test_interrupted_names_the_receipt_of_what_was_done(script: Any) -> None:
    ended = script.ended(interrupted=True, receipt="/state/receipts/a.json", new=1)
    assert "Receipt so far: /state/receipts/a.json" in words(summarise([script.started(), ended]))


def test_a_dry_run_speaks_of_no_receipt(script: Any) -> None:
    black = issue("image.black", "all pixels are black")
    found = [script.finished(f"{number}.tif", Outcome.NEW, issues=(black,)) for number in range(9)]
    summary = summarise([script.started(dry_run=True), script.planned(new=9), *found, script.ended()])
    assert "6 more; --json lists them all" in words(summary)
    assert "receipt" not in words(summary)
