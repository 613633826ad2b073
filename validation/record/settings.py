"""Turns header fields into the values of the record document: camelCase names, numbers with their unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from validation.instruments.fields import Field, FieldType, fields
from validation.instruments.model import Header, Value
from validation.subjects import FieldSummary, HeaderSummary

ELSEWHERE = frozenset(
    {
        "acquired",
        "utc_offset",
        "acquired_utc",
        "tiff_datetime_tag",
        "manufacturer",
        "instrument_model",
        "instrument_serial",
        "software",
        "operator",
        "title",
        "sample_text",
        "comment",
    }
)
"""Fields that describe people, devices and times: not settings of the instrument."""

IMAGE_FIELDS = (
    "shape",
    "dtype",
    "bits_per_sample",
    "samples_per_pixel",
    "compression",
    "n_pages",
    "n_datasets",
)
"""Fields that describe the pixels."""


def document_value(entry: Field, value: Any) -> Any:
    """The value as the record document holds it: with its unit where it is a measured number."""
    plain = list(value) if isinstance(value, tuple | list) else value
    if entry.unit and entry.type in {FieldType.NUMBER, FieldType.NUMBERS}:
        return {"value": plain, "unit": entry.unit}
    return plain


def settings_of_header(header: Header) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The settings, the form of the pixels, and everything else that one header holds."""
    settings: dict[str, Any] = {}
    image: dict[str, Any] = {}
    other: dict[str, Any] = {}
    table = fields()
    for field_id, found in header.fields.items():
        entry = table.get(field_id)
        if entry is None:
            other[field_id] = _plain(found.value)
            continue
        group = image if field_id in IMAGE_FIELDS else other if field_id in ELSEWHERE else settings
        group[entry.json] = document_value(entry, found.value)
    return settings, image, other


def settings_of_summary(headers: HeaderSummary) -> dict[str, Any]:
    """The settings that all headers of a dataset agree on, and under `varying` the range of the others."""
    settings: dict[str, Any] = {}
    varying: dict[str, Any] = {}
    table = fields()
    for field_id, summary in headers.fields.items():
        entry = table.get(field_id)
        if entry is None or field_id in ELSEWHERE or field_id in IMAGE_FIELDS:
            continue
        common = summary.common
        if common is not None:
            settings[entry.json] = document_value(entry, common)
        elif field_id == "detector" and not summary.more:
            # Several detectors at once are one setting of a measurement, not a contradiction.
            settings[entry.json] = sorted(str(value) for value in summary.counts)
        else:
            varying[entry.json] = _spread(entry, summary)
    if varying:
        settings["varying"] = varying
    return settings


def _spread(entry: Field, summary: FieldSummary) -> Mapping[str, Any]:
    if summary.minimum is not None:
        spread: dict[str, Any] = {"minimum": summary.minimum, "maximum": summary.maximum}
        if entry.unit:
            spread["unit"] = entry.unit
        return spread
    values = [_plain(value) for value in summary.counts]
    return {"values": values, "more": True} if summary.more else {"values": values}


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple | list) else value
