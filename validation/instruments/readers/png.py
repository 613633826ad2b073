"""PNG: size from IHDR, text chunks and EXIF. The print density (pHYs) is not a pixel size on a sample."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from validation.codes import issue
from validation.instruments.exif import add_exif
from validation.instruments.fieldmap import apply_map
from validation.instruments.formats import Format
from validation.instruments.model import FieldValue
from validation.instruments.pillow_pixels import pillow_picture
from validation.instruments.plain_values import TEXT_LIMIT, plain
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Malformed, Source

VERSION = 1
CHUNK_LIMIT = 10_000
METADATA_LIMIT_BYTES = 8 << 20
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DENSITY_UNITS = {1: "per metre"}


def header(source: Source, file_format: Format) -> Reading:
    """IHDR and every text chunk; pixel chunks are stepped over."""
    reading = Reading()
    width, height, bits, colour = _image_header(source)
    samples = _SAMPLES[colour]
    reading.raw["png"] = {"width": width, "height": height, "bit_depth": bits, "colour_type": colour}
    for field_id, value in {
        "shape": (height, width),
        "dtype": "uint16" if bits == 16 else "uint8",
        "bits_per_sample": bits,
        "samples_per_pixel": samples,
        "compression": "deflate",
        "n_pages": 1,
        "n_datasets": 1,
    }.items():
        reading.fields[field_id] = FieldValue(value, "png/IHDR")
    texts: dict[str, Any] = {}
    has_end = False
    for kind, offset, size in _chunks(source):
        has_end = has_end or kind == b"IEND"
        if kind in {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"pHYs", b"tIME"}:
            _add_chunk(reading, texts, kind, source.read_at(offset, min(size, METADATA_LIMIT_BYTES)))
    if not has_end:
        message = "the PNG has no end: it was cut off"
        reading.issues.append(issue("header.truncated", message, origin=file_format.id))
    reading.raw["text"] = texts
    apply_map(file_format.table, reading)
    return reading


def picture(source: Source, max_px: int) -> Picture:
    """The picture, decimated."""
    width, height, bits, _colour = _image_header(source)
    return pillow_picture(source, max_px, width=width, height=height, full_scale=65535 if bits == 16 else 255)


def _image_header(source: Source) -> tuple[int, int, int, int]:
    data = source.exactly(8, 25, "the PNG header")
    width, height = int.from_bytes(data[8:12], "big"), int.from_bytes(data[12:16], "big")
    bits, colour = data[16], data[17]
    if data[4:8] != b"IHDR" or not width or not height or colour not in _SAMPLES or bits > 16:
        raise Malformed("the PNG header is damaged", offset_bytes=8)
    return width, height, bits, colour


def _chunks(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """(kind, offset of data, size) of every chunk that lies in the file."""
    offset = 8
    for _ in range(CHUNK_LIMIT):
        head = source.read_at(offset, 8)
        if len(head) < 8:
            return
        size = int.from_bytes(head[:4], "big")
        if offset + 12 + size > source.size_bytes:
            return
        yield head[4:], offset + 8, size
        offset += 12 + size


def _add_chunk(reading: Reading, texts: dict[str, Any], kind: bytes, data: bytes) -> None:
    if kind == b"eXIf":
        add_exif(reading, data, "png")
    elif kind == b"pHYs" and len(data) == 9:
        per_unit = [int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")]
        reading.raw["png"]["density"] = {"pixels": per_unit, "unit": _DENSITY_UNITS.get(data[8], "")}
    elif kind == b"tIME" and len(data) == 7:
        year = int.from_bytes(data[:2], "big")
        reading.raw["png"]["last_change_utc"] = (
            f"{year:04}-{data[2]:02}-{data[3]:02}T{data[4]:02}:{data[5]:02}:{data[6]:02}Z"
        )
    elif b"\0" in data:
        key, _, rest = data.partition(b"\0")
        texts.setdefault(key.decode("latin-1"), plain(_text(kind, rest)))


def _text(kind: bytes, rest: bytes) -> str:
    if kind == b"tEXt":
        return rest.decode("latin-1")
    if kind == b"zTXt":
        return _inflated(rest[1:]).decode("latin-1")
    is_packed, rest = rest[:1] == b"\1", rest[2:]
    body = rest.split(b"\0", 2)[-1]
    return (_inflated(body) if is_packed else body).decode("utf-8", "replace")


def _inflated(data: bytes) -> bytes:
    """At most TEXT_LIMIT bytes, however much the data would unpack to."""
    try:
        return zlib.decompressobj().decompress(data, TEXT_LIMIT)
    except zlib.error:
        return b""
