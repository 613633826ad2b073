"""TIFF of Fibics ATLAS engines on Zeiss columns: XML in tag 51023."""

from __future__ import annotations

from validation.instruments.fieldmap import apply_map
from validation.instruments.formats import Format
from validation.instruments.plain_values import plain
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Malformed, Source
from validation.instruments.tiff_page import as_issue, baseline, read_page
from validation.instruments.tiff_pixels import page_picture
from validation.instruments.tiff_structure import raw_value
from validation.instruments.xml_tree import xml_tree

VERSION = 1
FIBICS = 51023


def header(source: Source, file_format: Format) -> Reading:
    """Baseline tags and the whole Fibics document."""
    page = read_page(source)
    reading = baseline(source, page, told_elsewhere=frozenset({FIBICS}))
    try:
        # As bytes: the document declares its own encoding.
        document = xml_tree(raw_value(source, page.directory.entries[FIBICS]))
        reading.raw[str(FIBICS)] = plain(document.get("Fibics") or document)
    except Malformed as fault:
        reading.issues.append(as_issue(fault, file_format.id))
    apply_map(file_format.table, reading)
    return reading


def picture(source: Source, max_px: int) -> Picture:
    """The middle page, decimated."""
    return page_picture(source, max_px)
