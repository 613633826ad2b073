"""One picture through Pillow's decoders as decimated pixels, under a memory bound."""

from __future__ import annotations

from validation.instruments.reading import Picture
from validation.instruments.source import Malformed, Source

PIXEL_LIMIT = 128_000_000


def pillow_picture(source: Source, max_px: int, *, width: int, height: int, full_scale: float) -> Picture:
    """The picture of a file whose header claims `width` x `height`; raises Malformed when that is too large."""
    import numpy as np  # noqa: PLC0415  # headers must not load numpy
    from PIL import Image, ImageOps  # noqa: PLC0415  # nor Pillow

    if source.path is None or width * height > PIXEL_LIMIT:
        raise Malformed(f"{width} x {height} pixels are more than a preview may take")
    with Image.open(source.path, formats=("PNG", "JPEG", "BMP")) as image:
        # JPEG decodes at a fraction of its size for little; others ignore this.
        image.draft(None, (4 * max_px, 4 * max_px))
        # Whole 16-bit grey stays; palettes, transparency and CMYK become what a screen shows.
        grey = {"1": "L", "LA": "L", "La": "L"}
        mode = image.mode if image.mode in {"L", "I", "F", "RGB"} or image.mode.startswith("I;16") else "RGB"
        upright = ImageOps.exif_transpose(image.convert(grey.get(image.mode, mode)))
        pixels = np.asarray(upright)
    step = max(1, -(-max(pixels.shape[:2]) // (4 * max_px)))
    return Picture(pixels[::step, ::step], full_scale=full_scale if pixels.dtype.kind == "u" else None)
