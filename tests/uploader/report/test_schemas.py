"""Events and receipts keep to their published schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from uploader.model.events import Event
from uploader.model.files import Action, Outcome, Proof
from uploader.report.receipt import ReceiptHead, write_receipt
from validation.codes import CODES, issue
from validation.specset import data_dir

FOUND = issue("header.path_conflict", "path says 200 kV", path="a.tif", line=3, group="dataset:s1")


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((data_dir() / "meta" / f"{name}.schema.json").read_text("utf-8"))
    return loaded


def validator(name: str) -> Draft202012Validator:
    both = [schema("event"), schema("receipt")]
    registry: Registry[Any] = Registry().with_resources(
        (each["$id"], Resource.from_contents(each)) for each in both
    )
    Draft202012Validator.check_schema(schema(name))
    return Draft202012Validator(schema(name), registry=registry, format_checker=FormatChecker())


def test_every_kind_of_event_keeps_to_the_schema(script: Any) -> None:
    events = script.every_kind()
    assert {event.kind for event in events} == {kind.kind for kind in Event.__subclasses__()}
    checker = validator("event")
    for event in events:
        line = json.loads(json.dumps(event.to_json()))
        assert [error.message for error in checker.iter_errors(line)] == [], event.kind


def test_every_kind_is_described(script: Any) -> None:
    described = {branch["if"]["properties"]["kind"]["const"] for branch in schema("event")["allOf"]}
    assert described == {kind.kind for kind in Event.__subclasses__()}


@pytest.mark.parametrize("key", ["path", "size_bytes", "outcome", "issues"])
def test_a_missing_key_is_noticed(script: Any, key: str) -> None:
    line = script.finished("a.tif", Outcome.NEW).to_json()
    del line[key]
    assert not validator("event").is_valid(line)


def test_a_receipt_keeps_to_the_schema(script: Any, tmp_path: Path) -> None:
    head = ReceiptHead(
        "0123abcd", "2026-03-01T12:00:00Z", "2026-03-01T12:01:00Z", "srv", "1", "em", "1.0.0", "d" * 64,
        ("/data/s1",), issues=(FOUND,),
    )  # fmt: skip
    results = [script.result(f"{outcome}.tif", outcome, issues=(FOUND,)) for outcome in Outcome]
    write_receipt(tmp_path / "r.json", head, results)
    document = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert [error.message for error in validator("receipt").iter_errors(document)] == []


def test_the_closed_lists_of_schema_and_program_agree() -> None:
    defined = schema("receipt")["$defs"]
    assert defined["outcome"]["enum"] == [outcome.value for outcome in Outcome]
    assert defined["file"]["properties"]["proof"]["enum"] == [proof.value for proof in Proof]
    assert schema("event")["$defs"]["action"]["enum"] == [action.value for action in Action]
    checker = Draft202012Validator(defined["issue"]["properties"]["code"])
    assert all(checker.is_valid(code) for code in CODES)
