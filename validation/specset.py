"""Reaches the data that ships with the package: layouts, schemas, vocabularies, field maps (DESIGN 6.10)."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def data_dir() -> Path:
    """The folder of shipped data: `validation/_specs` in a wheel, `specs` in a checkout.

    Raises FileNotFoundError when the installation holds neither.
    """
    package = Path(__file__).parent
    for candidate in (package / "_specs", package.parent / "specs"):
        if (candidate / "fields.yaml").is_file():
            return candidate
    raise FileNotFoundError("the shipped specs are missing: install nanoferry again")
