"""Rows as bodies: JSON, a stream of JSON lines, CSV; chosen as the client accepts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

from uploader.embedded.ermrest import jsontext
from uploader.embedded.ermrest.queries import Field

_ROWS_PER_PIECE = 500


class Media(StrEnum):
    """What rows can be written as."""

    JSON = "application/json"
    STREAM = "application/x-json-stream"
    CSV = "text/csv"


_SHORT = {"json": Media.JSON, "csv": Media.CSV}


def chosen(accept: str, override: str | None) -> Media:
    """The format for an Accept header and the `accept` parameter; JSON when nothing fits."""
    if override:
        named = _SHORT.get(override, override)
        for media in Media:
            if named == media:
                return media
    best, best_quality = Media.JSON, 0.0
    for part in accept.split(","):
        name, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        for media in Media:
            if name.strip().lower() == media and quality > best_quality:
                best, best_quality = media, quality
    return best


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def pieces(media: Media, fields: Sequence[Field], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """The body in pieces, so that a long answer is never whole in memory."""
    lines = {Media.JSON: _json_lines, Media.STREAM: _stream_lines, Media.CSV: _csv_lines}[media]
    waiting: list[str] = []
    for line in lines(fields, rows):
        waiting.append(line)
        if len(waiting) >= _ROWS_PER_PIECE:
            yield "".join(waiting).encode()
            waiting.clear()
    yield "".join(waiting).encode()


def _objects(fields: Sequence[Field], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    names = [f"{',' if index else '{'}{jsontext.compact(each.name)}:" for index, each in enumerate(fields)]
    to_json = [each.type.to_json for each in fields]
    for row in rows:
        parts = [
            name + ("null" if value is None else convert(value))
            for name, convert, value in zip(names, to_json, row, strict=True)
        ]
        yield "".join(parts) + "}" if parts else "{}"


def _json_lines(fields: Sequence[Field], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    before = "["
    for text in _objects(fields, rows):
        yield before + text
        before = ",\n "
    yield "[]\n" if before == "[" else "]\n"


def _stream_lines(fields: Sequence[Field], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    for text in _objects(fields, rows):
        yield text + "\n"


def _csv_lines(fields: Sequence[Field], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield ",".join(_csv_field(each.name) for each in fields) + "\n"
    # A DERIVA server writes an empty jsonb as `null`, everything else that is NULL as nothing.
    empty = ["null" if each.type.is_json else "" for each in fields]
    to_csv = [each.type.to_csv for each in fields]
    for row in rows:
        cells = [
            nothing if value is None else _csv_field(convert(value))
            for nothing, convert, value in zip(empty, to_csv, row, strict=True)
        ]
        yield ",".join(cells) + "\n"


def _csv_field(text: str) -> str:
    if not text or any(mark in text for mark in ',"\n\r'):
        doubled = text.replace('"', '""')
        return f'"{doubled}"'
    return text
