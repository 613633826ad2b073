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

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {"value": value, "source": self.source}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> FieldValue:
        """The value that `to_json` wrote."""
        value = document["value"]
        return cls(tuple(value) if isinstance(value, list) else value, document["source"])


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself. Reading never raises for bad data: it leaves Issues."""

    format: str
    """Format id such as `tiff-fei`, or `unknown`."""
    reader: str
    """Reader, version and field map (`tiff-fei/1+3f9a02c1`); `is_current` tells if a cached one may be used."""
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

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `json.dumps` takes as it is."""
        return {
            "format": self.format,
            "reader": self.reader,
            "fields": {field_id: found.to_json() for field_id, found in self.fields.items()},
            "raw": self.raw,
            "issues": [issue.to_json() for issue in self.issues],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Header:
        """The header that `to_json` wrote."""
        return cls(
            format=document["format"],
            reader=document["reader"],
            fields={name: FieldValue.from_json(found) for name, found in document["fields"].items()},
            raw=document["raw"],
            issues=tuple(Issue.from_json(issue) for issue in document["issues"]),
        )


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
