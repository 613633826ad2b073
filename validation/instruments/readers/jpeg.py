"""JPEG: size from the frame header, EXIF and XMP. The print density (JFIF) is not a pixel size on a sample."""

from __future__ import annotations

from collections.abc import Iterator

from validation.codes import issue
from validation.instruments.exif import add_exif
from validation.instruments.fieldmap import apply_map
from validation.instruments.formats import Format
from validation.instruments.model import FieldValue
from validation.instruments.pillow_pixels import pillow_picture
from validation.instruments.plain_values import decoded, plain
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Malformed, Source

VERSION = 1
SEGMENT_LIMIT = 4096
EXIF_MARK, XMP_MARK = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
APP1, COMMENT, START_OF_SCAN = 0xE1, 0xFE, 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD8)}


def header(source: Source, file_format: Format) -> Reading:
    """The segments in front of the pixels."""
    reading = Reading()
    for kind, offset, size in _segments(source):
        if kind in _FRAMES and "shape" not in reading.fields:
            _add_frame(reading, source.read_at(offset, min(size, 6)))
        elif kind == APP1:
            data = source.read_at(offset, size)
            if data.startswith(EXIF_MARK):
                add_exif(reading, data[len(EXIF_MARK) :], file_format.id)
            elif data.startswith(XMP_MARK):
                reading.raw["xmp"] = plain(decoded(data[len(XMP_MARK) :]))
        elif kind == COMMENT:
            reading.raw["comment"] = plain(decoded(source.read_at(offset, size)))
    if "shape" not in reading.fields:
        raise Malformed("the JPEG ends before its frame header", is_truncated=True)
    if source.read_at(source.size_bytes - 2, 2) != b"\xff\xd9" and not _has_end_mark(source):
        message = "the JPEG has no end mark: it was probably cut off"
        reading.issues.append(issue("header.truncated", message, origin=file_format.id))
    apply_map(file_format.table, reading)
    return reading


def picture(source: Source, max_px: int) -> Picture:
    """The picture, decoded at a fraction of its size."""
    for kind, offset, _size in _segments(source):
        if kind in _FRAMES:
            frame = source.exactly(offset, 5, "the JPEG frame header")
            height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
            return pillow_picture(source, max_px, width=width, height=height, full_scale=255)
    raise Malformed("the JPEG ends before its frame header", is_truncated=True)


def _segments(source: Source) -> Iterator[tuple[int, int, int]]:
    """(marker, offset of data, size) up to the first scan."""
    offset = 2
    for _ in range(SEGMENT_LIMIT):
        head = source.read_at(offset, 4)
        if len(head) < 4 or head[0] != 0xFF:
            return
        kind = head[1]
        if kind == 0xFF:  # fill byte
            offset += 1
            continue
        if kind in _ALONE:
            offset += 2
            continue
        size = int.from_bytes(head[2:4], "big")
        if kind == START_OF_SCAN or size < 2:
            return
        yield kind, offset + 4, size - 2
        offset += 2 + size


def _add_frame(reading: Reading, data: bytes) -> None:
    if len(data) < 6:
        return
    height, width = int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:5], "big")
    values = {
        "shape": (height, width),
        "dtype": "uint8" if data[0] <= 8 else "uint16",
        "bits_per_sample": data[0],
        "samples_per_pixel": data[5],
        "compression": "jpeg",
        "n_pages": 1,
        "n_datasets": 1,
    }
    for field_id, value in values.items():
        reading.fields[field_id] = FieldValue(value, "the JPEG frame header")


def _has_end_mark(source: Source) -> bool:
    """Cameras append previews and padding behind the picture."""
    return b"\xff\xd9" in source.read_at(max(0, source.size_bytes - 4096), 4096)
