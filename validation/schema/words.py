"""Says in words what a violation of the metadata schema is, and which line of a sidecar mends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from validation.instruments.fields import fields

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as Violation

PATTERNS: Mapping[str, str] = {
    r"\S": "must not be blank",
    r"^https://orcid\.org/\d{4}-\d{4}-\d{4}-\d{3}[\dX]$": "must look like https://orcid.org/0000-0002-1825-0097",
    r"^https://ror\.org/0[0-9a-hjkmnp-tv-z]{6}[0-9]{2}$": "must look like https://ror.org/04t3en479",
    r"^\d{4}-\d{2}-\d{2}$": "must be a date such as 2026-03-31",
    r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?$": (
        "must be a time such as 2026-03-31T14:05:00 or 2026-03-31T14:05:00+02:00"
    ),
    r"^[0-9a-f]{64}$": "must be a SHA-256 of 64 lower-case hex digits",
    r"^[^@\s]+@[^@\s]+$": "must be an e-mail address",
}
"""Patterns of the schema in words."""

SIDECAR_EXAMPLES: Mapping[tuple[str, ...], str] = {
    ("context", "project"): "project: NanoPb",
    ("context", "facility"): "facility: CNR-IOM Trieste",
    ("context", "accessType"): "accessType: in-house-research",
    ("context", "proposal"): "proposal: 2026-041",
    ("persons",): "operator: Ada Lovelace",
    ("persons", "roles"): "people: [{name: Ada Lovelace, roles: [principal-investigator]}]",
    ("samples",): "sample: PbSe-07",
    ("measurements", "sampleIds"): "sample: PbSe-07` (or `noSampleReason: calibration",
    ("measurements", "personIds"): "operator: Ada Lovelace",
    ("measurements", "techniques"): "technique: sem",
    ("measurements", "purpose"): "purpose: exploratory",
    ("measurements", "startTime"): "startTime: 2026-03-31T14:05:00",
    ("measurements", "endTime"): "endTime: 2026-03-31T16:30:00",
    ("measurements", "instrumentId"): "instrument: Zeiss Supra 40",
    ("measurements", "settings"): "settings: {accelerating_voltage_kV: 200}",
    ("instruments", "software"): "software: SmartSEM",
    ("instruments",): "instrument: Zeiss Supra 40",
    ("dataLevel",): "dataLevel: raw",
    ("title",): "title: PbSe with ligands",
}
"""Place in the document -> a line of nanoferry.yaml that fills it; the longest fitting place is used."""


def remedy(place: Sequence[str | int]) -> str:
    """What to do about a value at that place of the document; empty where the code's own remedy says it."""
    names = tuple(part for part in place if isinstance(part, str))
    if len(names) > 2 and names[1] in {"settings", "image"}:
        field_id = next((entry.id for entry in fields().values() if entry.json == names[2]), "")
        if field_id:
            return f"Add or correct it in nanoferry.yaml as `settings: {{{field_id}: ...}}`."
    for length in range(len(names), 0, -1):
        if line := SIDECAR_EXAMPLES.get(names[:length]):
            return f"Add or correct it in nanoferry.yaml, for example `{line}`."
    return ""


def words(violation: Violation) -> str:
    """What one violation says, with the value at hand."""
    say = _SENTENCES.get(str(violation.validator))
    if say is not None:
        return say(violation.instance, violation.validator_value, violation.schema)
    return violation.message if len(violation.message) <= 200 else violation.message[:197] + "..."


def _extra(value: Any, _wanted: Any, schema: Any) -> str:
    known = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    extra = sorted(set(value) - set(known))
    return f"{', '.join(map(repr, extra[:5]))} is not a property of the schema"


def _type(value: Any, wanted: Any, _schema: Any) -> str:
    kinds = wanted if isinstance(wanted, list) else [wanted]
    return f"{short(value)} must be {' or '.join(_TYPES.get(kind, kind) for kind in kinds)}"


def _pattern(value: Any, wanted: Any, _schema: Any) -> str:
    return f"{short(value)} {PATTERNS.get(wanted, f'does not have the form {wanted}')}"


def _bound(value: Any, wanted: Any, _schema: Any) -> str:
    return f"{short(value)} is outside what is allowed (the limit is {wanted})"


_TYPES: Mapping[str, str] = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}

_SENTENCES: Mapping[str, Callable[[Any, Any, Any], str]] = {
    "enum": lambda value, wanted, _: f"{short(value)} is not one of {', '.join(map(str, wanted))}",
    "const": lambda value, wanted, _: f"{short(value)} must be {short(wanted)}",
    "type": _type,
    "pattern": _pattern,
    "unevaluatedProperties": _extra,
    "additionalProperties": _extra,
    "minimum": _bound,
    "maximum": _bound,
    "not": lambda value, _wanted, _: f"{short(value)} must be a relative path with `/` and without `..`",
}
"""JSON Schema keyword -> a sentence; other keywords keep the validator's own."""


def short(value: Any) -> str:
    """The value as people read it, cut to a line."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
