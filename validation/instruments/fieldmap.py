"""Applies a vendor's field map: which raw tag gives which field, in which unit, and what to do when two differ.

A map is data (specs/instruments/*.yaml, language in docs/formats/README.md). Each field has an ordered list of
candidates: the first that gives a value wins. Later ones that give another value are a finding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import regex

from validation.codes import issue
from validation.instruments.fields import Field, FieldType, fields
from validation.instruments.model import FieldValue, Value
from validation.instruments.quantities import converted, quantity
from validation.instruments.reading import Reading
from validation.instruments.times import local_time
from validation.model import Issue

TEXT_LIMIT = 500
DEFAULT_TOLERANCE = 0.01
"""Two tags of one number may differ by so much: vendors round for display."""
TIME_TOLERANCE_S = 120.0
PATTERN_TIMEOUT_S = 0.2


@dataclass(frozen=True, slots=True)
class _Found:
    """What a candidate gave."""

    value: Value
    source: str
    offset: str = ""
    """UTC offset, where a time states one."""


def apply_map(table: Mapping[str, Any], reading: Reading) -> None:
    """Fills `reading.fields` from `reading.raw` by the map; fields that are there already stay."""
    names = _variables(table, reading.raw)
    for field_id, candidates in table.get("fields", {}).items():
        known = fields()[field_id]
        if field_id in reading.fields:
            continue
        found: list[_Found] = []
        for candidate in candidates:
            condition = candidate.get("when")
            if condition and lookup(reading.raw, _path(condition["tag"], names)) != condition["is"]:
                continue
            one = _candidate(known, {**table.get("defaults", {}), **candidate}, reading.raw, names)
            if one is not None and (not found or candidate.get("compare", True)):
                found.append(one)
        if not found:
            continue
        reading.fields[field_id] = FieldValue(found[0].value, found[0].source)
        if found[0].offset and known.type is FieldType.LOCAL_TIME:
            reading.fields.setdefault("utc_offset", FieldValue(found[0].offset, found[0].source))
        tolerance = candidates[0].get("tolerance", DEFAULT_TOLERANCE)
        reading.issues.extend(_conflicts(known, found, tolerance, table["format"]))


def lookup(raw: Mapping[str, Any], path: str) -> Any:
    """The raw tag at a `/` path; an element that is not a list counts as its own item 0; None when absent."""
    current: Any = raw
    for part in path.split("/"):
        if isinstance(current, Mapping):
            if part == "0" and part not in current:
                continue
            current = current.get(part)
        elif isinstance(current, list) and part.isdecimal():
            current = current[int(part)] if int(part) < len(current) else None
        elif isinstance(current, list) and current and isinstance(current[0], Mapping):
            # A map that does not number a repeated element means the first.
            current = current[0].get(part)
        elif part != "0":
            return None
    if isinstance(current, Mapping):
        return current.get("#text")
    return current


def _variables(table: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, str]:
    """Names of sections that the file itself chooses, such as the active beam."""
    chosen = {}
    for name, choices in table.get("variables", {}).items():
        for path in choices:
            value = lookup(raw, path)
            if isinstance(value, str) and value:
                chosen[name] = value
                break
    return chosen


def _candidate(
    known: Field, candidate: Mapping[str, Any], raw: Mapping[str, Any], names: Mapping[str, str]
) -> _Found | None:
    if "value" in candidate:
        return _Found(candidate["value"], "the format")
    paths = [_path(path, names) for path in candidate.get("tags", [candidate.get("tag", "")])]
    texts = [_text(lookup(raw, path), candidate) for path in paths]
    if "" in texts:
        return None
    source = ", ".join(dict.fromkeys(paths))
    if known.type is FieldType.TEXT:
        return _Found(candidate.get("prefix", "") + " ".join(texts)[:TEXT_LIMIT], source)
    if known.type in {FieldType.LOCAL_TIME, FieldType.UTC_TIME}:
        moment = local_time(" ".join(texts), tuple(candidate["time"]))
        return None if moment is None else _Found(moment[0], source, moment[1])
    numbers = _numbers(known, candidate, texts, raw, names)
    if numbers is None:
        return None
    if known.type in {FieldType.INTEGER, FieldType.INTEGERS}:
        numbers = tuple(int(number) for number in numbers)
    is_list = known.type in {FieldType.NUMBERS, FieldType.INTEGERS}
    return _Found(numbers if is_list else numbers[0], source)


def _path(path: str, names: Mapping[str, str]) -> str:
    for name, chosen in names.items():
        path = path.replace(f"{{{name}}}", chosen)
    return path


def _text(value: Any, candidate: Mapping[str, Any]) -> str:
    """The raw tag as text, cut to the part the pattern names; empty when it says nothing."""
    if value is None or isinstance(value, Mapping | list | bool):
        return ""
    text = str(value).strip()
    for pattern in (candidate.get("strip", ""), candidate.get("pattern", "")):
        if pattern and text:
            try:
                found = regex.search(pattern, text, timeout=PATTERN_TIMEOUT_S)
            except TimeoutError:
                return ""
            text = found[1].strip() if found is not None else ""
    return "" if text in candidate.get("unset", ()) else text


def _numbers(
    known: Field,
    candidate: Mapping[str, Any],
    texts: Sequence[str],
    raw: Mapping[str, Any],
    names: Mapping[str, str],
) -> tuple[float, ...] | None:
    """The candidate's numbers in the field's unit, or None when one is missing or its unit is not known."""
    dividers = candidate.get("per", [None] * len(texts))
    numbers = []
    for text, divider in zip(texts, dividers, strict=True):
        value, unit = quantity(text)
        if value is None:
            return None
        if "unit_tag" in candidate:
            unit = _text(lookup(raw, _path(candidate["unit_tag"], names)), {}) or candidate.get("unit", "")
        elif candidate.get("unit") != "in-text":
            if unit:
                return None
            unit = candidate.get("unit", known.unit)
        if divider is not None:
            below = quantity(lookup(raw, _path(divider, names)))[0]
            if not below:
                return None
            value /= below
        if candidate.get("inverse"):
            if not value:
                return None
            value = 1 / value
        wanted = converted(value, unit, known.unit) if known.unit not in {unit, "bit"} else value
        if wanted is None or wanted in candidate.get("unset", ()):
            return None
        numbers.append(wanted)
    return tuple(numbers)


def _conflicts(known: Field, found: Sequence[_Found], tolerance: float, origin: str) -> list[Issue]:
    """One finding for each later candidate that says something else than the one chosen."""
    chosen = found[0]
    return [
        issue(
            "header.conflicting_tags",
            f"{known.label}: {chosen.source} gives {_shown(chosen.value)}, "
            f"{other.source} gives {_shown(other.value)} {known.unit}".rstrip(" 1"),
            field=known.id,
            origin=origin,
            remedy=f"The first was taken. If the second is right, correct the field map for {origin}.",
        )
        for other in found[1:]
        if _differ(known, chosen.value, other.value, tolerance)
    ]


def _differ(known: Field, one: Value, other: Value, tolerance: float) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return any(_differ(known, a, b, tolerance) for a, b in zip(one, other, strict=False))
    if known.type is FieldType.LOCAL_TIME:
        apart = datetime.fromisoformat(str(one)) - datetime.fromisoformat(str(other))
        return abs(apart.total_seconds()) > TIME_TOLERANCE_S
    if isinstance(one, int | float) and isinstance(other, int | float):
        # The absolute part lets two readings of zero agree.
        return not math.isclose(one, other, rel_tol=tolerance, abs_tol=1e-15)
    return False


def _shown(value: Value) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(part) for part in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
