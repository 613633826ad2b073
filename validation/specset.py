"""Reaches the data that ships with the package: layouts, schemas, vocabularies, field maps (DESIGN 6.10)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any


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


def plain_yaml(text: str) -> Any:
    """The values of a YAML text that ships with us or that a lab laid beside it: plain data, no objects.

    The C loader, where PyYAML was built with it, takes a tenth of the time: every command reads such files.
    """
    import yaml  # noqa: PLC0415 - `import validation` needs none

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader either way
