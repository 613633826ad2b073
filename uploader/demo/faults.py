"""The deliberate faults of the example session, each told with what a check should find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tifffile

FEI_TAG, ASCII = 34682, 2
BAD_ORCID = "\n  orcid: 0000-0002-1825-0098"


@dataclass(frozen=True, slots=True)
class DemoFault:
    """One fault: where it is, what was done, and the issue code it should lead to."""

    path: str
    """Relative to the dropped folder."""
    story: str
    code: str
    """Empty: nothing should be said, the file is junk."""


def add_faults(
    folder: Path, pictures: Sequence[str], visits: Sequence[str], bar_px: int
) -> tuple[tuple[DemoFault, ...], list[str]]:
    """Damage the session on purpose; returns the faults and the pictures as they are called now."""
    fei, smartsem, fibres, _camera = visits
    kept = list(pictures)

    def nth(visit: str, number: int) -> str:
        return [path for path in pictures if path.startswith(visit)][number]

    faults = [
        _conflict(folder, kept, nth(fei, 1)),
        _cut_off(folder, nth(fei, 4)),
        _misnamed(folder, kept, nth(smartsem, 2)),
        _empty(folder, nth(smartsem, 5)),
        _gap(folder, kept, nth(fibres, 3)),
        _black(folder, nth(fibres, 1), bar_px),
        _bad_orcid(folder, smartsem),
        *_junk(folder, fei, fibres),
    ]
    return tuple(faults), kept


def _conflict(folder: Path, kept: list[str], path: str) -> DemoFault:
    renamed = path.replace("_5kV_", "_15kV_")
    _rename(folder, kept, path, renamed)
    return DemoFault(renamed, "the name says 15 kV, the header 5 kV", "header.path_conflict")


def _cut_off(folder: Path, path: str) -> DemoFault:
    data = (folder / path).read_bytes()
    (folder / path).write_bytes(data[: len(data) * 3 // 5])
    return DemoFault(path, "the copy was cut off: two fifths of the pixels are missing", "header.truncated")


def _misnamed(folder: Path, kept: list[str], path: str) -> DemoFault:
    renamed = f"{path.rpartition('/')[0]}/best one FINAL (2).tif"
    _rename(folder, kept, path, renamed)
    return DemoFault(renamed, "the name follows no rule", "path.unmatched")


def _empty(folder: Path, path: str) -> DemoFault:
    (folder / path).write_bytes(b"")
    return DemoFault(path, "the file has no bytes", "source.empty")


def _gap(folder: Path, kept: list[str], path: str) -> DemoFault:
    (folder / path).unlink()
    kept.remove(path)
    return DemoFault(path, "this frame was never copied", "group.gap")


def _black(folder: Path, path: str, bar_px: int) -> DemoFault:
    with tifffile.TiffFile(folder / path) as tiff:
        page = tiff.pages.first
        pixels = page.asarray().copy()
        entry = page.tags[FEI_TAG]
        tiff.filehandle.seek(entry.valueoffset)
        vendor_tag = tiff.filehandle.read(entry.count).rstrip(b"\0")
    pixels[:-bar_px] = 0
    tag = (FEI_TAG, ASCII, 0, vendor_tag, True)
    tifffile.imwrite(folder / path, pixels, photometric="minisblack", metadata=None, extratags=[tag])
    return DemoFault(path, "the beam was blanked: all pixels are black", "image.black")


def _bad_orcid(folder: Path, visit: str) -> DemoFault:
    path = f"{visit}/nanoferry.yaml"
    lines = (folder / path).read_text("utf-8")
    (folder / path).write_text(lines.replace("Min-ji Kim", f"Min-ji Kim{BAD_ORCID}"), "utf-8")
    return DemoFault(path, "the ORCID's check digit is wrong", "metadata.invalid")


def _junk(folder: Path, *visits: str) -> list[DemoFault]:
    faults = []
    for visit, name in zip(visits, ("Thumbs.db", ".DS_Store"), strict=True):
        (folder / visit / name).write_bytes(b"\0" * 64)
        faults.append(DemoFault(f"{visit}/{name}", "left behind by the operating system", ""))
    return faults


def _rename(folder: Path, kept: list[str], path: str, renamed: str) -> None:
    (folder / path).rename(folder / renamed)
    kept[kept.index(path)] = renamed
