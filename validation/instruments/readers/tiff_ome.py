"""OME-TIFF: the OME-XML of the first ImageDescription (schema 2016-06 and its forerunners)."""

from __future__ import annotations

from typing import Any

from validation.instruments.fieldmap import apply_map
from validation.instruments.formats import Format
from validation.instruments.model import FieldValue
from validation.instruments.plain_values import plain
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Malformed, Source
from validation.instruments.tiff_page import as_issue, baseline, read_page
from validation.instruments.tiff_pixels import page_picture
from validation.instruments.tiff_structure import DESCRIPTION, raw_value
from validation.instruments.xml_tree import xml_tree

VERSION = 1


def header(source: Source, file_format: Format) -> Reading:
    """Baseline tags and the whole OME document."""
    page = read_page(source)
    reading = baseline(source, page, told_elsewhere=frozenset({DESCRIPTION}))
    try:
        document = raw_value(source, page.directory.entries[DESCRIPTION])
        reading.raw["ome"] = plain(xml_tree(document).get("OME") or {})
    except Malformed as fault:
        reading.issues.append(as_issue(fault, file_format.id))
    apply_map(file_format.table, reading)
    images = _images(reading.raw.get("ome"))
    if images:
        reading.fields["n_datasets"] = FieldValue(len(images), "ome/Image")
    return reading


def picture(source: Source, max_px: int) -> Picture:
    """The middle page, decimated."""
    return page_picture(source, max_px)


def _images(ome: Any) -> list[Any]:
    found = ome.get("Image", []) if isinstance(ome, dict) else []
    if isinstance(found, dict) and "first" in found:
        return [None] * int(found["count"])
    return found if isinstance(found, list) else [found]
