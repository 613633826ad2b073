"""Loading specs: every fault at once, with its line; nothing that runs, nothing that explodes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.errors import SpecError
from validation.model import Issue
from validation.spec.load import find, load, load_document, load_text, shipped
from validation.spec.model import ByKey, Spec, SpecForm

Faults = Callable[[str], tuple[Issue, ...]]

HEAD = 'nanoferry: 1\nid: t\nversion: "1.0.0"\n'
RULE = 'dataset: d, object: "/hatrac/{path}"'


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_shipped_specs_load_without_a_finding(name: str) -> None:
    spec = load(find(name))
    assert spec.issues == ()
    assert spec.rules
    assert len(spec.digest) == 64


def test_every_fault_is_reported_at_once_with_line_and_remedy(faults_of: Faults) -> None:
    found = faults_of(
        HEAD
        + "rules:\n"
        + f'  - {{id: a, path: "{{x}}{{y}}.tif", {RULE}}}\n'
        + f'  - {{id: a, path: "{{n:digits(x)}}.tif", {RULE}}}\n'
        + f'  - {{id: c, regex: "(", {RULE}}}\n'
        + '  - {id: d, path: "{n}.png", dataset: "{m}", object: "/hatrac/{nmae}"}\n'
    )
    assert [(issue.code, issue.location.line) for issue in found] == [
        ("spec.ambiguous", 5),
        ("spec.invalid", 6),
        ("spec.pattern", 6),
        ("spec.pattern", 7),
        ("spec.unknown_name", 8),
        ("spec.unknown_name", 8),
    ]
    assert all(issue.remedy and issue.location.column for issue in found)


def test_breaches_of_the_schema_come_with_faults_of_the_paths(faults_of: Faults) -> None:
    found = faults_of(HEAD + f'unmached: hold\nrules:\n  - {{id: A, path: "{{x}}{{y}}", {RULE}}}\n')
    assert [(issue.code, issue.location.line) for issue in found] == [
        ("spec.invalid", 4),
        ("spec.invalid", 6),
        ("spec.ambiguous", 6),
    ]
    assert found[0].remedy == "Did you mean unmatched?"


@pytest.mark.parametrize(
    ("path", "anchor", "says"),
    [
        ("**/{n}.tif", "anywhere", "begins with **"),
        ("{a}/**/{n}.tif", "anywhere", "only free text"),
        ("{a}{b}.tif", "root", "nothing separates"),
        ("{a}[_{b}]{c}.tif", "root", "nothing separates"),
        ("{a}/{a}.tif", "root", "stands twice"),
        ("{a:vocab(nothing)}.tif", "root", "no vocabulary"),
        ("{a:date(%Y)}.tif", "root", "year, month and day"),
        ("{a:float}.tif", "root", "no type"),
        ("{a}[.tif", "root", "never closed"),
        ("{a}].tif", "root", "closes nothing"),
        ("*.tif", "root", "stands alone"),
        ("a/**", "root", "ends with the file's name"),
        ("/abs/{a}", "root", "not with /"),
        ("{a.__class__}", "root", "no field"),
        ("{n:int}5.tif", "root", "a digit follows"),
    ],
)
def test_templates_that_are_refused(faults_of: Faults, path: str, anchor: str, says: str) -> None:
    found = faults_of(HEAD + f'anchor: {anchor}\nrules:\n  - {{id: a, path: "{path}", {RULE}}}\n')
    assert len(found) == 1
    assert says in found[0].message


def test_references_to_nothing_are_found(faults_of: Faults) -> None:
    found = faults_of(
        HEAD
        + "records:\n  - {name: Dataset, table: [a, b], key: {Name: '{n}', P: '@Project'}}\n"
        + "rules:\n"
        + '  - id: a\n    path: "{n}.tif"\n    dataset: d\n    object: "/hatrac/{path}"\n'
        + '    columns: {X: "@Smaple", Y: "{header.accelerating_voltage_kV}", Z: "{header.nonsense}"}\n'
        + "    checks: {header.path_conflct: error}\n"
        + "required:\n  - {rule: b, series: k}\n  - {rule: a, series: k, gaps: warn}\n"
    )
    assert {issue.location.line for issue in found} == {5, 11, 12, 14, 15}
    assert any("header.path_conflict" in issue.remedy for issue in found)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: [*a, *a]\n",
        "!!python/object/apply:os.system [echo]\n",
        "a: !!python/name:os.system\n",
        "[" * 5000,
        "{" * 5000,
        '{"a": ' * 2000 + "1" + "}" * 2000,
        "a: 1\na: 2\n",
        '{"a": 1, "a": 2}',
        "\t",
        "",
        "- just a list",
        "nanoferry: 1\n\x00",
    ],
)
def test_what_is_no_spec_is_refused_with_a_syntax_fault(faults_of: Faults, text: str) -> None:
    assert {issue.code for issue in faults_of(text)} == {"spec.syntax"}


def test_a_huge_text_is_refused_without_being_read(faults_of: Faults, tmp_path: Path) -> None:
    before = time.process_time()
    assert faults_of("a: [" + "x, " * 4_000_000 + "]")[0].code == "spec.syntax"
    big = tmp_path / "big.yaml"
    big.write_bytes(b"x" * 10_000_000)
    with pytest.raises(SpecError):
        load(big)
    assert time.process_time() - before < 1


@given(st.text(max_size=200))
def test_no_text_breaks_the_loader(text: str) -> None:
    with suppress(SpecError):
        load_text(text, "t")


def test_json_faults_have_lines_too(faults_of: Faults) -> None:
    found = faults_of('{\n "asset_mappings": [\n  {"file_pattern": "(",\n   "column_map": {"A": 1}}\n ]\n}')
    assert [(issue.code, issue.location.line) for issue in found] == [
        ("spec.invalid", 3),
        ("spec.invalid", 3),
        ("spec.pattern", 3),
        ("spec.invalid", 4),
    ]


def test_a_dataset_without_records_becomes_a_record(spec_of: Callable[..., Spec]) -> None:
    spec = spec_of("{n}.tif")
    assert [(record.name, str(record.table), record.key, record.create) for record in spec.records] == [
        ("Dataset", "nanoscience:Dataset", {"Name": "{dataset}"}, True)
    ]
    rule = spec.rules[0]
    assert rule.identity == ByKey({"Dataset": "@Dataset", "Path": "{path}"})
    assert rule.columns["Accelerating_Voltage_kV"] == "{header.accelerating_voltage_kV}"


def test_columns_add_to_replace_and_drop_the_standard_ones(spec_of: Callable[..., Spec]) -> None:
    columns = (
        spec_of("{n}.tif", rule={"columns": {"Title": "{n}", "Role": None, "Rule": "x"}}).rules[0].columns
    )
    assert (columns["Title"], columns["Rule"], columns["Bytes"]) == ("{n}", "x", "{file_size}")
    assert "Role" not in columns


def test_a_spec_can_come_from_an_annotation_or_by_name(tmp_path: Path) -> None:
    document = json.loads(find("facebase").read_text("utf-8"))
    spec = load_document(document, "catalog 1")
    assert (spec.form, spec.source) == (SpecForm.DERIVA, "catalog 1")
    assert find(str(find("em-session"))) == find("em-session")
    with pytest.raises(SpecError, match="1 fault"):
        find(str(tmp_path / "nothing.yaml"))
