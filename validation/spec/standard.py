"""What a rule for nanoscience:File writes unless it says otherwise, from the shipped column list and fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from validation.instruments.fields import fields
from validation.spec.model import RecordRule, TableName
from validation.specset import data_dir, plain_yaml

FILE_TABLE = TableName("nanoscience", "File")
DATASET_TABLE = TableName("nanoscience", "Dataset")


@cache
def file_columns() -> Mapping[str, str]:
    """Column -> template of the standard row of a file, header fields included."""
    columns: dict[str, str] = dict(_shipped("catalog/file-columns.yaml")["columns"])
    for entry in fields().values():
        if entry.column:
            columns.setdefault(entry.column, f"{{header.{entry.id}}}")
    return columns


@cache
def file_identity() -> Mapping[str, str]:
    """Column -> template of what tells one file row from another (DESIGN 6.4)."""
    identity: dict[str, str] = dict(_shipped("catalog/file-columns.yaml")["identity"])
    return identity


@cache
def header_names() -> frozenset[str]:
    """The `header.ID` names a template may use."""
    return frozenset({"header.format", *(f"header.{field_id}" for field_id in fields())})


def dataset_record(template: str) -> RecordRule:
    """The parent that a `dataset:` without `records:` stands for."""
    return RecordRule("Dataset", DATASET_TABLE, {"Name": template}, {"Metadata": "@record"})


def _shipped(name: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] = plain_yaml((data_dir() / name).read_text("utf-8"))
    return document
