"""Bodies as rows: JSON lists, JSON lines and CSV into mappings of column name to value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from uploader.embedded.ermrest import jsontext
from uploader.embedded.ermrest.errors import Refusal, bad_input, conflict, malformed
from uploader.embedded.ermrest.formats import Media

Row: TypeAlias = Mapping[str, Any]
"""Column -> value; None and absent mean the same except where a row is updated."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a body."""

    rows: Sequence[Row]
    are_text: bool = False
    """Values are text of CSV fields and not JSON values."""

    @property
    def origin(self) -> str:
        """How a refusal of one of these rows begins."""
        return "CSV input. ERROR:  " if self.are_text else "JSON array input. ERROR:  "


def media_of(content_type: str) -> Media:
    """The format of a body; JSON without a Content-Type; raises Refusal (415)."""
    name = content_type.partition(";")[0].strip().lower()
    if not name:
        return Media.JSON
    try:
        return Media(name)
    except ValueError:
        raise Refusal(415, f"{name} input not supported") from None


def read_rows(media: Media, body: bytes, known: Sequence[str], required: Sequence[str]) -> Rows:
    """The rows of a body.

    `known` are the columns a CSV header may name, `required` those it must. JSON rows may lack any column, and
    columns nobody knows are dropped: a DERIVA server does so too.
    """
    text = _decoded(body)
    if media is Media.CSV:
        return Rows(_csv_rows(text, known, required), are_text=True)
    try:
        if media is Media.STREAM:
            return Rows([_object(jsontext.parse(line)) for line in text.split("\n") if line.strip()])
        values = jsontext.parse(text)
    except jsontext.BadJson as error:
        raise bad_input(f"JSON array input. ERROR:  {error}") from error
    if not isinstance(values, list):
        what = "a non-array" if isinstance(values, dict) else "a scalar"
        raise bad_input(f"JSON array input. ERROR:  cannot call json_array_elements on {what}")
    return Rows([_object(value) for value in values])


def read_document(body: bytes) -> Any:
    """The JSON value of a body; raises Refusal (400)."""
    try:
        return jsontext.parse(_decoded(body))
    except jsontext.BadJson as error:
        raise malformed(f"Invalid JSON document. {error}") from error


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = body[error.start]
        raise bad_input(
            f'JSON array input. ERROR:  invalid byte sequence for encoding "UTF8": 0x{byte:02x}'
        ) from error


def _object(value: Any) -> Row:
    if not isinstance(value, dict):
        raise bad_input("JSON array input. ERROR:  each row must be a JSON object")
    return value


def _csv_rows(text: str, known: Sequence[str], required: Sequence[str]) -> list[Row]:
    records = _csv_records(text)
    header = [name or "" for name in next(records, [])]
    for name in header:
        if name not in known:
            raise conflict(f"CSV column {name} not recognized.")
    missing = [name for name in required if name not in header]
    if missing:
        listed = ", ".join(f'"{name}"' for name in missing)
        raise malformed(f"Missing expected CSV columns: {listed}.")
    rows: list[Row] = []
    for record in records:
        if len(record) != len(header):
            problem = (
                "missing data for column"
                if len(record) < len(header)
                else "extra data after last expected column"
            )
            raise bad_input(f"CSV input. ERROR:  {problem}")
        rows.append(dict(zip(header, record, strict=True)))
    return rows


def _csv_records(text: str) -> Iterator[list[str | None]]:
    """Records of CSV text; an empty field is NULL, an empty field in quotes is empty text.

    The standard library's reader cannot tell the two apart.
    """
    position, end = 0, len(text)
    record: list[str | None] = []
    while position < end:
        if text[position] == '"':
            cell, position = _quoted(text, position + 1)
            record.append(cell)
        else:
            start = position
            while position < end and text[position] not in ",\r\n":
                position += 1
            record.append(text[start:position] or None)
        if position < end and text[position] == ",":
            position += 1
            if position < end and text[position] not in "\r\n":
                continue
            record.append(None)  # the line ends after a comma
        if position < end and text[position] not in "\r\n":
            raise bad_input("CSV input. ERROR:  text after a quoted field")
        position += 2 if text.startswith("\r\n", position) else 1
        yield record
        record = []


def _quoted(text: str, position: int) -> tuple[str, int]:
    parts = []
    while True:
        close = text.find('"', position)
        if close < 0:
            raise bad_input("CSV input. ERROR:  unterminated CSV quoted field")
        parts.append(text[position:close])
        position = close + 1
        if not text.startswith('"', position):
            return "".join(parts), position
        parts.append('"')
        position += 1
