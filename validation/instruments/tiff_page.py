"""What the baseline tags of a TIFF's first page say: size, number type, packing, page count, raw tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from validation.codes import issue
from validation.instruments.model import FieldValue, Value
from validation.instruments.plain_values import plain
from validation.instruments.reading import Reading
from validation.instruments.source import Malformed, Source
from validation.instruments.tiff_structure import (
    Chain,
    Directory,
    Layout,
    follow_chain,
    read_directory,
    read_layout,
    tag_value,
)
from validation.model import Issue

ORIGIN = "tiff"
WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 273, 277, 278, 279
PLANAR, PREDICTOR, COLOR_MAP, TILE_WIDTH, TILE_OFFSETS, TILE_BYTES = 284, 317, 320, 322, 324, 325
SAMPLE_FORMAT = 339
MIN_IS_WHITE, PALETTE = 0, 3

_NAMES = {
    254: "NewSubfileType",
    WIDTH: "ImageWidth",
    LENGTH: "ImageLength",
    BITS: "BitsPerSample",
    COMPRESSION: "Compression",
    PHOTOMETRIC: "PhotometricInterpretation",
    266: "FillOrder",
    269: "DocumentName",
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    274: "Orientation",
    SAMPLES: "SamplesPerPixel",
    ROWS_PER_STRIP: "RowsPerStrip",
    282: "XResolution",
    283: "YResolution",
    PLANAR: "PlanarConfiguration",
    296: "ResolutionUnit",
    297: "PageNumber",
    305: "Software",
    306: "DateTime",
    315: "Artist",
    316: "HostComputer",
    PREDICTOR: "Predictor",
    TILE_WIDTH: "TileWidth",
    323: "TileLength",
    SAMPLE_FORMAT: "SampleFormat",
    33432: "Copyright",
}
# Places of pixels and the palette say nothing about the sample and can be as long as the file has rows.
_UNTOLD = {STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES, COLOR_MAP, 34665, 34853}
_PACKING = {1: "none", 2: "ccitt", 3: "ccitt", 4: "ccitt", 5: "lzw", 6: "jpeg", 7: "jpeg", 8: "deflate"}
_PACKING |= {32773: "packbits", 32946: "deflate", 34712: "jpeg2000", 33003: "jpeg2000", 33005: "jpeg2000"}
_PACKING |= {34925: "lzma", 50000: "zstd", 50001: "webp", 34887: "lerc", 50002: "jpegxl", 52546: "jpegxl"}
_KINDS = {1: "uint", 2: "int", 3: "float", 4: "uint", 6: "complex"}
_PLACES_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Page:
    """The first page of a TIFF, its pages' offsets, and what its own tags say."""

    layout: Layout
    directory: Directory
    chain: Chain
    width: int
    length: int
    samples: int
    bits: int
    kind: str
    compression: int

    @property
    def dtype(self) -> str:
        """Number type of one sample; `uint1` and the like for packed ones."""
        return f"{self.kind}{self.bits}"

    @property
    def pixel_bytes(self) -> int:
        """Bytes that the unpacked pixels of the page take."""
        return self.length * ((self.width * self.samples * self.bits + 7) // 8)


def read_page(source: Source) -> Page:
    """The first page; raises Malformed when there is none or it has no size."""
    layout, offset = read_layout(source)
    directory = read_directory(source, layout, offset)
    return page_of(source, layout, directory, follow_chain(source, layout, directory))


def page_of(source: Source, layout: Layout, directory: Directory, chain: Chain) -> Page:
    """The page that a directory describes; raises Malformed when it has no size."""
    numbers = {code: first_number(source, layout, directory, code) for code in (WIDTH, LENGTH, BITS, SAMPLES)}
    width, length = numbers[WIDTH] or 0, numbers[LENGTH] or 0
    if width <= 0 or length <= 0:
        raise Malformed(f"the TIFF page claims {width} x {length} pixels", offset_bytes=directory.offset)
    return Page(
        layout=layout,
        directory=directory,
        chain=chain,
        width=width,
        length=length,
        samples=max(1, numbers[SAMPLES] or 1),
        bits=max(1, numbers[BITS] or 1),
        kind=_KINDS.get(first_number(source, layout, directory, SAMPLE_FORMAT) or 1, "uint"),
        compression=first_number(source, layout, directory, COMPRESSION) or 1,
    )


def baseline(source: Source, page: Page, told_elsewhere: frozenset[int] = frozenset()) -> Reading:
    """Fields, raw tags (under `tiff`) and findings of the baseline tags; vendor tags are left to the reader."""
    reading = Reading()
    tags: dict[str, Any] = {}
    for code, entry in page.directory.entries.items():
        if code in _UNTOLD or code in told_elsewhere:
            continue
        try:
            value = tag_value(source, page.layout, entry)
        except Malformed as fault:
            reading.issues.append(as_issue(fault))
            continue
        tags[_NAMES.get(code, str(code))] = plain(list(value) if isinstance(value, tuple) else value)
    reading.raw["tiff"] = tags
    _add_sizes(reading, page)
    if page.chain.fault is not None:
        reading.issues.append(as_issue(page.chain.fault))
    reading.issues.extend(_missing_pixels(source, page))
    return reading


def as_issue(fault: Malformed, origin: str = ORIGIN) -> Issue:
    """The finding for a fault in the bytes."""
    code = "header.truncated" if fault.is_truncated else "header.malformed"
    return issue(code, fault.message, offset_bytes=fault.offset_bytes, origin=origin)


def _add_sizes(reading: Reading, page: Page) -> None:
    pages = len(page.chain.offsets)
    values: dict[str, tuple[Value, str]] = {
        "shape": ((page.length, page.width), "tiff/ImageLength, tiff/ImageWidth"),
        "dtype": (page.dtype, "tiff/SampleFormat, tiff/BitsPerSample"),
        "bits_per_sample": (page.bits, "tiff/BitsPerSample"),
        "samples_per_pixel": (page.samples, "tiff/SamplesPerPixel"),
        "compression": (_PACKING.get(page.compression, str(page.compression)), "tiff/Compression"),
        "n_pages": (pages, "the chain of TIFF directories"),
        "n_datasets": (1, "the format"),
    }
    for field_id, (value, source_tag) in values.items():
        reading.fields[field_id] = FieldValue(value, source_tag)


def _missing_pixels(source: Source, page: Page) -> list[Issue]:
    """Whether the strips or tiles of the first page lie inside the file."""
    end = 0
    for offsets, sizes in ((STRIP_OFFSETS, STRIP_BYTES), (TILE_OFFSETS, TILE_BYTES)):
        first, second = page.directory.entries.get(offsets), page.directory.entries.get(sizes)
        if first is None or second is None or max(first.size_bytes, second.size_bytes) > _PLACES_LIMIT:
            continue
        try:
            places = numbers_of(tag_value(source, page.layout, first))
            lengths = numbers_of(tag_value(source, page.layout, second))
        except Malformed as fault:
            return [as_issue(fault)]
        end = max([end, *(place + length for place, length in zip(places, lengths, strict=False))])
    found = []
    if end > source.size_bytes:
        found.append(
            issue(
                "header.truncated",
                f"the pixels should end at byte {end}, but the file has {source.size_bytes} bytes",
                offset_bytes=source.size_bytes,
                origin=ORIGIN,
            )
        )
    elif page.compression == 1 and page.pixel_bytes > source.size_bytes:
        found.append(
            issue(
                "header.truncated",
                f"the header claims {page.width} x {page.length} pixels ({page.pixel_bytes} bytes), "
                f"but the file has {source.size_bytes} bytes",
                origin=ORIGIN,
            )
        )
    return found


def numbers_of(value: Any) -> tuple[int, ...]:
    """The whole numbers of a tag value, however many there are."""
    values = value if isinstance(value, tuple) else (value,)
    return tuple(part for part in values if isinstance(part, int))


def first_number(source: Source, layout: Layout, directory: Directory, code: int) -> int | None:
    """The first of a tag's whole numbers, or None when the tag is missing or damaged."""
    entry = directory.entries.get(code)
    if entry is None or entry.count > 64:
        return None
    try:
        values = numbers_of(tag_value(source, layout, entry))
    except Malformed:
        return None
    return values[0] if values else None
