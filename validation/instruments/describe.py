"""Everything known of one file as plain values: what `nanoferry inspect` and the details pane show."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from validation.instruments.fields import fields
from validation.instruments.formats import formats
from validation.instruments.model import FieldValue, Header
from validation.instruments.read import read_header


def describe(path: Path) -> dict[str, Any]:
    """Format, fields with labels, units and source tags, raw tags and findings of a file; JSON-serialisable."""
    header = read_header(path)
    titles = {known.id: known.title for known in formats()}
    return {
        "file": path.name,
        **_size_and_time(path),
        "format": header.format,
        "format_title": titles.get(header.format, "not known"),
        "reader": header.reader,
        "fields": described_fields(header),
        "raw": header.raw,
        "issues": [issue.to_json() for issue in header.issues],
    }


def described_fields(header: Header) -> list[dict[str, Any]]:
    """The header's fields in the order of the table, each with id, label, value, unit and source tag."""
    return [
        _described(field_id, header.fields[field_id]) for field_id in fields() if field_id in header.fields
    ]


def _described(field_id: str, found: FieldValue) -> dict[str, Any]:
    known = fields()[field_id]
    unit = "" if known.unit == "1" else known.unit
    return {"id": field_id, "label": known.label, **found.to_json(), "unit": unit}


def _size_and_time(path: Path) -> dict[str, Any]:
    try:
        status = path.stat()
    except OSError:
        return {}  # the header's finding says why
    modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
    return {"size_bytes": status.st_size, "modified": modified}
