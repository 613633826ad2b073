"""Builders of small instrument files for the reader tests."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

WriteTiff = Callable[..., Path]


@pytest.fixture
def write_tiff(tmp_path: Path) -> WriteTiff:
    """Writes a TIFF with tifffile; `tags` are (code, text) pairs of vendor tags."""

    def write(
        name: str = "a.tif",
        pixels: Any = None,
        tags: Sequence[tuple[int, str | bytes]] = (),
        **options: Any,
    ) -> Path:
        if pixels is None:
            pixels = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        extratags = [
            (code, 2, 0, text.encode("cp1252") if isinstance(text, str) else text, True)
            for code, text in tags
        ]
        tifffile.imwrite(path, pixels, extratags=extratags, metadata=None, **options)
        return path

    return write


@pytest.fixture
def raw_tiff(tmp_path: Path) -> Callable[..., Path]:
    """Writes a little-endian TIFF directory entry by entry, so that it may lie."""

    def write(
        entries: Sequence[tuple[int, int, int, int]],
        *,
        next_offset: int = 0,
        tail: bytes = b"",
        name: str = "raw.tif",
    ) -> Path:
        """`entries` are (code, type, count, value or offset); `tail` follows the directory."""
        body = b"II*\0" + struct.pack("<IH", 8, len(entries))
        body += b"".join(struct.pack("<HHII", *entry) for entry in entries)
        path = tmp_path / name
        path.write_bytes(body + struct.pack("<I", next_offset) + tail)
        return path

    return write
