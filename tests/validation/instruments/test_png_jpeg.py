"""PNG and JPEG headers: sizes, text, EXIF, and what is not called a pixel size."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from validation.instruments import read_header


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[271], tags[272], tags[305] = "Maker", "Model 7", "Grabber 2"
    tags.get_ifd(34665)[36867] = "2021:02:03 04:05:06"
    tags.get_ifd(34665)[36881] = "+09:00"
    return tags


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_exif_gives_time_zone_and_maker(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / name, exif=exif(), dpi=(300, 300))
    header = read_header(tmp_path / name)
    assert header.issues == ()
    assert header.value("shape") == (20, 30)
    assert header.value("samples_per_pixel") == 3
    assert header.value("acquired") == "2021-02-03T04:05:06"
    assert header.value("utc_offset") == "+09:00"
    assert (header.value("manufacturer"), header.value("instrument_model")) == ("Maker", "Model 7")
    assert header.value("pixel_size_m") is None


def test_png_text_is_kept_whole(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("Author", "R. Roe")
    info.add_itxt("Title", "Übersicht", zip=True)
    info.add_text("Software", "x" * 2000, zip=True)
    Image.new("I;16", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    header = read_header(tmp_path / "a.png")
    assert header.value("operator") == "R. Roe"
    assert header.value("title") == "Übersicht"
    assert header.value("dtype") == "uint16"
    assert header.raw["text"]["Software"] == "x" * 2000


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_picture_that_was_cut_off_is_told(tmp_path: Path, name: str) -> None:
    Image.effect_noise((80, 80), 50).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * 2 // 3])
    header = read_header(tmp_path / name)
    assert [issue.code for issue in header.issues] == ["header.truncated"]
    assert header.value("shape") == (80, 80)
