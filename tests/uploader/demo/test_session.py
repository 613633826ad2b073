"""The example session: genuine vendor layouts, and every fault it tells of is really there."""

from __future__ import annotations

from pathlib import Path

import pytest
import tifffile
import yaml

from uploader.demo import DemoSession, make_session
from validation.instruments import read_header, read_preview


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> DemoSession:
    return make_session(tmp_path_factory.mktemp("session"), files=24)


def fault(session: DemoSession, code: str) -> Path:
    return session.folder / next(fault.path for fault in session.faults if fault.code == code)


def picture(session: DemoSession, visit: str) -> Path:
    return session.folder / next(path for path in session.pictures if visit in path)


def test_a_default_session_has_about_sixty_small_pictures(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    assert 55 <= len(session.pictures) <= 65
    for path in (*session.pictures, *session.sidecars):
        assert (session.folder / path).stat().st_size < 500_000
    listed = {
        *session.pictures,
        *session.sidecars,
        *(fault.path for fault in session.faults if not fault.code),
    }
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert there == listed


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (make_session(tmp_path / name, files=24, seed=7) for name in ("a", "b"))
    assert first.pictures == second.pictures
    for path in first.pictures[::5]:
        assert (first.folder / path).read_bytes() == (second.folder / path).read_bytes()


def test_a_second_session_never_overwrites_the_first(session: DemoSession) -> None:
    with pytest.raises(FileExistsError):
        make_session(session.folder)


@pytest.mark.parametrize(
    ("visit", "file_format", "voltage_kv", "pixel_m"),
    [
        ("rossi_SEM/area1_001", "tiff-fei", 5.0, 2.5e-8),
        ("kim_SEM/area1_001", "tiff-zeiss", 3.0, 2.2324e-8),
        ("weber_TEM/area1_001", "tiff-ome", None, 2.08333e-9),
    ],
)
def test_our_readers_understand_every_layout(
    session: DemoSession, visit: str, file_format: str, voltage_kv: float | None, pixel_m: float
) -> None:
    header = read_header(picture(session, visit))
    assert header.format == file_format
    assert header.issues == ()
    assert header.value("accelerating_voltage_kV") == voltage_kv
    assert header.value("pixel_size_m") == pytest.approx((pixel_m, pixel_m), rel=1e-3)
    assert header.value("operator") in str(visit)


def test_tifffile_understands_the_fei_layout(session: DemoSession) -> None:
    with tifffile.TiffFile(picture(session, "rossi_SEM/area1_001")) as tiff:
        metadata = tiff.fei_metadata
    assert metadata is not None
    assert metadata["EBeam"]["HV"] == 5000
    assert metadata["Scan"]["PixelWidth"] == pytest.approx(2.5e-8)


def test_tifffile_understands_the_smartsem_layout(session: DemoSession) -> None:
    with tifffile.TiffFile(picture(session, "kim_SEM/area1_001")) as tiff:
        metadata = tiff.sem_metadata
    assert metadata is not None
    assert metadata["ap_actualkv"] == ("EHT", 3.0, "kV")
    assert metadata["sv_user_name"] == ("User Name", "kim")


def test_tifffile_understands_the_ome_layout(session: DemoSession) -> None:
    with tifffile.TiffFile(picture(session, "weber_TEM/area1_001")) as tiff:
        assert tiff.is_ome
        assert tiff.series[0].shape == (384, 512)


@pytest.mark.parametrize("code", ["header.truncated", "source.empty"])
def test_faults_in_headers_are_found(session: DemoSession, code: str) -> None:
    assert [issue.code for issue in read_header(fault(session, code)).issues] == [code]


def test_the_black_picture_is_seen_to_be_black_and_keeps_its_header(session: DemoSession) -> None:
    path = fault(session, "image.black")
    assert [issue.code for issue in read_preview(path).issues] == ["image.black"]
    assert read_header(path).value("accelerating_voltage_kV") == 2.0


def test_the_conflicting_name_disagrees_with_its_header(session: DemoSession) -> None:
    path = fault(session, "header.path_conflict")
    assert "_15kV_" in path.name
    assert read_header(path).value("accelerating_voltage_kV") == 5.0


def test_the_gap_is_a_frame_that_is_not_there(session: DemoSession) -> None:
    missing = fault(session, "group.gap")
    assert not missing.exists()
    assert any("_005_" in path.name for path in missing.parent.iterdir())


def test_sidecars_are_yaml(session: DemoSession) -> None:
    documents = [yaml.safe_load((session.folder / path).read_text("utf-8")) for path in session.sidecars]
    assert any(document.get("project", {}).get("name") == "NFFA-DEMO-042" for document in documents)
    assert fault(session, "metadata.invalid").name == "nanoferry.yaml"
