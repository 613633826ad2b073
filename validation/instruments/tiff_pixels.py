"""One page of a TIFF as decimated pixels, under a memory bound."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from validation.instruments.reading import Picture
from validation.instruments.source import Malformed, Source
from validation.instruments.tiff_page import (
    COLOR_MAP,
    MIN_IS_WHITE,
    PALETTE,
    PHOTOMETRIC,
    PLANAR,
    PREDICTOR,
    ROWS_PER_STRIP,
    STRIP_OFFSETS,
    TILE_OFFSETS,
    TILE_WIDTH,
    Page,
    first_number,
    numbers_of,
    page_of,
    read_page,
)
from validation.instruments.tiff_structure import read_directory, tag_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DECODED_LIMIT_BYTES = 256 << 20
"""Compressed and tiled pages are unpacked whole, up to this size."""
BLOCK_LIMIT_BYTES = 64 << 20
OVERSAMPLING = 4
"""Rows and columns are skipped only beyond so many times the preview's size; the rest is averaged."""
_TILE_LENGTH = 323
_WHOLE_BITS = {8, 16, 32, 64}


def page_picture(source: Source, max_px: int) -> Picture:
    """The middle page; raises Malformed with a reason when it is too large or not there."""
    page = _middle_page(source)
    if page.samples > 4:
        raise Malformed(f"pages of {page.samples} samples per pixel have no preview")
    pixels = _strided(source, page, max_px) if _is_plain(source, page) else _unpacked(source, page, max_px)
    if page.samples > 1:
        # The fourth sample is transparency, the second of two as well.
        pixels = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, 0]
    photometric = first_number(source, page.layout, page.directory, PHOTOMETRIC)
    if photometric == PALETTE and page.samples == 1:
        pixels = _through_palette(source, page, pixels)
    is_counted = page.kind == "uint" and page.bits in {8, 16}
    return Picture(
        pixels,
        full_scale=float(2**page.bits - 1) if is_counted else None,
        is_inverted=photometric == MIN_IS_WHITE,
    )


def _middle_page(source: Source) -> Page:
    first = read_page(source)
    middle = first.chain.offsets[len(first.chain.offsets) // 2]
    if middle == first.directory.offset:
        return first
    return page_of(source, first.layout, read_directory(source, first.layout, middle), first.chain)


def _is_plain(source: Source, page: Page) -> bool:
    """Whether rows can be read where they lie: no packing, whole bytes, strips, samples side by side."""
    planar = first_number(source, page.layout, page.directory, PLANAR)
    predictor = first_number(source, page.layout, page.directory, PREDICTOR)
    return (
        page.compression == 1
        and page.bits in _WHOLE_BITS
        and page.kind in {"uint", "int", "float"}
        and not (page.kind == "float" and page.bits == 8)
        and (planar in {None, 1} or page.samples == 1)
        and predictor in {None, 1}
        and STRIP_OFFSETS in page.directory.entries
        and TILE_OFFSETS not in page.directory.entries
    )


def _strided(source: Source, page: Page, max_px: int) -> NDArray[np.generic]:
    """Every step-th row and column, read in place."""
    import numpy as np  # noqa: PLC0415  # headers must not load numpy

    dtype = np.dtype(f"{page.layout.order}{page.kind[0]}{page.bits // 8}")
    step = max(1, -(-max(page.width, page.length) // (OVERSAMPLING * max_px)))
    row_bytes = page.width * page.samples * dtype.itemsize
    rows = np.arange(0, page.length, step)
    places = _row_places(source, page, rows, row_bytes)
    columns = -(-page.width // step)
    if (
        columns * len(rows) * page.samples * dtype.itemsize > DECODED_LIMIT_BYTES
        or row_bytes > BLOCK_LIMIT_BYTES
    ):
        raise Malformed(f"rows of {row_bytes} bytes are too long for a preview")
    shape = (len(rows), page.width, page.samples)
    whole = len(rows) * row_bytes
    if step == 1 and whole <= BLOCK_LIMIT_BYTES and bool(np.all(np.diff(places) == row_bytes)):
        data = source.exactly(int(places[0]), whole, "the pixels")
        pixels = np.frombuffer(data, dtype).reshape(shape)
    else:
        pixels = np.empty((len(rows), columns, page.samples), dtype)
        for row, place in enumerate(places.tolist()):
            line = np.frombuffer(source.exactly(place, row_bytes, "a row of pixels"), dtype)
            pixels[row] = line.reshape(page.width, page.samples)[::step]
    native = pixels.astype(dtype.newbyteorder("="), copy=False)
    return native[:, :, 0] if page.samples == 1 else native


def _row_places(source: Source, page: Page, rows: NDArray[np.int64], row_bytes: int) -> NDArray[np.int64]:
    """Offset of each of the rows."""
    import numpy as np  # noqa: PLC0415  # headers must not load numpy

    value = tag_value(source, page.layout, page.directory.entries[STRIP_OFFSETS])
    strips = np.array(numbers_of(value), dtype=np.int64)
    rows_per_strip = first_number(source, page.layout, page.directory, ROWS_PER_STRIP) or page.length
    rows_per_strip = min(rows_per_strip, page.length)
    if len(strips) * rows_per_strip < page.length:
        raise Malformed(f"{len(strips)} strips of {rows_per_strip} rows cannot hold {page.length} rows")
    return np.asarray(strips[rows // rows_per_strip] + (rows % rows_per_strip) * row_bytes)


def _unpacked(source: Source, page: Page, max_px: int) -> NDArray[np.generic]:
    """The page through tifffile's decoders, then every step-th pixel."""
    import numpy as np  # noqa: PLC0415  # headers must not load numpy
    import tifffile  # noqa: PLC0415  # headers must not load numpy

    # tifffile logs what it finds odd; without a handler Python would print it on the error stream.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    _refuse_large(source, page)
    if source.path is None:
        raise Malformed("embedded pictures have no preview")
    with tifffile.TiffFile(source.path) as tiff:
        index = len(page.chain.offsets) // 2
        pixels = np.asarray(tiff.pages[index].asarray(maxworkers=1))
    if page.samples > 1 and pixels.ndim == 3 and pixels.shape[0] == page.samples:
        planar = first_number(source, page.layout, page.directory, PLANAR)
        pixels = np.moveaxis(pixels, 0, 2) if planar == 2 else pixels
    if pixels.shape[:2] != (page.length, page.width) or pixels.ndim != (2 if page.samples == 1 else 3):
        raise Malformed(f"the page decodes to an unexpected shape {pixels.shape}")
    step = max(1, -(-max(page.width, page.length) // (OVERSAMPLING * max_px)))
    return pixels[::step, ::step]


def _refuse_large(source: Source, page: Page) -> None:
    tile = [
        first_number(source, page.layout, page.directory, code) or 1 for code in (TILE_WIDTH, _TILE_LENGTH)
    ]
    tile_bytes = tile[0] * tile[1] * page.samples * ((page.bits + 7) // 8)
    largest = max(page.pixel_bytes, tile_bytes)
    if largest > DECODED_LIMIT_BYTES:
        raise Malformed(
            f"the page unpacks to {largest >> 20} MiB, more than the {DECODED_LIMIT_BYTES >> 20} MiB "
            "that a preview may take"
        )


def _through_palette(source: Source, page: Page, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Grey where the palette is grey throughout, colour otherwise."""
    import numpy as np  # noqa: PLC0415  # headers must not load numpy

    entry = page.directory.entries.get(COLOR_MAP)
    if entry is None or pixels.dtype.kind != "u" or page.bits > 8:
        return pixels
    values = np.array(numbers_of(tag_value(source, page.layout, entry)), dtype=np.uint16)
    if len(values) != 3 * 2**page.bits:
        return pixels
    palette = (values.reshape(3, -1).T >> 8).astype(np.uint8)
    is_grey = bool(np.all(palette[:, 0] == palette[:, 1]) and np.all(palette[:, 1] == palette[:, 2]))
    chosen: NDArray[np.generic] = (palette[:, 0] if is_grey else palette)[pixels.astype(np.intp)]
    return chosen
