"""The header against the path and against what people typed, and what the header ought to hold."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from validation.codes import issue
from validation.instruments.model import Header
from validation.model import Issue
from validation.record.path_fields import PATH_FIELDS, number_in, settings_of_path
from validation.record.techniques import CORE_SETTINGS, family_of_file
from validation.spec.model import Match, Spec
from validation.subjects import CheckedFile

RELATIVE_TOLERANCE = 0.01
"""Instruments write the measured value (199.97 kV), paths and people the nominal one."""

PATH_WORDS: Mapping[str, str] = {"detector": "detector"}
"""Capture name -> header field that holds text; compared without case and punctuation."""

OPERATORS = ("operator", "user")
"""Captures that name a person. The header names an account, often a shared one: a difference is worth a note."""

NIGHT_SHIFT = timedelta(hours=36)
"""A session is filed under the day it began; it may run until noon of the next."""

PATH_PHRASES: Mapping[str, tuple[str, ...]] = {
    "instrument": ("instrument_model", "manufacturer", "instrument_serial"),
    "microscope": ("instrument_model", "manufacturer", "instrument_serial"),
}
"""Capture name -> header fields of which one must share a word with it."""


def header_findings(file: CheckedFile, _spec: Spec, _now: datetime) -> Iterator[Issue]:
    """What the reader found wrong with the header, now with the file's path."""
    if file.header is not None:
        for found in file.header.issues:
            if found.code == "source.empty":
                continue  # naming.not_empty says it, at every depth
            yield replace(found, location=replace(found.location, path=file.path))


def path_against_header(file: CheckedFile, _spec: Spec, _now: datetime) -> Iterator[Issue]:
    """A finding for each part of the path that contradicts the header, unless a person confirmed the header."""
    if file.header is None or not isinstance(file.match, Match):
        return
    for name, captured in file.captures.items():
        for field_id, said in _contradictions(name.lower(), captured, file.header):
            if _confirmed(file, field_id, said):
                continue
            yield issue(
                "header.path_conflict",
                f"the path says {name} is {_show(captured)}, the header's {field_id} is {_show(said)} "
                f"(tag {file.header.fields[field_id].source})",
                path=file.path,
                field=field_id,
                origin="path_against_header",
            )


def typed_against_header(file: CheckedFile, _spec: Spec, _now: datetime) -> Iterator[Issue]:
    """A finding for each typed setting, instrument or operator that the header contradicts."""
    if file.header is None:
        return
    for field_id, typed in (file.typed.get("settings") or {}).items():
        said = file.header.value(field_id)
        if said is not None and not _same(typed, said):
            yield _typed_conflict(file, ("settings", field_id), typed, field_id, said)
    model = file.header.value("instrument_model")
    for key in ("model", "name"):
        typed = file.typed.get("instrument", key)
        if isinstance(typed, str) and isinstance(model, str) and not _share_a_word(typed, model):
            yield _typed_conflict(file, ("instrument", key), typed, "instrument_model", model)
            break
    serial, typed = file.header.value("instrument_serial"), file.typed.get("instrument", "serialNumber")
    if serial is not None and typed is not None and _words(str(serial)) != _words(str(typed)):
        yield _typed_conflict(file, ("instrument", "serialNumber"), typed, "instrument_serial", serial)


def expected_fields(file: CheckedFile, spec: Spec, _now: datetime) -> Iterator[Issue]:
    """A finding naming the settings that the level asks for and neither header, path nor person supplies."""
    if file.header is None or file.header.format == "unknown" or spec.level != "nffa-core":
        return
    if not file.header.fields or not isinstance(file.match, Match):
        return
    wanted = CORE_SETTINGS.get(family_of_file(file.captures, file.typed, file.header), ())
    typed = {**settings_of_path(file.captures), **(file.typed.get("settings") or {})}
    missing = [
        " or ".join(any_of)
        for any_of in wanted
        if not any(file.header.value(name) is not None or name in typed for name in any_of)
    ]
    if missing:
        yield issue(
            "header.missing_field",
            f"the header lacks {', '.join(missing)}, which level {spec.level} asks for",
            path=file.path,
            field=missing[0].split(" ", 1)[0],
            origin="expected_fields",
        )


def _contradictions(name: str, captured: Any, header: Header) -> Iterator[tuple[str, Any]]:
    """The header fields that contradict one capture, with what they say."""
    if name in PATH_FIELDS:
        field_id, factor = PATH_FIELDS[name]
        said, number = header.value(field_id), number_in(captured)
        if said is not None and number is not None and not _same(number * factor, said):
            yield field_id, said
    elif name in PATH_WORDS:
        said = header.value(PATH_WORDS[name])
        if isinstance(said, str) and said and not _share_a_word(str(captured), said):
            yield PATH_WORDS[name], said
    elif name in PATH_PHRASES:
        known = [(field, header.value(field)) for field in PATH_PHRASES[name]]
        spoken = [(field, value) for field, value in known if isinstance(value, str) and value]
        if spoken and not any(_share_a_word(str(captured), value) for _, value in spoken):
            yield spoken[0]
    elif name in {"date", "acquired", "day"}:
        said = header.value("acquired")
        began, taken = _day(str(captured)), _moment(said)
        if began and taken and not timedelta(0) <= taken - began < NIGHT_SHIFT:
            yield "acquired", said


def path_operator(file: CheckedFile, _spec: Spec, _now: datetime) -> Iterator[Issue]:
    """A note when the path names a person and the header an account that looks like somebody else's."""
    said = None if file.header is None else file.header.value("operator")
    if not isinstance(said, str) or not said.strip():
        return
    for name, captured in file.captures.items():
        if name.lower() in OPERATORS and captured and not _may_be_same_person(str(captured), said):
            yield issue(
                "header.operator_differs",
                f"the path says {name} is {_show(captured)}, the header names the account {_show(said)}",
                path=file.path,
                field="operator",
                origin="path_operator",
            )


def _may_be_same_person(one: str, other: str) -> bool:
    """A shared word, one inside the other, or the initials."""
    initials = ["".join(word[0] for word in _words(name)) for name in (one, other)]
    return (
        _share_a_word(one, other)
        or "".join(_words(one)) == initials[1]
        or "".join(_words(other)) == initials[0]
    )


def _confirmed(file: CheckedFile, field_id: str, said: Any) -> bool:
    """Whether a person has typed the header's value, which settles the conflict."""
    typed = file.typed.get("settings", field_id)
    return typed is not None and _same(typed, said)


def _typed_conflict(file: CheckedFile, keys: tuple[str, ...], typed: Any, field_id: str, said: Any) -> Issue:
    where = file.typed.source(*keys)
    return issue(
        "header.typed_conflict",
        f"{'.'.join(keys)} is typed as {_show(typed)}{f' in {where}' if where else ''}, "
        f"the header's {field_id} is {_show(said)}",
        path=file.path,
        field=field_id,
        origin="typed_against_header",
    )


def _same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: numbers within the tolerance, lists part by part, text by its words."""
    if isinstance(one, list | tuple) or isinstance(other, list | tuple):
        ones, others = _parts(one), _parts(other)
        return len(ones) == len(others) and all(_same(a, b) for a, b in zip(ones, others, strict=True))
    number, said = number_in(one), number_in(other)
    if isinstance(other, int | float) and number is not None and said is not None:
        return math.isclose(number, said, rel_tol=RELATIVE_TOLERANCE)
    return _words(str(one)) == _words(str(other))


def _parts(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _share_a_word(one: str, other: str) -> bool:
    """Whether two names have a word in common, or one, run together, contains the other."""
    ones, others = _words(one), _words(other)
    joined, joined_other = "".join(ones), "".join(others)
    return bool(set(ones) & set(others)) or joined in joined_other or joined_other in joined


def _day(text: str) -> datetime | None:
    found = re.fullmatch(r"(\d{4})[-_.]?(\d\d)[-_.]?(\d\d)", text.strip(), re.ASCII)
    return _moment("-".join(found.groups())) if found else None


def _moment(text: Any) -> datetime | None:
    """The local time that the text states, its offset left aside: a path holds none."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None) if isinstance(text, str) else None
    except ValueError:
        return None


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = str(list(value)) if isinstance(value, tuple) else str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...") if isinstance(value, str) else text
