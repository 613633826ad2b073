"""FEI TIA series (SER, old and new): a header of dimensions, offsets, and elements that are images or spectra.

Little endian throughout. Version 0x0220 has 8-byte offsets, older ones 4-byte offsets.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

from validation.codes import issue
from validation.instruments.fieldmap import apply_map
from validation.instruments.formats import Format
from validation.instruments.model import FieldValue
from validation.instruments.plain_values import decoded, plain
from validation.instruments.reading import Picture, Reading
from validation.instruments.source import Malformed, Source

VERSION = 1
LARGE_OFFSETS = 0x0220
IMAGE, SPECTRUM = 0x4122, 0x4120
DIMENSION_LIMIT, TEXT_LIMIT_BYTES = 8, 4096
PIXEL_LIMIT_BYTES = 256 << 20
LONGEST_PIXEL_M = 1e-3
"""In diffraction the calibration is in 1/m and the label still says m: such numbers are far above this."""
_DTYPES = {1: "u1", 2: "u2", 3: "u4", 4: "i1", 5: "i2", 6: "i4", 7: "f4", 8: "f8", 9: "c8", 10: "c16"}
_KINDS = {"u": "uint", "i": "int", "f": "float", "c": "complex"}


@dataclass(frozen=True, slots=True)
class _Dimension:
    size: int
    delta: float
    description: str
    unit: str


@dataclass(frozen=True, slots=True)
class _Series:
    kind: int
    version: int
    valid: int
    dimensions: tuple[_Dimension, ...]
    offsets_at: int
    offset_bytes: int

    def element_at(self, source: Source, number: int) -> int:
        """Where the element lies."""
        place = self.offsets_at + number * self.offset_bytes
        return int.from_bytes(source.exactly(place, self.offset_bytes, "a SER offset"), "little")


@dataclass(frozen=True, slots=True)
class _Element:
    """Shape, number type, calibration (offset, delta) per axis and place of one element's data."""

    shape: tuple[int, ...]
    dtype: str
    calibration: tuple[tuple[float, float], ...]
    data_at: int

    @property
    def size_bytes(self) -> int:
        """Bytes of its data."""
        return math.prod(self.shape) * int(self.dtype[1:])


def header(source: Source, file_format: Format) -> Reading:
    """Dimensions of the series and the first element's own header."""
    reading = Reading()
    series = _read_series(source)
    reading.raw["series"] = plain(
        {
            "version": f"{series.version:#06x}",
            "data_type": f"{series.kind:#06x}",
            "valid_elements": series.valid,
            "dimensions": [
                {"size": one.size, "delta": one.delta, "description": one.description, "unit": one.unit}
                for one in series.dimensions
            ],
        }
    )
    _put(reading, "n_datasets", 1, "the format")
    _put(reading, "n_pages", series.valid, "series/valid_elements")
    if series.valid < 1:
        message = "the series holds no element: the acquisition was stopped before the first"
        reading.issues.append(issue("header.malformed", message, origin=file_format.id))
        return reading
    first_at = series.element_at(source, 0)
    element = _read_element(source, series, first_at)
    reading.raw["element"] = plain({"shape": list(element.shape), "calibration": list(element.calibration)})
    outer = [one.size for one in reversed(series.dimensions) if one.size > 1]
    if math.prod(outer) != series.valid:
        outer = [series.valid] if series.valid > 1 else []
    _put(reading, "shape", (*outer, *element.shape), "series/dimensions, element/shape")
    bits = int(element.dtype[1:]) * 8
    _put(reading, "dtype", f"{_KINDS[element.dtype[0]]}{bits}", "element")
    _put(reading, "bits_per_sample", bits, "element")
    _add_calibration(reading, series, element)
    whole = element.data_at - first_at + element.size_bytes
    last = series.element_at(source, series.valid - 1) + whole
    if last > source.size_bytes:
        message = f"the last element should end at byte {last}, but the file has {source.size_bytes} bytes"
        reading.issues.append(issue("header.truncated", message, origin=file_format.id))
    apply_map(file_format.table, reading)
    return reading


def picture(source: Source, max_px: int) -> Picture:
    """The middle image of the series."""
    import numpy as np  # noqa: PLC0415  # headers must not load numpy

    series = _read_series(source)
    if series.kind != IMAGE or series.valid < 1:
        raise Malformed("a series of spectra has no picture")
    element = _read_element(source, series, series.element_at(source, series.valid // 2))
    if element.size_bytes > PIXEL_LIMIT_BYTES:
        raise Malformed(f"an image of {element.size_bytes >> 20} MiB is more than a preview may take")
    data = source.exactly(element.data_at, element.size_bytes, "the image")
    # The first row in the file is the lowest on the screen.
    pixels = np.frombuffer(data, f"<{element.dtype}").reshape(element.shape)[::-1]
    step = max(1, -(-max(element.shape) // (4 * max_px)))
    return Picture(pixels[::step, ::step].astype(np.dtype(element.dtype), copy=False))


def _read_series(source: Source) -> _Series:
    order, _series_id, version, kind, _tags, total, valid = struct.unpack(
        "<HHHIIII", source.exactly(0, 22, "the SER header")
    )
    wide = 8 if version >= LARGE_OFFSETS else 4
    offsets_at = int.from_bytes(source.exactly(22, wide, "the SER header"), "little")
    place = 22 + wide
    count = int.from_bytes(source.exactly(place, 4, "the SER header"), "little")
    if order != 0x4949 or kind not in {IMAGE, SPECTRUM} or count > DIMENSION_LIMIT or valid > total:
        raise Malformed("the SER header is damaged", offset_bytes=0)
    place += 4
    dimensions = []
    for _ in range(count):
        size, _start, delta, _element = struct.unpack("<IddI", source.exactly(place, 24, "a SER dimension"))
        description, place = _read_text(source, place + 24)
        unit, place = _read_text(source, place)
        dimensions.append(_Dimension(size, delta, description, unit))
    return _Series(kind, version, valid, tuple(dimensions), offsets_at, wide)


def _read_text(source: Source, place: int) -> tuple[str, int]:
    length = int.from_bytes(source.exactly(place, 4, "a SER text"), "little")
    if length > TEXT_LIMIT_BYTES:
        raise Malformed(f"a SER text claims {length} bytes", offset_bytes=place)
    return decoded(source.exactly(place + 4, length, "a SER text")), place + 4 + length


def _read_element(source: Source, series: _Series, place: int) -> _Element:
    axes = 2 if series.kind == IMAGE else 1
    head = source.exactly(place, axes * 20 + 2 + axes * 4, "a SER element")
    calibration = tuple(struct.unpack_from("<dd", head, axis * 20) for axis in range(axes))
    code, *sizes = struct.unpack_from(f"<H{axes}i", head, axes * 20)
    if code not in _DTYPES or min(sizes) < 1:
        raise Malformed(f"a SER element claims type {code} and size {sizes}", offset_bytes=place)
    # Files name x before y.
    ordered = tuple((float(start), float(delta)) for start, delta in reversed(calibration))
    return _Element(tuple(reversed(sizes)), _DTYPES[code], ordered, place + len(head))


def _add_calibration(reading: Reading, series: _Series, element: _Element) -> None:
    if series.kind == IMAGE:
        deltas = [abs(delta) for _start, delta in element.calibration]
        if all(0 < delta < LONGEST_PIXEL_M for delta in deltas):
            _put(reading, "pixel_size_m", tuple(deltas), "element/calibration")
        return
    # Spectra: the scan's calibration is the series', in the unit it states.
    scan = [one for one in reversed(series.dimensions) if one.unit in {"m", "meters"} and one.size > 1]
    if scan and all(0 < abs(one.delta) < LONGEST_PIXEL_M for one in scan):
        _put(reading, "pixel_size_m", tuple(abs(one.delta) for one in scan), "series/dimensions")
    start, delta = element.calibration[0]
    if math.isfinite(start) and math.isfinite(delta):
        _put(reading, "energy_offset_eV", start, "element/calibration")
        _put(reading, "energy_scale_eV", delta, "element/calibration")


def _put(reading: Reading, field_id: str, value: Any, tag: str) -> None:
    reading.fields[field_id] = FieldValue(value, tag)
