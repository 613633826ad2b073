"""TIFF of TESCAN microscopes: tag 50431 holds a thumbnail and blocks of `key=value` lines."""

from __future__ import annotations

from validation.codes import issue
from validation.instruments.fieldmap import apply_map
from validation.instruments.formats import Format
from validation.instruments.ini_tree import ini_tree
from validation.instruments.plain_values import decoded, plain
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Malformed, Source
from validation.instruments.tiff_page import as_issue, baseline, read_page
from validation.instruments.tiff_pixels import page_picture
from validation.instruments.tiff_structure import raw_value

VERSION = 1
TESCAN = 50431
_BLOCK_LIMIT = 64


def header(source: Source, file_format: Format) -> Reading:
    """Baseline tags and the parameters of every block."""
    page = read_page(source)
    reading = baseline(source, page, told_elsewhere=frozenset({TESCAN}))
    try:
        parameters = tescan_parameters(raw_value(source, page.directory.entries[TESCAN]))
        reading.raw[str(TESCAN)] = plain(parameters)
        if not parameters:
            message = "the TESCAN tag holds no parameters"
            reading.issues.append(issue("header.malformed", message, origin=file_format.id))
    except Malformed as fault:
        reading.issues.append(as_issue(fault, file_format.id))
    apply_map(file_format.table, reading)
    return reading


def picture(source: Source, max_px: int) -> Picture:
    """The page, decimated."""
    return page_picture(source, max_px)


def tescan_parameters(data: bytes) -> dict[str, str]:
    """The parameters of all blocks; where a key stands twice, the first is kept.

    The thumbnail's length and its bytes come first, then blocks: length (4 bytes, little endian, counting from
    the number on), a number (2 bytes), text. Found by looking at files; nothing is published.
    """
    parameters: dict[str, str] = {}
    place = 4 + int.from_bytes(data[:4], "little")
    for _ in range(_BLOCK_LIMIT):
        size = int.from_bytes(data[place : place + 4], "little")
        if size < 2 or place + 6 > len(data):
            break
        text = decoded(data[place + 6 : place + 4 + size])
        for section in ini_tree(text).values():
            for key, value in section.items():
                parameters.setdefault(key, value)
        place += 4 + size
    return parameters
