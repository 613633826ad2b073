"""Reads the spec that a person named: a file, or one of the shipped specs by its name."""

from __future__ import annotations

from validation.spec.load import find, load
from validation.spec.model import Spec


def chosen_spec(name_or_path: str | None) -> Spec | None:
    """The spec, or None when none was named and the catalog's own is to be used."""
    return None if not name_or_path else load(find(name_or_path))
