"""Builders with defaults, so that a test states only what it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from validation.instruments.model import FieldValue, Header
from validation.sidecar import Typed, merge
from validation.spec.model import Rule, RuleKind, Spec, SpecForm, TableName


class _AnyPath:
    text = "**"


def build_rule(**parts: Any) -> Rule:
    """A rule called `frames` that writes to nanoscience:File."""
    defaults: dict[str, Any] = {
        "id": "frames",
        "kind": RuleKind.ASSET,
        "pattern": _AnyPath(),
        "table": TableName("nanoscience", "File"),
        "columns": {"Path": "{path}"},
        "identity": None,
    }
    return Rule(**{**defaults, **parts})


def build_spec(**parts: Any) -> Spec:
    """A spec in our YAML form with that one rule."""
    defaults: dict[str, Any] = {
        "id": "lab",
        "version": "1.0.0",
        "form": SpecForm.NANOFERRY,
        "source": "lab.yaml",
        "digest": "0" * 64,
        "rules": (build_rule(),),
    }
    return Spec(**{**defaults, **parts})


def build_header(format_id: str = "tiff-zeiss", **fields: Any) -> Header:
    """A header with these fields, each from a tag named after it."""
    return Header(
        format_id,
        f"{format_id}/1",
        {name: FieldValue(value, f"tag/{name}") for name, value in fields.items()},
    )


def build_typed(**values: Any) -> Typed:
    """What one sidecar at the root says."""
    return merge([("nanoferry.yaml", values)])


@pytest.fixture
def make_rule() -> Callable[..., Rule]:
    """Builds a rule."""
    return build_rule


@pytest.fixture
def make_spec() -> Callable[..., Spec]:
    """Builds a spec."""
    return build_spec


@pytest.fixture
def make_header() -> Callable[..., Header]:
    """Builds a header."""
    return build_header


@pytest.fixture
def make_typed() -> Callable[..., Typed]:
    """Builds typed metadata."""
    return build_typed
