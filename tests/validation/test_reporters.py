"""Reports: grouped by cause, most important first, bounded, safe to print, readable again."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from validation.codes import CODES, issue
from validation.model import Report, Severity
from validation.reporters import json as json_reporter
from validation.reporters import text as text_reporter
from validation.reporters.json import ReportUnreadable
from validation.specset import data_dir

REPORT = Report(
    issues=(
        issue("header.unknown_format", "no reader knows it", path="x.bin"),
        *(issue("header.path_conflict", f"path 200, header {n}", path=f"a/{n}.tif", field="kV") for n in range(12)),
        issue("catalog.record_missing", "project 'NanoPb' was not found", group="Project:NanoPb"),
        issue("spec.syntax", "a tab", path="lab.yaml", line=3, column=7),
    ),
    files_checked=40,
    checks_not_run=("rights",),
    subject="session",
)  # fmt: skip


def test_the_report_groups_by_cause_in_order_of_importance() -> None:
    text = text_reporter.render(REPORT, width=80)
    lines = text.splitlines()
    assert lines[0] == "40 files checked in session: 2 errors, 12 warnings, 1 note"
    heads = [line for line in lines if line.startswith(("ERROR", "WARNING", "INFO"))]
    assert heads == [
        "ERROR 1 finding: Spec is not well formed [spec.syntax]",
        "ERROR 1 record: The parent record is not in the catalog [catalog.record_missing]",
        "WARNING 12 files: Path and header disagree [header.path_conflict]",
        "INFO 1 file: Format is not known [header.unknown_format]",
    ]
    assert "  for example: path 200, header 0" in lines
    assert "     and 8 more" in lines
    assert "     lab.yaml:3:7" in lines
    assert "     NanoPb" in lines
    assert lines[-1] == "Not run, so not passed: rights"


def test_a_clean_report_is_one_line() -> None:
    assert text_reporter.render(Report(files_checked=1), width=80) == "1 file checked: nothing to report"


@settings(deadline=None)
@given(st.integers(0, 200))
def test_lines_keep_to_the_width(width: int) -> None:
    for line in text_reporter.render(REPORT, width=width).splitlines()[1:]:
        assert len(line) <= max(width, text_reporter.LEAST_WIDTH) or "[" in line


def test_colour_marks_only_the_severity() -> None:
    coloured = text_reporter.render(REPORT, width=80, colour=True)
    assert coloured.count("\x1b[31;1mERROR\x1b[0m") == 2
    assert "\x1b" not in text_reporter.render(REPORT, width=80)


HOSTILE = "\x1b[2J\x07a\nb\r\u202ereversed\u2028\udcff\x9b31m<b>&"


@pytest.mark.parametrize("place", ["path", "message", "remedy", "group", "subject"])
def test_what_could_steer_a_terminal_is_made_visible(place: str) -> None:
    parts = {"path": "p", "message": "m", "remedy": "r", "group": ""} | {place: HOSTILE}
    message = parts.pop("message")
    if place == "group":
        parts["path"] = ""
    parts.pop("subject", None)
    subject = HOSTILE if place == "subject" else "s"
    text = text_reporter.render(
        Report((issue("source.empty", message, **parts),), subject=subject), width=200
    )
    assert "reversed" in text
    for bad in "\x1b\x07\r\u202e\u2028\udcff\x9b":
        assert bad not in text
    text.encode("utf-8")


def test_umlauts_and_other_scripts_stay_readable() -> None:
    assert text_reporter.escaped("Prüfling µm 試料 é") == "Prüfling µm 試料 é"


def test_a_million_findings_make_a_short_report_in_seconds() -> None:
    one = issue("header.path_conflict", "path 200, header 300", path="a.tif")
    others = [
        issue("metadata.invalid", f"m{n}", field=f"/extensions/{n}", group="dataset:d") for n in range(2000)
    ]
    began = time.monotonic()
    text = text_reporter.render(
        Report((one,) * 1_000_000 + tuple(others), files_checked=1_000_000), width=100
    )
    assert time.monotonic() - began < 20
    assert len(text) < 40_000
    assert "1,000,000 files" in text
    assert "further causes" in text


SCHEMA = Draft202012Validator(json.loads((data_dir() / "meta" / "report.schema.json").read_text("utf-8")))

ISSUES = st.builds(
    issue,
    st.sampled_from(sorted(CODES)),
    st.text(min_size=1, max_size=30),
    path=st.text(max_size=10),
    field=st.text(max_size=10),
    line=st.none() | st.integers(1, 99),
    offset_bytes=st.none() | st.integers(0, 2**60),
    group=st.text(max_size=10),
    severity=st.none() | st.sampled_from(Severity),
)


@settings(deadline=None)
@given(st.lists(ISSUES, max_size=5), st.integers(0, 10**9), st.text(max_size=10))
def test_json_keeps_to_its_schema_and_is_read_back_the_same(issues: list, files: int, subject: str) -> None:
    report = Report(tuple(issues), files, ("catalog",), subject, {"server": "none"})
    text = json_reporter.render(report)
    assert text.isascii()
    SCHEMA.validate(json.loads(text))
    assert json_reporter.read(text) == report


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": "nanoferry.report/9"}', '{"schema": "nanoferry.report/1"}', "[" * 99999],
)
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ReportUnreadable):
        json_reporter.read(text)


def test_findings_about_the_whole_run_are_one_cause_with_their_messages() -> None:
    found = tuple(
        issue("catalog.table_missing", f"the catalog has no table isa:{name}", field=f"isa:{name}")
        for name in ("array_data", "mesh_data")
    )
    lines = text_reporter.render(Report(found), width=100).splitlines()
    assert sum("catalog.table_missing" in line for line in lines) == 1
    assert any("isa:array_data" in line for line in lines)
    assert "     the catalog has no table isa:mesh_data" in lines
