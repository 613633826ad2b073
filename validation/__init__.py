"""Says exactly what is wrong with instrument data, where, how bad, and what to do. Knows no network.

    from pathlib import Path
    import validation

    for issue in validation.read_header(Path("image.tif")).issues:
        print(issue.code, issue.message, issue.remedy)

`import validation` loads none of the heavy libraries; each name below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from validation.check import (
        CheckedFile,
        DatasetFiles,
        Depth,
        HeaderSummary,
        Member,
        Members,
        check_dataset,
        check_file,
        check_member,
        check_target,
    )
    from validation.examine import examine
    from validation.facts import CatalogFacts
    from validation.instruments import Header, Preview, read_header, read_preview
    from validation.model import Issue, Location, Report, Scope, Severity
    from validation.record import Record, dataset_record, file_record
    from validation.schema import check_document, reached_level
    from validation.spec.load import load as load_spec

_HOMES = {
    "CatalogFacts": "validation.facts",
    "CheckedFile": "validation.check",
    "DatasetFiles": "validation.check",
    "Depth": "validation.check",
    "Header": "validation.instruments",
    "HeaderSummary": "validation.check",
    "Issue": "validation.model",
    "Location": "validation.model",
    "Member": "validation.check",
    "Members": "validation.check",
    "Preview": "validation.instruments",
    "Record": "validation.record",
    "Report": "validation.model",
    "Scope": "validation.model",
    "Severity": "validation.model",
    "check_dataset": "validation.check",
    "check_document": "validation.schema",
    "check_file": "validation.check",
    "check_member": "validation.check",
    "check_target": "validation.check",
    "dataset_record": "validation.record",
    "examine": "validation.examine",
    "file_record": "validation.record",
    "load_spec": "validation.spec.load",
    "reached_level": "validation.schema",
    "read_header": "validation.instruments",
    "read_preview": "validation.instruments",
}

__all__ = [
    "CatalogFacts",
    "CheckedFile",
    "DatasetFiles",
    "Depth",
    "Header",
    "HeaderSummary",
    "Issue",
    "Location",
    "Member",
    "Members",
    "Preview",
    "Record",
    "Report",
    "Scope",
    "Severity",
    "check_dataset",
    "check_document",
    "check_file",
    "check_member",
    "check_target",
    "dataset_record",
    "examine",
    "file_record",
    "load_spec",
    "reached_level",
    "read_header",
    "read_preview",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), "load" if name == "load_spec" else name)
