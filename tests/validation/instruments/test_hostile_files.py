"""Files that are damaged or mean harm give findings and a bounded answer."""

from __future__ import annotations

import io
import json
import logging
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from validation.instruments import Header, read_header, read_preview

WriteTiff = Callable[..., Path]
BOUND_S = 2.0

BOMB = """<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><OME><Image Name="&c;"/></OME>"""
EXTERNAL = '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/passwd">]><OME>&x;</OME>'


def codes(header: Header) -> list[str]:
    return [issue.code for issue in header.issues]


def size_tags(width: int, length: int) -> list[tuple[int, int, int, int]]:
    return [(256, 4, 1, width), (257, 4, 1, length), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path: Path) -> None:
    assert codes(read_header(tmp_path / "no.tif")) == ["source.unreadable"]
    assert codes(read_header(tmp_path)) == ["source.unreadable"]
    assert read_preview(tmp_path / "no.tif").png is None


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"")
    assert codes(read_header(tmp_path / "a.tif")) == ["source.empty"]


def test_text_in_a_picture_file_is_not_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"<html>404 not found</html>")
    (tmp_path / "a.xyz").write_bytes(b"whatever")
    assert codes(read_header(tmp_path / "a.tif")) == ["header.unreadable"]
    assert codes(read_header(tmp_path / "a.xyz")) == ["header.unknown_format"]


def test_content_beats_the_suffix_and_the_name_is_told(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 40).save(tmp_path / "a.tif", "PNG")
    header = read_header(tmp_path / "a.tif")
    assert header.format == "png"
    assert codes(header) == ["header.suffix_mismatch"]


@pytest.mark.parametrize("document", [BOMB, EXTERNAL])
def test_document_types_in_xml_are_refused(write_tiff: WriteTiff, document: str) -> None:
    header = read_header(write_tiff(description=document.encode()))
    assert codes(header) == ["header.malformed"]
    assert header.value("shape") == (48, 64)
    assert "root:" not in json.dumps(header.to_json())


def test_ill_formed_xml_loses_only_itself(write_tiff: WriteTiff) -> None:
    header = read_header(write_tiff(tags=[(34682, "[Beam]\nHV=5000\n"), (34683, "<Metadata><Core>")]))
    assert codes(header) == ["header.malformed"]
    assert header.value("accelerating_voltage_kV") == 5.0


def test_directories_in_a_circle_end(raw_tiff: Callable[..., Path]) -> None:
    header = read_header(raw_tiff(size_tags(4, 4), next_offset=8, tail=b"\0" * 64))
    assert "header.malformed" in codes(header)
    assert header.value("n_pages") == 1


def test_gigapixels_that_are_not_there_are_not_allocated(raw_tiff: Callable[..., Path]) -> None:
    path = raw_tiff([*size_tags(4_000_000, 4_000_000), (273, 4, 1, 8), (279, 4, 1, 4_000_000_000)])
    started = time.perf_counter()
    header, preview = read_header(path), read_preview(path)
    assert time.perf_counter() - started < BOUND_S
    assert "header.truncated" in codes(header)
    assert preview.png is None
    assert preview.reason


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 7, 12, 99, 0])
def test_absurd_counts_are_refused_before_reading(raw_tiff: Callable[..., Path], kind: int) -> None:
    header = read_header(
        raw_tiff([*size_tags(4, 4), (34682, kind, 0xFFFFFFFF, 8), (270, kind, 0xFFFFFFF0, 8)])
    )
    assert header.format in {"tiff-fei", "tiff-plain"}
    assert header.value("shape") == (4, 4)


def test_numbers_that_are_not_numbers_leave_no_trace(write_tiff: WriteTiff) -> None:
    text = "[Beam]\nHV=nan\n[Scan]\nPixelWidth=inf\nPixelHeight=-1e999\n[Vacuum]\nChPressure=1e400\n"
    header = read_header(write_tiff(tags=[(34682, text)]))
    assert header.value("accelerating_voltage_kV") is None
    assert header.value("pixel_size_m") is None
    assert header.value("chamber_pressure_Pa") is None
    json.dumps(header.to_json(), allow_nan=False)


def test_text_that_is_not_unicode_is_read_as_windows_text(write_tiff: WriteTiff) -> None:
    header = read_header(write_tiff(tags=[(34682, "[User]\nUser=Müller\nUserText=5 µm\n")]))
    assert header.value("operator") == "Müller"
    assert header.value("comment") == "5 µm"


def test_a_compressed_text_bomb_in_a_png_stays_small(tmp_path: Path) -> None:
    target = io.BytesIO()
    Image.new("L", (8, 8)).save(target, "PNG")
    data = target.getvalue()
    body = b"zTXtBomb\0\0" + zlib.compress(b"a" * (64 << 20))
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    assert len(read_header(tmp_path / "a.png").raw["text"]["Bomb"]) <= 1 << 20


def test_a_png_of_gigapixels_has_a_header_and_no_preview(tmp_path: Path) -> None:
    target = io.BytesIO()
    Image.new("L", (8, 8)).save(target, "PNG")
    data = bytearray(target.getvalue())
    data[16:24] = (1 << 20).to_bytes(4, "big") * 2
    (tmp_path / "a.png").write_bytes(data)
    assert read_header(tmp_path / "a.png").value("shape") == (1 << 20, 1 << 20)
    assert read_preview(tmp_path / "a.png").png is None


def test_decoders_say_nothing_on_the_error_stream(
    write_tiff: WriteTiff, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_tiff(compression="deflate")
    data = bytearray(path.read_bytes())
    data[-900:] = b"\xff" * 900
    path.write_bytes(data)
    # As in a program that has set up no logging: Python then prints warnings of libraries itself.
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        read_header(path)
        read_preview(path)
    finally:
        root.handlers = handlers
    assert capfd.readouterr() == ("", "")
