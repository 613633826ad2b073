"""A spec may come from a catalog that a stranger may edit: it names values and objects, nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from validation.errors import SpecError
from validation.model import Issue
from validation.spec.load import load_text
from validation.spec.matching import Matcher
from validation.spec.model import Match, NoMatch
from validation.spec.objects import download_name, object_name


def lab(
    *, path: str = 'path: "{x}.tif"', target: str = "/hatrac/lab/{x}", column: str = "{x}", more: str = ""
) -> str:
    return f"""
nanoferry: 1
id: lab
version: 1.0.0
anchor: anywhere
rules:
  - id: a
    {path}
    object: {json.dumps(target)}
    identity: {{Name: "{{x}}"}}
    table: [lab, File]
    columns: {{Name: {json.dumps(column)}}}
{more}"""


@pytest.mark.parametrize(
    "target",
    [
        "/hatrac/{x.__class__}",
        "/hatrac/{x[0]}",
        "/hatrac/{x!r}",
        "/hatrac/{0}",
        "/hatrac/{x:{y}}",
        "@elsewhere.example/{x}",
        "https://elsewhere.example/{x}",
    ],
)
def test_a_template_names_values_and_nothing_inside_them(target: str) -> None:
    with pytest.raises(SpecError):
        load_text(lab(target=target), "lab.yaml")


@pytest.mark.parametrize("more", ["vocabularies: {v: /etc/passwd}", "include: /etc/passwd"])
def test_a_spec_cannot_name_files_of_this_machine(more: str) -> None:
    with pytest.raises(SpecError):
        load_text(lab(more=more), "lab.yaml")


@pytest.mark.parametrize("column", ["@/etc/passwd", "@env"])
def test_a_column_takes_records_of_the_spec_only(column: str) -> None:
    with pytest.raises(SpecError):
        load_text(lab(column=column), "lab.yaml")


def named(text: str, source: str, value: str) -> str | Issue:
    return object_name(load_text(text, source).rules[0], {"x": value, "file_name": "f", "source_path": "f"})


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("/ermrest/catalog/1/entity/{x}", "lab:File"),
        ("/hatrac/lab/../../{x}", "b"),
        ("/hatrac/lab/%2e%2e/{x}", "b"),
        ("/hatrac/lab/{x}", ".."),
        ("/hatrac/lab/{x}", "a/b"),
        ("/hatrac/lab/{x}/b", "."),
        ("//elsewhere.example/{x}", "b"),
    ],
)
def test_no_object_name_leaves_its_place(target: str, value: str) -> None:
    found = named(lab(target=target), "lab.yaml", value)
    assert isinstance(found, Issue)
    assert found.code == "path.object_name"


@pytest.mark.parametrize("value", ["a;upload", "a:VERSION", "a?b#c", "%2e%2e", "a\nb\r\n", "\x00"])
def test_what_a_name_brings_along_stays_one_encoded_segment(value: str) -> None:
    found = named(lab(), "lab.yaml", value)
    assert isinstance(found, str)
    last = found.removeprefix("/hatrac/lab/")
    assert not set(last) & set("/;:?#\n\r\0")


def deriva(**options: Any) -> str:
    mapping = {
        "asset_type": "file",
        "target_table": ["lab", "File"],
        "file_pattern": r"^.*/(?P<x>.*)[.]tif$",
        "ext_pattern": r"^.*[.]tif$",
        "record_query_template": "/entity/lab:File/Name={x}",
        "hatrac_templates": {"hatrac_uri": "/hatrac/lab/{x}"},
        "column_map": {"Name": "{x}"},
        **options,
    }
    return json.dumps({"asset_mappings": [mapping]})


@pytest.mark.parametrize("pattern", ["(a+)+$", "(", "(?P<x>", "[[:"])
def test_a_sanitising_pattern_that_cannot_be_used_costs_its_files_only(pattern: str) -> None:
    text = deriva(hatrac_options={"sanitize_filenames_pattern": pattern})
    try:
        rule = load_text(text, "bulk.json").rules[0]
    except SpecError:
        return
    values = {"x": "a" * 200 + "!", "file_name": "f", "source_path": "f"}
    found = object_name(rule, values)
    if isinstance(found, Issue):
        assert "sanitize_filenames_pattern" in found.message
    assert isinstance(download_name(rule, values), str)


@pytest.mark.parametrize(
    "pattern", ["^(?P<x>(a+)+)$", "^(?P<x>((a{1,99}){1,99}){1,99})$", "^(?P<x>(a|aa)+)$"]
)
def test_a_regular_expression_that_explodes_ends_in_time(pattern: str) -> None:
    matcher = Matcher(load_text(lab(path=f"regex: {pattern!r}"), "lab.yaml"), "/data", timeout_s=0.05)
    assert isinstance(matcher.match("a" * 3000 + "!"), NoMatch | Match)


def test_processors_are_refused_by_name() -> None:
    text = deriva(pre_processors=[{"processor": "os.system", "processor_params": {"command": "id"}}])
    with pytest.raises(SpecError) as caught:
        load_text(text, "bulk.json")
    assert any("os.system" in issue.message for issue in caught.value.issues)
