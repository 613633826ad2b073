"""TIFF of Zeiss SmartSEM (tag 34118): pairs of lines, a key and `name = value unit`, after a block of numbers."""

from __future__ import annotations

import re
from typing import Any

from validation.codes import issue
from validation.instruments.fieldmap import apply_map
from validation.instruments.formats import Format
from validation.instruments.plain_values import plain
from validation.instruments.quantities import number
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Malformed, Source
from validation.instruments.tiff_page import as_issue, baseline, read_page
from validation.instruments.tiff_pixels import page_picture
from validation.instruments.tiff_structure import raw_value

VERSION = 1
CZ_SEM = 34118
CZ_SEM_WIDE = 34119
"""The same text again in UTF-16, from newer versions."""
_KEY = re.compile(r"[A-Z]{2}_[A-Z0-9_]+")


def header(source: Source, file_format: Format) -> Reading:
    """Baseline tags and SmartSEM's parameters."""
    page = read_page(source)
    reading = baseline(source, page, told_elsewhere=frozenset({CZ_SEM, CZ_SEM_WIDE}))
    entries = page.directory.entries
    try:
        if CZ_SEM in entries:
            # Always Windows-1252, even where the bytes happen to be UTF-8: the writer is a Windows program.
            text = raw_value(source, entries[CZ_SEM]).decode("cp1252", "replace")
        else:
            text = raw_value(source, entries[CZ_SEM_WIDE]).decode("utf-16-le", "replace")
        reading.raw[str(CZ_SEM)] = plain(smartsem_parameters(text.split("\0", 1)[0]))
    except Malformed as fault:
        reading.issues.append(as_issue(fault, file_format.id))
    if not any(_KEY.fullmatch(key) for key in reading.raw.get(str(CZ_SEM), {})):
        message = "the SmartSEM tag holds no parameters"
        reading.issues.append(issue("header.malformed", message, origin=file_format.id))
    apply_map(file_format.table, reading)
    return reading


def picture(source: Source, max_px: int) -> Picture:
    """The page, decimated."""
    return page_picture(source, max_px)


def smartsem_parameters(text: str) -> dict[str, Any]:
    """`{"AP_WD": "WD = 4.967 mm", …}` with the leading numbers under `numbers`."""
    lines = [line.strip() for line in text.replace("\r\n", "\n").split("\n")]
    start = next((place for place, line in enumerate(lines) if _KEY.fullmatch(line)), len(lines))
    numbers = [value for line in lines[:start] if (value := number(line)) is not None]
    parameters: dict[str, Any] = {"numbers": numbers}
    place = start
    while place < len(lines):
        key = lines[place]
        # A damaged file may lose a line: a key is only a key where one stands.
        if _KEY.fullmatch(key) and place + 1 < len(lines) and not _KEY.fullmatch(lines[place + 1]):
            parameters.setdefault(key, lines[place + 1])
            place += 2
        else:
            place += 1
    return parameters
