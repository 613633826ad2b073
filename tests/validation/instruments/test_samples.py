"""Real files of the formats we read, compared with values that others read (rules in the samples' README)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from validation.instruments import Header, fields, read_header, read_preview

pytestmark = pytest.mark.samples

FAMILIES = ("sem_tiff/", "tem_tiff/", "misc_tiff/", "tia/", "insitu/renishaw_wire.jpg")
SUFFIXES = (".tif", ".jpg", ".png", ".ser")
OWN_READERS = {"tiff-fibics", "tiff-tescan", "ser", "tiff-fei", "tiff-zeiss", "tiff-ome", "tiff-imagej"}
ALWAYS = {"shape", "bits_per_sample", "compression", "n_pages"}
"""What every picture says of itself, also where the vendor has no reader yet."""
IN_THE_EMI = {"magnification", "instrument_model"}
"""What other readers take from the file beside a SER."""
RELATIVE = 0.002
WRITTEN_REASONS = {
    ("misc_tiff/test_loading_image_saved_with_imageJ_stack.tif", "compression"): (
        "the tag is missing, which means 1, `none`; the other reader shows the number"
    ),
}


def equal(expected: Any, found: Any) -> bool:
    """The samples' rules: 0.2 % for numbers, containment without regard to case for words."""
    if isinstance(expected, list):
        found = list(found) if isinstance(found, tuple) else [found]
        return len(expected) == len(found) and all(map(equal, expected, found))
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return abs(expected - found) <= RELATIVE * abs(expected)
    one, other = str(expected).casefold(), str(found).casefold()
    return one in other or other in one


def differences(path: str, header: Header, expected: dict[str, Any]) -> list[str]:
    told = []
    for field_id, entry in expected.items():
        value, found = entry["value"], header.value(field_id)
        if (path, field_id) in WRITTEN_REASONS or field_id not in fields():
            continue
        if header.format == "ser" and field_id in IN_THE_EMI:
            continue
        is_required = header.format in OWN_READERS or field_id in ALWAYS
        if value is None and found is not None:
            told.append(f"{path}: {field_id} must not be reported, but is {found}")
        elif value is not None and found is None and is_required and field_id != "title":
            told.append(f"{path}: {field_id} is missing, expected {value}")
        elif value is not None and found is not None and not equal(value, found):
            told.append(f"{path}: {field_id} is {found}, expected {value}")
    return told


def test_every_field_of_every_sample_agrees(samples_dir: Path, samples_expected: dict[str, Any]) -> None:
    told: list[str] = []
    compared = 0
    for path, entry in samples_expected.items():
        if path.startswith(FAMILIES) and path.endswith(SUFFIXES):
            header = read_header(samples_dir / "files" / path)
            # The number type of colour is called rgb8 by one reader; ours is that of one sample.
            wanted = {key: field for key, field in entry["fields"].items() if field["value"] != "rgb8"}
            told += differences(path, header, wanted)
            compared += len(wanted)
            severe = [issue for issue in header.issues if issue.code != "header.conflicting_tags"]
            assert not severe, (path, severe)
    assert told == []
    assert compared > 150


def test_the_trap_of_512_pixels_is_told(samples_dir: Path) -> None:
    header = read_header(samples_dir / "files" / "sem_tiff" / "test_tiff_Zeiss_SEM_512pix.tif")
    assert [(issue.code, issue.location.field) for issue in header.issues] == [
        ("header.conflicting_tags", "pixel_size_m")
    ]


def test_previews_of_all_are_made_quickly(samples_dir: Path, samples_expected: dict[str, Any]) -> None:
    for path in samples_expected:
        if path.startswith(FAMILIES) and path.endswith(SUFFIXES):
            started = time.perf_counter()
            preview = read_preview(samples_dir / "files" / path)
            assert preview.png is not None or "spectra" in preview.reason, (path, preview.reason)
            assert max(preview.width_px, preview.height_px) <= 512
            assert time.perf_counter() - started < 2.0


def test_no_sample_of_any_format_raises(samples_dir: Path) -> None:
    for path in sorted((samples_dir / "files").rglob("*")):
        if path.is_file():
            header = read_header(path)
            assert header.format != "unknown" or header.issues
            read_preview(path)
