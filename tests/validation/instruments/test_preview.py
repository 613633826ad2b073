"""Previews are small, true to the picture, and made under a memory bound."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from validation.instruments import Preview, read_preview

WriteTiff = Callable[..., Path]
RAMP = np.tile(np.arange(256, dtype=np.uint8), (128, 1))


def picture(preview: Preview) -> np.ndarray[Any, Any]:
    assert preview.png is not None, preview.reason
    image = Image.open(io.BytesIO(preview.png))
    assert image.format == "PNG"
    assert image.size == (preview.width_px, preview.height_px)
    return np.asarray(image)


def codes(preview: Preview) -> list[str]:
    return [issue.code for issue in preview.issues]


def test_eight_bits_stay_as_they_are(write_tiff: WriteTiff) -> None:
    assert np.array_equal(picture(read_preview(write_tiff(pixels=RAMP))), RAMP)


def test_the_longer_side_is_what_was_asked_and_the_shape_is_kept(write_tiff: WriteTiff) -> None:
    preview = read_preview(write_tiff(pixels=np.tile(RAMP, (16, 4))), 512)
    assert (preview.width_px, preview.height_px) == (256, 512)
    assert read_preview(write_tiff(pixels=RAMP), 64).width_px == 64


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int32", "float32", "float64"])
def test_deep_pixels_are_stretched_between_percentiles(write_tiff: WriteTiff, dtype: str) -> None:
    values = RAMP.astype(dtype) * 4 + 1000
    values[0, 0] = 30_000  # one hot pixel must not darken the rest
    seen = picture(read_preview(write_tiff(pixels=values)))
    assert seen[5, 3] < 10
    assert seen[5, 250] > 245
    assert 120 < seen[5, 128] < 136


def test_not_a_number_and_infinity_are_left_out_of_the_stretch(write_tiff: WriteTiff) -> None:
    values = RAMP.astype(np.float32)
    values[:20] = np.nan
    values[20:24] = np.inf
    seen = picture(read_preview(write_tiff(pixels=values)))
    assert 120 < seen[60, 128] < 136
    assert seen[0, 0] == 0


def test_a_picture_of_nothing_but_nan_says_so(write_tiff: WriteTiff) -> None:
    preview = read_preview(write_tiff(pixels=np.full((8, 8), np.nan, np.float32)))
    assert preview.png is None
    assert "no finite values" in preview.reason


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"rowsperstrip": 7},
        {"compression": "lzw"},
        {"compression": "deflate", "predictor": 2},
        {"compression": "packbits"},
        {"tile": (64, 64)},
        {"photometric": "miniswhite"},
    ],
    ids=str,
)
def test_every_way_to_store_a_picture_gives_the_same_preview(
    write_tiff: WriteTiff, options: dict[str, Any]
) -> None:
    # What is black in the file is white in MinIsWhite; the preview shows the same scene.
    stored = 255 - RAMP if options.get("photometric") == "miniswhite" else RAMP
    assert np.array_equal(picture(read_preview(write_tiff(pixels=stored, **options))), RAMP)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colour_is_kept(write_tiff: WriteTiff, planar: str) -> None:
    colour = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=2)
    stored = colour if planar == "contig" else np.moveaxis(colour, 2, 0)
    path = write_tiff(pixels=stored, photometric="rgb", planarconfig=planar)
    assert np.array_equal(picture(read_preview(path)), colour)


def test_a_palette_is_applied(write_tiff: WriteTiff) -> None:
    palette = np.zeros((3, 256), np.uint16)
    palette[0] = np.arange(256) * 257
    seen = picture(read_preview(write_tiff(pixels=RAMP, photometric="palette", colormap=palette)))
    assert np.array_equal(seen[..., 0], RAMP)
    assert not seen[..., 1:].any()


def test_a_stack_shows_its_middle(write_tiff: WriteTiff) -> None:
    stack = np.stack([np.full((32, 32), 10 * page, np.uint8) for page in range(5)])
    stack[:, 0, :16] = 255  # not an even picture, so that it is not called black
    assert picture(read_preview(write_tiff(pixels=stack, photometric="minisblack")))[9, 9] == 20


def test_a_black_picture_with_a_data_bar_is_black(write_tiff: WriteTiff) -> None:
    pixels = np.zeros((200, 300), np.uint8)
    pixels[190:, ::2] = 255
    preview = read_preview(write_tiff(pixels=pixels))
    assert codes(preview) == ["image.black"]
    assert picture(preview)[195].max() == 255, "the data bar stays in the picture"


def test_full_scale_over_much_of_the_picture_is_saturation(write_tiff: WriteTiff) -> None:
    pixels = RAMP.copy()
    pixels[:20] = 255
    assert codes(read_preview(write_tiff(pixels=pixels))) == ["image.saturated"]
    assert codes(read_preview(write_tiff(pixels=RAMP))) == []


def test_a_label_picture_is_not_saturated(write_tiff: WriteTiff) -> None:
    assert codes(read_preview(write_tiff(pixels=np.where(RAMP > 100, 255, 0).astype(np.uint8)))) == []


def test_a_huge_picture_is_read_in_part(tmp_path: Path, write_tiff: WriteTiff) -> None:
    # 1.6 GB of zeros that take no room on disk; one row in the middle is bright.
    path = write_tiff(pixels=np.zeros((40, 40), np.uint16))
    import tifffile

    huge = tmp_path / "huge.tif"
    tifffile.memmap(huge, shape=(28_000, 28_000), dtype="uint16", metadata=None)[14_000] = 9
    read_preview(path)  # imports are not what is measured
    tracemalloc.start()
    preview = read_preview(huge)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (preview.width_px, preview.height_px) == (512, 512)
    assert peak_bytes < 100 << 20


def test_a_compressed_picture_too_large_to_unpack_is_refused(raw_tiff: Callable[..., Path]) -> None:
    path = raw_tiff(
        [
            *((256, 4, 1, 60_000), (257, 4, 1, 60_000), (258, 3, 1, 8), (259, 3, 1, 5)),
            *((262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 64)),
        ]
    )
    preview = read_preview(path)
    assert preview.png is None
    assert "MiB" in preview.reason


@pytest.mark.parametrize(("suffix", "mode"), [("png", "L"), ("png", "RGBA"), ("png", "P"), ("jpg", "RGB")])
def test_png_and_jpeg(tmp_path: Path, suffix: str, mode: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RAMP).convert(mode).save(path)
    seen = picture(read_preview(path, 128))
    assert seen.shape[:2] == (64, 128)
    assert abs(int(seen.reshape(64, 128, -1)[30, 64, 0]) - 128) < 4


def test_a_sixteen_bit_png_is_stretched(tmp_path: Path) -> None:
    Image.fromarray(RAMP.astype(np.uint16) * 3 + 500).save(tmp_path / "a.png")
    assert picture(read_preview(tmp_path / "a.png"))[5, 250] > 245
