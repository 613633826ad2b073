"""EXIF blocks of PNG and JPEG files as raw tags; an EXIF block is a small TIFF."""

from __future__ import annotations

import io
from typing import Any

from validation.instruments.plain_values import plain
from validation.instruments.reading import Reading
from validation.instruments.source import Malformed, Source
from validation.instruments.tiff_page import as_issue
from validation.instruments.tiff_structure import Directory, Layout, read_directory, read_layout, tag_value

EXIF_DIRECTORY, GPS_DIRECTORY = 34665, 34853
_NAMES = {
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    274: "Orientation",
    305: "Software",
    306: "DateTime",
    315: "Artist",
    33432: "Copyright",
    33434: "ExposureTime",
    36867: "DateTimeOriginal",
    36868: "DateTimeDigitized",
    36880: "OffsetTime",
    36881: "OffsetTimeOriginal",
    36882: "OffsetTimeDigitized",
    41486: "FocalPlaneXResolution",
    41487: "FocalPlaneYResolution",
    41488: "FocalPlaneResolutionUnit",
    42033: "BodySerialNumber",
}


def add_exif(reading: Reading, block: bytes, origin: str) -> None:
    """Puts the block's tags under `exif` of the raw tags, and its faults among the findings."""
    source = Source(io.BytesIO(block), len(block))
    tags: dict[str, Any] = reading.raw.setdefault("exif", {})
    try:
        layout, offset = read_layout(source)
        first = read_directory(source, layout, offset)
        _add_tags(reading, tags, source, layout, first)
        for code in (EXIF_DIRECTORY, GPS_DIRECTORY):
            place = tag_value(source, layout, first.entries[code]) if code in first.entries else None
            if isinstance(place, int):
                _add_tags(reading, tags, source, layout, read_directory(source, layout, place))
    except Malformed as fault:
        reading.issues.append(as_issue(fault, origin))


def _add_tags(
    reading: Reading, tags: dict[str, Any], source: Source, layout: Layout, directory: Directory
) -> None:
    for code, entry in directory.entries.items():
        if code in {EXIF_DIRECTORY, GPS_DIRECTORY}:
            continue
        try:
            value = tag_value(source, layout, entry)
        except Malformed as fault:
            reading.issues.append(as_issue(fault, "exif"))
            continue
        tags.setdefault(_NAMES.get(code, str(code)), plain(value))
