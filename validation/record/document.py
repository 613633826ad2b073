"""Builds the metadata documents of datasets and files from paths, headers and typed metadata; invents nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from validation.instruments.fields import fields
from validation.instruments.model import Header
from validation.record.entities import named, people, samples
from validation.record.path_fields import settings_of_path
from validation.record.settings import IMAGE_FIELDS, document_value, settings_of_header, settings_of_summary
from validation.record.techniques import Technique, technique, technique_of_header
from validation.sidecar import Typed, pointer
from validation.spec.model import Match, Spec
from validation.subjects import HeaderSummary

if TYPE_CHECKING:
    from validation.members import Members

SCHEMA_VERSION = "1.0"
CONTEXT_KEYS = ("accessType", "project", "study", "proposal", "facility", "laboratory", "policy")
TOP_KEYS = ("description", "dataLevel", "complete", "keywords", "notes", "extensions")
MEASUREMENT_KEYS = ("purpose", "noSampleReason", "startTime", "endTime")


@dataclass(frozen=True, slots=True)
class Record:
    """A metadata document and where each of its values came from."""

    document: Mapping[str, Any]
    """Holds the provenance too, so that it is kept wherever the document goes."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """JSON pointer into the document -> `path`, `header`, `tool` or `sidecar:PATH`."""


@dataclass(slots=True)
class _Draft:
    """A document in the making; every value is put down together with its source."""

    document: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)

    def put(self, source: str, value: Any, *place: str) -> None:
        """Set one value below the named objects, which are made when they are missing."""
        holder = self.document
        for name in place[:-1]:
            holder = holder.setdefault(name, {})
        holder[place[-1]] = value
        self.provenance[pointer(*place)] = source


def dataset_record(
    *, name: str, typed: Typed, members: Members, headers: HeaderSummary, spec: Spec
) -> Record:
    """The metadata document of a dataset: what people typed first, then the path, then the headers.

    Only what all members agree on becomes a value; what differs is listed as varying.
    """
    draft = _Draft()
    captures = members.common_captures
    draft.put("tool", SCHEMA_VERSION, "schemaVersion")
    draft.put("tool", {"name": "nanoscience", "level": spec.level}, "profile")
    draft.put("path", name, "identifier")
    _put_title(draft, name, typed, captures)
    draft.put("tool", "raw", "dataLevel")
    for key in TOP_KEYS:
        _put_typed(draft, typed, key, (key,))
    for key in CONTEXT_KEYS:
        _put_typed(draft, typed, key, ("context", key))
    for key in ("project", "proposal"):
        if typed.get(key) is None and key in captures:
            draft.put("path", {"name": str(captures[key])}, "context", key)
    measurement = _Draft()
    _put_persons(draft, measurement, typed, captures, headers)
    _put_samples(draft, measurement, typed, captures)
    _put_instrument(draft, measurement, typed, captures, headers)
    _put_measurement(measurement, typed, captures, headers)
    draft.document["measurements"] = [{"id": "measurement-1", **measurement.document}]
    draft.provenance |= {
        f"/measurements/0{place}": source for place, source in measurement.provenance.items()
    }
    content: dict[str, Any] = {
        "fileCount": members.files,
        "sizeBytes": members.size_bytes,
    }
    if headers.formats:
        content["formats"] = dict(sorted(headers.formats.items()))
    draft.put("tool", content, "content")
    return Record({**draft.document, "provenance": dict(draft.provenance)}, draft.provenance)


def file_record(*, match: Match, header: Header | None, typed: Typed) -> dict[str, Any]:
    """The metadata document of one file: its path's values, its header and, whole, the vendor's tags."""
    document: dict[str, Any] = {"schemaVersion": SCHEMA_VERSION, "rule": match.rule}
    captures = {
        name: value for name, value in {**match.captures, **match.values}.items() if value is not None
    }
    if match.dataset:
        document["dataset"] = match.dataset
    if match.path:
        document["path"] = match.path
    if captures:
        document["pathValues"] = captures
    if header is not None:
        document["format"] = header.format
        settings, image, other = settings_of_header(header)
        document |= {
            key: part for key, part in (("settings", settings), ("image", image), ("header", other)) if part
        }
        if header.raw:
            document["sourceMetadata"] = {
                "format": header.format,
                "reader": header.reader,
                "tags": header.raw,
            }
    confirmed = {
        entry.json: document_value(entry, value)
        for field_id, value in (typed.get("settings") or {}).items()
        if (entry := fields().get(field_id)) is not None
    }
    if confirmed:
        document["typedSettings"] = confirmed
    return document


def _put_typed(draft: _Draft, typed: Typed, key: str, place: tuple[str, ...]) -> None:
    value = typed.get(key)
    if value is None:
        return
    ready = named(key, value)
    if isinstance(ready, Mapping) and key != "extensions":
        for part, below in ready.items():
            draft.put(_sidecar(typed, key, part), below, *place, part)
    else:
        draft.put(_sidecar(typed, key), ready, *place)


def _put_title(draft: _Draft, name: str, typed: Typed, captures: Mapping[str, Any]) -> None:
    if title := typed.get("title"):
        draft.put(_sidecar(typed, "title"), title, "title")
    else:
        draft.put("path", str(captures.get("title", name)), "title")


def _put_persons(
    draft: _Draft, measurement: _Draft, typed: Typed, captures: Mapping[str, Any], headers: HeaderSummary
) -> None:
    found = people(typed)
    if found:
        source = _sidecar(typed, "operator") if typed.get("operator") else _sidecar(typed, "people")
    elif operator := captures.get("operator") or captures.get("user"):
        found, source = [{"name": str(operator), "roles": ["operator"]}], "path"
    elif operator := _common(headers, "operator"):
        # Often an account that a group shares; it is what the instrument knew, and provenance says so.
        found, source = [{"name": str(operator), "roles": ["operator"]}], "header"
    if not found:
        return
    persons = [{"id": f"person-{number}", **person} for number, person in enumerate(found, 1)]
    draft.put(source, persons, "persons")
    measurement.put(source, [person["id"] for person in persons], "personIds")


def _put_samples(draft: _Draft, measurement: _Draft, typed: Typed, captures: Mapping[str, Any]) -> None:
    found = samples(typed)
    if found:
        source = _sidecar(typed, "sample") if typed.get("sample") else _sidecar(typed, "samples")
    elif "sample" in captures:
        found, source = [{"name": str(captures["sample"])}], "path"
    if found:
        ready = [{"id": f"sample-{number}", **sample} for number, sample in enumerate(found, 1)]
        draft.put(source, ready, "samples")
        measurement.put(source, [sample["id"] for sample in ready], "sampleIds")


def _put_instrument(
    draft: _Draft, measurement: _Draft, typed: Typed, captures: Mapping[str, Any], headers: HeaderSummary
) -> None:
    """One instrument: typed parts, then the path's name, then what all headers agree on."""
    parts: dict[str, tuple[str, Any]] = {
        key: (_sidecar(typed, "instrument", key), value)
        for key, value in (typed.get("instrument") or {}).items()
    }
    if name := captures.get("instrument") or captures.get("microscope"):
        parts.setdefault("name", ("path", str(name)))
    for key, field_id in (
        ("manufacturer", "manufacturer"),
        ("model", "instrument_model"),
        ("serialNumber", "instrument_serial"),
    ):
        if (value := _common(headers, field_id)) is not None:
            parts.setdefault(key, ("header", str(value)))
    spoken = [str(parts[key][1]) for key in ("manufacturer", "model") if key in parts]
    if spoken:
        parts.setdefault(
            "name", (parts["model" if "model" in parts else "manufacturer"][0], " ".join(spoken))
        )
    if software := typed.get("software"):
        parts["software"] = (_sidecar(typed, "software"), software)
    elif (value := _common(headers, "software")) is not None:
        parts["software"] = ("header", {"name": str(value)})
    if not parts or set(parts) == {"software"}:
        return
    source = parts["name"][0] if "name" in parts else next(iter(parts.values()))[0]
    draft.put(
        source, [{"id": "instrument-1", **{key: value for key, (_, value) in parts.items()}}], "instruments"
    )
    draft.provenance |= {f"/instruments/0/{key}": origin for key, (origin, _) in parts.items()}
    measurement.put(source, "instrument-1", "instrumentId")


def _put_measurement(
    measurement: _Draft, typed: Typed, captures: Mapping[str, Any], headers: HeaderSummary
) -> None:
    found, source = _techniques(typed, captures, headers)
    if found:
        measurement.put(source, found, "techniques")
    for key, value in (("startTime", headers.earliest), ("endTime", headers.latest)):
        if value:
            measurement.put("header", value, key)
    for key in MEASUREMENT_KEYS:
        if (given := typed.get(key)) is not None:
            measurement.put(_sidecar(typed, key), given, key)
    families = {known.family for part in found if (known := technique(part["code"])) is not None}
    if families:
        measurement.put(source, families.pop() if len(families) == 1 else "generic", "settings", "family")
    _put_settings(measurement, typed, captures, headers)


def _put_settings(
    measurement: _Draft, typed: Typed, captures: Mapping[str, Any], headers: HeaderSummary
) -> None:
    """The instrument's settings and the form of the pixels: header first, the path where it says nothing."""
    for field_id, number in settings_of_path(captures).items():
        if field_id not in headers.fields:  # the header knows better
            measurement.put(
                "path", document_value(fields()[field_id], number), "settings", fields()[field_id].json
            )
    for key, value in settings_of_summary(headers).items():
        measurement.put("header", value, "settings", key)
    for field_id, value in (typed.get("settings") or {}).items():
        entry = fields().get(field_id)
        # An unknown id stays as it is, so that the schema's finding names it.
        name = field_id if entry is None else entry.json
        group = "image" if field_id in IMAGE_FIELDS else "settings"
        ready = value if entry is None else document_value(entry, value)
        measurement.put(_sidecar(typed, "settings", field_id), ready, group, name)
        if group == "settings":
            _settle(measurement, name)
    for field_id in IMAGE_FIELDS:
        if (value := _common(headers, field_id)) is not None:
            measurement.put(
                "header", document_value(fields()[field_id], value), "image", fields()[field_id].json
            )


def _settle(measurement: _Draft, name: str) -> None:
    """A typed value settles what varied between the headers."""
    settings = measurement.document["settings"]
    if name in settings.get("varying", {}):
        del settings["varying"][name]
        if not settings["varying"]:
            del settings["varying"]


def _techniques(
    typed: Typed, captures: Mapping[str, Any], headers: HeaderSummary
) -> tuple[list[dict[str, str]], str]:
    words = typed.get("technique")
    if words:
        return [_technique_json(word) for word in words], _sidecar(typed, "technique")
    if word := captures.get("technique"):
        return [_technique_json(str(word))], "path"
    proven: Technique | None = technique_of_header(tuple(headers.formats), _common(headers, "active_beam"))
    return ([proven.to_json()], "header") if proven else ([], "")


def _technique_json(word: str) -> dict[str, str]:
    known = technique(word)
    return known.to_json() if known else {"code": word}


def _common(headers: HeaderSummary, field_id: str) -> Any:
    found = headers.fields.get(field_id)
    return None if found is None else found.common


def _sidecar(typed: Typed, *keys: str) -> str:
    where = typed.source(*keys)
    return f"sidecar:{where}" if where else "sidecar"
