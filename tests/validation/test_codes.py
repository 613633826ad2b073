"""The code table: complete, in words, and the page made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from validation.codes import CODES, UnknownIssueCodeError, issue
from validation.codes_page import page
from validation.grading import DERIVA_ERRORS
from validation.model import Severity

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_codes_is_what_the_table_says() -> None:
    written = (DOCS / "codes.md").read_text("utf-8")
    assert written == page(), "run: python -m validation.codes_page > docs/codes.md"


@pytest.mark.parametrize("code", CODES)
def test_every_code_says_what_it_is_and_what_to_do(code: str) -> None:
    known = CODES[code]
    assert known.title
    assert not known.title.endswith(".")
    assert len(known.remedy) > 10
    assert known.remedy.endswith(".")


def test_checks_are_warnings_unless_a_spec_says_otherwise() -> None:
    # DESIGN 6.1: what a spec does not name runs as a warning; only facts about the world hold by themselves.
    judgements = [code for code in CODES if code.startswith(("header.", "image.", "preview.", "check."))]
    assert not [code for code in judgements if CODES[code].severity is Severity.ERROR]


def test_deriva_errors_are_known_codes() -> None:
    assert CODES.keys() >= DERIVA_ERRORS


def test_an_unknown_code_is_a_programming_error() -> None:
    with pytest.raises(UnknownIssueCodeError):
        issue("header.nonsense", "x")
