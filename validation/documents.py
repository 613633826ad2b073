"""Reads a JSON or YAML file that a person names on the command line and tells what kind of document it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from validation.codes import issue
from validation.model import Issue
from validation.sidecar import SIDECAR_NAME
from validation.sidecar.plain_yaml import SidecarFault, load

SUFFIXES = frozenset({".json", ".yaml", ".yml"})
MOST_BYTES = 64 << 20
MOST_NODES = 2_000_000


class Kind(StrEnum):
    """What a JSON or YAML file holds."""

    SIDECAR = "sidecar"
    SPEC = "spec"
    METADATA = "metadata"
    OTHER = "other"


def read_document(path: Path) -> tuple[Kind, Mapping[str, Any], tuple[Issue, ...]]:
    """Kind and content of the file, or the findings that keep it from being read; never raises for content."""
    if path.name == SIDECAR_NAME:
        return Kind.SIDECAR, {}, ()
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        return Kind.OTHER, {}, (_unreadable(f"the file cannot be read: {error.strerror or error}"),)
    if len(data) > MOST_BYTES:
        return Kind.OTHER, {}, (_unreadable(f"the file has more than {MOST_BYTES:,} bytes"),)
    content, issues = _json(data) if path.suffix.lower() == ".json" else _yaml(data)
    return _kind(content), content, issues


def _kind(content: Mapping[str, Any]) -> Kind:
    if "asset_mappings" in content or "nanoferry" in content:
        return Kind.SPEC
    if {"profile", "schemaVersion", "measurements"} & content.keys():
        return Kind.METADATA
    return Kind.OTHER


def _json(data: bytes) -> tuple[Mapping[str, Any], tuple[Issue, ...]]:
    try:
        content = json.loads(data, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return {}, (_unreadable(f"not valid JSON: {error.msg}", error.lineno, error.colno),)
    except RecursionError:
        return {}, (_unreadable("nested too deep"),)
    except ValueError as error:  # bytes that are not UTF-8, NaN, a number of thousands of digits
        return {}, (_unreadable(f"not valid JSON: {error}"),)
    if not isinstance(content, dict):
        return {}, (_unreadable("the file must hold one object (`{...}`)", 1),)
    return content, ()


def _yaml(data: bytes) -> tuple[Mapping[str, Any], tuple[Issue, ...]]:
    try:
        content, _ = load(data, most_nodes=MOST_NODES)
    except SidecarFault as fault:
        # A spec may use what a metadata document may not; its own loader says what is wrong with it.
        if data.lstrip().startswith(b"nanoferry:"):
            return {"nanoferry": None}, ()
        return {}, (_unreadable(str(fault), fault.line, fault.column),)
    return content, ()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _unreadable(message: str, line: int | None = None, column: int | None = None) -> Issue:
    return issue("metadata.unreadable", message, line=line, column=column, origin="documents")
