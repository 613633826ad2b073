"""What a reader returns: normalised header fields with their source tags, and previews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from validation.model import Issue

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One normalised value and the raw tag it came from."""

    value: Value
    """In the unit that the field id names (`accelerating_voltage_kV`)."""
    source: str
    """The raw tag, as a path into `Header.raw`, e.g. `34682/Beam/HV`."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself. Reading never raises for bad data: it leaves Issues."""

    format: str
    """Format id such as `tiff-fei`, or `unknown`."""
    reader: str
    """Reader and its version (`tiff-fei/1`): cached headers of older readers are read again."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    """By field id of specs/fields.yaml."""
    raw: Mapping[str, Any] = field(default_factory=dict)
    """Vendor tags as they are, JSON-serialisable."""
    issues: tuple[Issue, ...] = ()
    """Findings; their location has no path, the caller knows the file."""

    def value(self, field_id: str) -> Value | None:
        """The normalised value, or None when the header does not hold it."""
        found = self.fields.get(field_id)
        return None if found is None else found.value


@dataclass(frozen=True, slots=True)
class Preview:
    """A PNG of at most the asked size, or none with the reason."""

    png: bytes | None
    width_px: int = 0
    height_px: int = 0
    reason: str = ""
    """Why there is no picture."""
    issues: tuple[Issue, ...] = ()
    """What the pixels showed (image.black, image.saturated)."""
