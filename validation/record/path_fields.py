"""Instrument settings that a path may name, and how to read their numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PATH_FIELDS: Mapping[str, tuple[str, float]] = {
    "voltage_kv": ("accelerating_voltage_kV", 1.0),
    "accelerating_voltage_kv": ("accelerating_voltage_kV", 1.0),
    "kv": ("accelerating_voltage_kV", 1.0),
    "magnification": ("magnification", 1.0),
    "mag": ("magnification", 1.0),
    "magnification_kx": ("magnification", 1000.0),
    "mag_kx": ("magnification", 1000.0),
    "tilt_deg": ("stage_tilt_alpha_deg", 1.0),
    "camera_length_mm": ("camera_length_mm", 1.0),
}
"""Capture name (lower case) -> header field and the factor from the capture's unit to the field's."""

_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?")


def settings_of_path(captures: Mapping[str, Any]) -> dict[str, float]:
    """The settings that the named parts of a path hold, by field id."""
    found: dict[str, float] = {}
    for name, captured in captures.items():
        if name.lower() in PATH_FIELDS and (number := number_in(captured)) is not None:
            field_id, factor = PATH_FIELDS[name.lower()]
            found.setdefault(field_id, number * factor)
    return found


def number_in(value: Any) -> float | None:
    """The number that a capture such as `200`, `200kV` or `1,5` holds."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    found = _NUMBER.search(value) if isinstance(value, str) else None
    return float(found.group().replace(",", ".")) if found else None
