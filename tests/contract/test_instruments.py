"""What holds for every registered format, present and future: found by listing, lazy, bounded, never raising."""

from __future__ import annotations

import inspect
import io
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from uploader.demo import make_session
from validation.instruments import Format, describe, fields, formats, is_current, read_header, read_preview
from validation.instruments.read import header_of
from validation.instruments.source import open_source

CHECKOUT = Path(__file__).parent.parent.parent
EVERY = formats()
IDS = [known.id for known in EVERY]
RAW_KEYS = {"tag", "tags", "value", "unit", "unit_tag", "per", "inverse", "pattern", "strip", "time", "unset"}
CANDIDATE_KEYS = RAW_KEYS | {"compare", "tolerance", "when", "prefix"}


def written(save: Callable[[Any], None]) -> bytes:
    target = io.BytesIO()
    save(target)
    return target.getvalue()


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One small good file of every format."""
    session = make_session(tmp_path_factory.mktemp("contract"), files=24)

    def demo(visit: str) -> bytes:
        return (session.folder / next(path for path in session.pictures if visit in path)).read_bytes()

    ramp = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)

    def tagged(code: int, value: bytes) -> bytes:
        tag = (code, 7, len(value), value, True)
        return written(lambda target: tifffile.imwrite(target, ramp, metadata=None, extratags=[tag]))

    text = b"HV=20000.0\nDate=2024-03-07\nTime=09:41:05\n"
    tescan = (
        (4).to_bytes(4, "little")
        + b"\xff\xd8\xff\xd9"
        + (len(text) + 2).to_bytes(4, "little")
        + b"\2\0"
        + text
    )
    fibics = b"<Fibics><Image><Detector>InLens</Detector></Image></Fibics>"
    dimension = struct.pack("<IddI", 2, 0.0, 1.0, 0) + b"\6\0\0\0Number" + b"\0\0\0\0"
    start = struct.pack("<HHHIIIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, 2, 2, 30 + len(dimension), 1)
    element = struct.pack("<ddIddIHii", 0, 2e-9, 0, 0, 1e-9, 0, 2, 50, 40) + ramp.tobytes()
    places = [30 + len(dimension) + 8 + number * len(element) for number in range(2)]
    series = start + dimension + struct.pack("<II", *places) + element + element
    return {
        "ser": series,
        "tiff-tescan": tagged(50431, tescan),
        "tiff-fibics": tagged(51023, fibics),
        "tiff-fei": demo("rossi_SEM/area1_001"),
        "tiff-zeiss": demo("kim_SEM/area1_001"),
        "tiff-ome": demo("weber_TEM/area1_001"),
        "tiff-imagej": written(lambda target: tifffile.imwrite(target, ramp, imagej=True)),
        "tiff-plain": written(
            lambda target: tifffile.imwrite(target, ramp, metadata=None, compression="lzw")
        ),
        "png": written(lambda target: Image.fromarray(ramp).save(target, "PNG")),
        "jpeg": written(lambda target: Image.effect_noise((60, 50), 40).save(target, "JPEG")),
    }


def test_every_format_has_an_example_here(examples: dict[str, bytes]) -> None:
    assert set(examples) == set(IDS)


@pytest.mark.parametrize("known", EVERY, ids=IDS)
def test_a_format_is_a_declaration_and_a_module_and_a_page(known: Format) -> None:
    assert known.title
    assert "/" in known.media_type
    assert known.suffixes
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in known.suffixes)
    assert (CHECKOUT / "docs" / "formats" / f"{known.id}.md").is_file()
    assert isinstance(known.reader.VERSION, int)
    assert [*inspect.signature(known.reader.header).parameters] == ["source", "file_format"]
    assert [*inspect.signature(known.reader.picture).parameters] == ["source", "max_px"]


@pytest.mark.parametrize("known", EVERY, ids=IDS)
def test_a_field_map_uses_known_fields_and_words(known: Format) -> None:
    for field_id, candidates in known.table["fields"].items():
        assert field_id in fields(), field_id
        for candidate in candidates:
            assert set(candidate) <= CANDIDATE_KEYS, candidate
            assert {"tag", "tags", "value"} & set(candidate), candidate
            tags = candidate.get("tags", [""])
            assert len(candidate.get("per", tags)) == len(tags), candidate


def test_listing_formats_imports_no_reader_and_no_library() -> None:
    program = (
        "import sys, validation, validation.instruments as i; i.formats();"
        "print([n for n in sys.modules if n in ('numpy', 'tifffile', 'PIL', 'h5py') or '.readers.' in n])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("known", EVERY, ids=IDS)
def test_a_good_file_is_recognised_whatever_its_name(
    tmp_path: Path, known: Format, examples: dict[str, bytes]
) -> None:
    (tmp_path / "unnamed").write_bytes(examples[known.id])
    header = read_header(tmp_path / "unnamed")
    assert header.format == known.id
    assert header.reader.startswith(f"{known.id}/{known.reader.VERSION}+")
    assert is_current(header)
    assert header.value("shape") is not None
    assert {issue.code for issue in header.issues} == {"header.suffix_mismatch"}
    for field_id, found in header.fields.items():
        assert field_id in fields()
        assert found.source
    assert read_preview(tmp_path / "unnamed").png is not None


def check_never_raises(path: Path) -> None:
    json.dumps(describe(path), allow_nan=False)
    header = read_header(path)
    preview = read_preview(path)
    assert preview.png is not None or preview.reason
    for issue in (*header.issues, *preview.issues):
        assert issue.message
        assert not issue.location.path, "the caller knows the file"


@pytest.mark.parametrize("known", EVERY, ids=IDS)
def test_truncated_anywhere_never_raises(tmp_path: Path, known: Format, examples: dict[str, bytes]) -> None:
    data = examples[known.id]
    path = tmp_path / f"a{known.suffixes[-1]}"
    cuts = {*range(0, min(len(data), 400), 9), *range(0, len(data), max(1, len(data) // 40)), len(data) - 1}
    for cut in sorted(cuts):
        path.write_bytes(data[:cut])
        check_never_raises(path)
        assert read_header(path).issues, f"nothing was said of a file cut at {cut}"


@pytest.mark.parametrize("known", EVERY, ids=IDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.lists(st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=9)), max_size=12))
def test_flipped_bytes_never_raise(
    tmp_path: Path, known: Format, examples: dict[str, bytes], noise: list[tuple[int, bytes]]
) -> None:
    data = bytearray(examples[known.id])
    for place, values in noise:
        # Half of the damage goes to the first kilobyte, where the structure is.
        start = place % (len(data) if place % 2 else min(len(data), 1024))
        data[start : start + len(values)] = values
    path = tmp_path / f"a{known.suffixes[-1]}"
    path.write_bytes(data)
    check_never_raises(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1"]),
    tail=st.binary(max_size=300),
)
def test_random_bytes_never_raise(tmp_path: Path, start: bytes, tail: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(start + tail)
    check_never_raises(tmp_path / "a.tif")


@pytest.mark.parametrize("pages", [1, 100])
def test_the_cost_of_a_header_does_not_grow_with_the_pixels(tmp_path: Path, pages: int) -> None:
    read = {}
    for side in (64, 1024):
        path = tmp_path / f"{side}.tif"
        page = np.zeros((side, side), np.uint8)
        with tifffile.TiffWriter(path) as writer:
            for _ in range(pages):
                writer.write(page, contiguous=False, metadata=None, rowsperstrip=side)
        with open_source(path) as source:
            assert header_of(source, ".tif").value("n_pages") == pages
            read[side] = source.bytes_read
    assert read[1024] == read[64]
    assert read[64] < 4_000 + 300 * pages
