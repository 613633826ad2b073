"""FEI TIA series: both widths of offsets, calibration that is no length, and headers that lie."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from validation.instruments import Header, read_header, read_preview

IMAGE, SPECTRUM = 0x4122, 0x4120


def series(
    *elements: bytes,
    kind: int = IMAGE,
    version: int = 0x0210,
    size: int | None = None,
    valid: int | None = None,
) -> bytes:
    """A SER of one dimension; `valid` is how many elements it claims to hold."""
    wide = 8 if version >= 0x0220 else 4
    offset = "<Q" if wide == 8 else "<I"
    dimension = struct.pack("<IddI", len(elements) if size is None else size, 0.0, 1e-9, 0)
    dimension += struct.pack("<I6sI1s", 6, b"Number", 1, b"m")
    count = len(elements) if valid is None else valid
    head = struct.pack("<HHHIIII", 0x4949, 0x0197, version, kind, 0x4152, max(count, len(elements)), count)
    offsets_at = len(head) + wide + 4 + len(dimension)
    place = offsets_at + wide * len(elements)
    offsets = b""
    for element in elements:
        offsets += struct.pack(offset, place)
        place += len(element)
    return (
        head
        + struct.pack(offset, offsets_at)
        + struct.pack("<I", 1)
        + dimension
        + offsets
        + b"".join(elements)
    )


def image(*, delta: float = 2e-9, code: int = 1, width: int = 4, height: int = 3) -> bytes:
    return struct.pack("<ddIddIHii", 0, delta, 0, 0, -delta, 0, code, width, height) + bytes(range(12))


def read(tmp_path: Path, data: bytes) -> Header:
    (tmp_path / "a_1.ser").write_bytes(data)
    return read_header(tmp_path / "a_1.ser")


@pytest.mark.parametrize("version", [0x0210, 0x0220])
def test_old_and_new_series_of_images(tmp_path: Path, version: int) -> None:
    header = read(tmp_path, series(image(), image(), version=version))
    assert header.issues == ()
    assert header.value("shape") == (2, 3, 4)
    assert header.value("dtype") == "uint8"
    assert header.value("pixel_size_m") == (2e-9, 2e-9)
    preview = read_preview(tmp_path / "a_1.ser")
    assert (preview.width_px, preview.height_px) == (4, 3)


def test_a_calibration_in_reciprocal_metres_is_not_a_pixel_size(tmp_path: Path) -> None:
    assert read(tmp_path, series(image(delta=1.7e8))).value("pixel_size_m") is None


def test_a_series_of_spectra_has_an_energy_axis_and_no_picture(tmp_path: Path) -> None:
    spectrum = struct.pack("<ddIHi", -20.0, 0.2, 0, 1, 8) + bytes(8)
    header = read(tmp_path, series(spectrum, spectrum, kind=SPECTRUM))
    assert header.value("shape") == (2, 8)
    assert (header.value("energy_offset_eV"), header.value("energy_scale_eV")) == (-20.0, 0.2)
    assert read_preview(tmp_path / "a_1.ser").png is None


def test_an_acquisition_stopped_before_its_end_has_the_elements_it_has(tmp_path: Path) -> None:
    header = read(tmp_path, series(image(), size=16))
    assert header.value("shape") == (3, 4)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (series(image(width=2**31 - 1, height=2**31 - 1)), "header.truncated"),
        (series(image(code=77)), "header.unreadable"),
        (series(image(width=-5)), "header.unreadable"),
        (series(image(), valid=10**9), "header.truncated"),
        (series(valid=0), "header.malformed"),
        (series(image())[:60], "header.truncated"),
    ],
    ids=["gigapixels", "unknown type", "negative size", "absurd count", "no element", "cut off"],
)
def test_series_that_lie_give_a_finding_and_no_picture(tmp_path: Path, data: bytes, code: str) -> None:
    assert code in [issue.code for issue in read(tmp_path, data).issues]
    assert read_preview(tmp_path / "a_1.ser").png is None
