"""TIFF saved by ImageJ or Fiji: the scale and the stack live in the ImageDescription."""

from __future__ import annotations

from validation.instruments.fieldmap import apply_map
from validation.instruments.formats import Format
from validation.instruments.ini_tree import ini_tree
from validation.instruments.model import FieldValue
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Source
from validation.instruments.tiff_page import Page, baseline, read_page
from validation.instruments.tiff_pixels import page_picture

VERSION = 1
_IJ_METADATA = frozenset({50838, 50839})


def header(source: Source, file_format: Format) -> Reading:
    """Baseline tags and the `key=value` lines of the description."""
    page = read_page(source)
    reading = baseline(source, page, told_elsewhere=_IJ_METADATA)
    description = str(reading.raw["tiff"].get("ImageDescription") or "")
    # ImageJ escapes what is not ASCII as Java does.
    lines = ini_tree(description.replace("\\u00B5", "µ")).get("", {})
    reading.raw["imagej"] = lines
    apply_map(file_format.table, reading)
    _count_hidden_pages(reading, page, source, lines.get("images", ""))
    return reading


def _count_hidden_pages(reading: Reading, page: Page, source: Source, images: str) -> None:
    """ImageJ writes one directory for stacks above 4 GiB and the pictures one after another."""
    count = int(images) if images.isdecimal() and len(images) < 10 else 0
    if count > len(page.chain.offsets) and count * page.pixel_bytes <= source.size_bytes:
        reading.fields["n_pages"] = FieldValue(count, "imagej/images")


def picture(source: Source, max_px: int) -> Picture:
    """The middle page, decimated."""
    return page_picture(source, max_px)
