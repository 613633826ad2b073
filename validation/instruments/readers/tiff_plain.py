"""Plain TIFF: baseline tags only, for pictures whose writer left nothing else."""

from __future__ import annotations

from validation.instruments.fieldmap import apply_map
from validation.instruments.formats import Format
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Source
from validation.instruments.tiff_page import baseline, read_page
from validation.instruments.tiff_pixels import page_picture

VERSION = 1


def header(source: Source, file_format: Format) -> Reading:
    """Sizes, number type, and what the text tags say."""
    reading = baseline(source, read_page(source))
    apply_map(file_format.table, reading)
    return reading


def picture(source: Source, max_px: int) -> Picture:
    """The middle page, decimated."""
    return page_picture(source, max_px)
