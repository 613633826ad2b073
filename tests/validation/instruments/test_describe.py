"""What `nanoferry inspect` shows of a file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from validation.instruments import Header, describe, is_current, read_header

WriteTiff = Callable[..., Path]


def test_a_file_is_described_in_words_and_numbers(write_tiff: WriteTiff) -> None:
    found = describe(write_tiff(tags=[(34682, "[Beam]\nHV=5000\nSpot=3\n")]))
    fields = {field["id"]: field for field in found["fields"]}
    assert found["format_title"] == "FEI / Thermo Fisher TIFF"
    assert fields["accelerating_voltage_kV"] == {
        "id": "accelerating_voltage_kV",
        "label": "Accelerating voltage",
        "value": 5.0,
        "unit": "kV",
        "source": "34682/Beam/HV",
    }
    assert fields["spot"]["unit"] == ""
    assert found["raw"]["34682"]["Beam"]["HV"] == "5000"
    json.dumps(found, allow_nan=False)


def test_a_file_that_is_not_there_is_described_by_its_finding(tmp_path: Path) -> None:
    found = describe(tmp_path / "no.tif")
    assert [issue["code"] for issue in found["issues"]] == ["source.unreadable"]
    assert found["fields"] == []


def test_a_header_survives_json(write_tiff: WriteTiff) -> None:
    header = read_header(
        write_tiff(tags=[(34682, "[Beam]\nHV=5000\n[Scan]\nPixelWidth=1e-9\nPixelHeight=1e-9\n")])
    )
    assert Header.from_json(json.loads(json.dumps(header.to_json()))) == header


def test_a_cached_header_of_another_reader_or_map_is_not_current(
    tmp_path: Path, write_tiff: WriteTiff
) -> None:
    (tmp_path / "a.new").write_bytes(b"a format of tomorrow")
    for header in (read_header(write_tiff()), read_header(tmp_path / "a.new")):
        assert is_current(header)
        assert not is_current(replace(header, reader=header.reader.replace("+", "+0")))
        assert not is_current(replace(header, reader="unknown"))


def test_reading_a_header_loads_no_heavy_library(write_tiff: WriteTiff) -> None:
    program = (
        "import sys; from pathlib import Path; from validation.instruments import read_header;"
        "read_header(Path(sys.argv[1]));"
        "print([name for name in ('numpy', 'tifffile', 'PIL', 'h5py', 'imagecodecs') if name in sys.modules])"
    )
    path = write_tiff(tags=[(34682, "[Beam]\nHV=5000\n")])
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
