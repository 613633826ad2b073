"""TIFF of FEI and Thermo Fisher microscopes: tags 34680, 34682 (INI, or TIA's XML list) and 34683 (XML)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from validation.instruments.fieldmap import apply_map
from validation.instruments.formats import Format
from validation.instruments.ini_tree import ini_tree
from validation.instruments.plain_values import decoded, plain
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Malformed, Source
from validation.instruments.tiff_page import Page, as_issue, baseline, read_page
from validation.instruments.tiff_pixels import page_picture
from validation.instruments.tiff_structure import raw_value
from validation.instruments.xml_tree import xml_tree

VERSION = 1
FEI_TAGS = (34680, 34682, 34683)


def header(source: Source, file_format: Format) -> Reading:
    """Baseline tags and the vendor's own, whichever of the three the file has."""
    page = read_page(source)
    reading = baseline(source, page, told_elsewhere=frozenset(FEI_TAGS))
    for code in FEI_TAGS:
        if code in page.directory.entries:
            try:
                reading.raw[str(code)] = plain(_vendor_tag(source, page, code))
            except Malformed as fault:
                reading.issues.append(as_issue(fault, file_format.id))
    apply_map(file_format.table, reading)
    return reading


def picture(source: Source, max_px: int) -> Picture:
    """The middle page, decimated."""
    return page_picture(source, max_px)


def _vendor_tag(source: Source, page: Page, code: int) -> Any:
    text = decoded(raw_value(source, page.directory.entries[code])).strip()
    if text.startswith("<"):
        return _tia_list(xml_tree(text))
    if "[" in text[:64] or "=" in text[:256]:
        return ini_tree(text)
    return _packed_xml(text)


def _tia_list(tree: dict[str, Any]) -> dict[str, Any]:
    """TIA's export is a list of label, value and unit; as a dictionary it reads `High tension: 200 kV`."""
    data = tree.get("Root", {}).get("Data") if isinstance(tree.get("Root"), dict) else None
    if data is None:
        return tree
    entries = [entry for entry in (data if isinstance(data, list) else [data]) if isinstance(entry, dict)]
    return {
        str(entry.get("Label")): f"{entry.get('Value', '')} {entry.get('Unit', '')}".strip()
        for entry in entries
    }


def _packed_xml(text: str) -> Any:
    """Auto Slice & View keeps its XML in base64 in tag 34680; anything else stays text."""
    try:
        unpacked = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text
    # The byte order mark stands in front of the declaration.
    body = unpacked.removeprefix(b"\xef\xbb\xbf")
    return xml_tree(body) if body.startswith(b"<") else text
