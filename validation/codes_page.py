"""Writes docs/codes.md from the code table: `python -m validation.codes_page > docs/codes.md`."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from validation.codes import CODES, Code
from validation.grading import DERIVA_ERRORS
from validation.model import Scope

AREAS: Mapping[str, str] = {
    "source": "The file system",
    "path": "Names and folders against the spec",
    "header": "What files say of themselves",
    "sidecar": "`nanoferry.yaml`",
    "metadata": "Metadata documents",
    "group": "Sets, series and datasets",
    "spec": "Specs",
    "catalog": "The catalog",
    "image": "Pixels",
    "preview": "Previews",
    "check": "The program",
}
"""First part of a code -> heading; areas that are not named here follow under their own name."""

_HOLDS: Mapping[Scope, str] = {
    Scope.FILE: "the file",
    Scope.GROUP: "its group of files",
    Scope.RECORD: "the files of the record",
    Scope.RUN: "the whole run",
}


def page() -> str:
    """The page of all issue codes in Markdown."""
    lines = [
        "# Issue codes",
        "",
        "Generated from the tables of codes by `python -m validation.codes_page > docs/codes.md`; do not edit.",
        "",
        "Each finding has a code, a severity and a scope. Only an error holds anything, and exactly its scope.",
        "A spec may re-grade a code or switch it off under `checks` of a rule. Under a DERIVA bulk-upload document",
        "only these stay errors: " + ", ".join(f"`{code}`" for code in sorted(DERIVA_ERRORS)) + ".",
    ]
    areas: dict[str, list[tuple[str, Code]]] = {name: [] for name in AREAS}
    for name, code in CODES.items():
        areas.setdefault(name.partition(".")[0], []).append((name, code))
    for area, codes in areas.items():
        if codes:
            lines += ["", f"## {AREAS.get(area, area)}"]
        for name, code in codes:
            lines += [
                "",
                f"### `{name}`",
                "",
                f"**{code.title}.** Severity {code.severity.value}; as an error it holds {_HOLDS[code.scope]}.",
                "",
                f"*What to do:* {code.remedy}",
            ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
