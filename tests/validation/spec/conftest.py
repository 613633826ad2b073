"""Small specs to test with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from validation.errors import SpecError
from validation.model import Issue
from validation.spec.load import load_text
from validation.spec.matching import Matcher
from validation.spec.model import Spec


@pytest.fixture
def spec_of() -> Callable[..., Spec]:
    """A spec in our YAML with one rule per path; keywords go to its top."""

    def make(*paths: str, rule: dict[str, Any] | None = None, **top: Any) -> Spec:
        rules = [
            {"id": f"r{index}", "path": path, "dataset": "all", "object": "/hatrac/t/{path}", **(rule or {})}
            for index, path in enumerate(paths, 1)
        ]
        document = {"nanoferry": 1, "id": "test", "version": "1.0.0", "rules": rules, **top}
        return load_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "test.yaml")

    return make


@pytest.fixture
def matcher_of(spec_of: Callable[..., Spec]) -> Callable[..., Matcher]:
    """A matcher of such a spec for the folder /data/P/S."""

    def make(*paths: str, root: str = "/data/P/S", **more: Any) -> Matcher:
        return Matcher(spec_of(*paths, **more), root)

    return make


@pytest.fixture
def faults_of() -> Callable[[str], tuple[Issue, ...]]:
    """The faults of a text that must not load."""

    def faults(text: str) -> tuple[Issue, ...]:
        with pytest.raises(SpecError) as caught:
            load_text(text, "bad.yaml")
        return caught.value.issues

    return faults
