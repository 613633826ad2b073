"""What vendors write into TIFF tags becomes fields in the right unit, and disagreements are told."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from validation.instruments import Header, read_header

WriteTiff = Callable[..., Path]

FEI = """[User]
Date=06/13/2016
Time=05:06:40 PM
User=supervisor
[System]
SystemType=Quanta FEG
[Beam]
HV=30000
Beam=EBeam
Scan=EScan
[EBeam]
HV=5000
WD=0.00403466
HFW=0.00172667
BeamCurrent=
[Scan]
PixelWidth=3.3724e-006
PixelHeight=3.3724e-006
Dwelltime=1e-005
[Stage]
StageX=2.576e-005
StageT=0.5235987755982988
[Detectors]
Name=ETD
"""

SMARTSEM = """0\r\n0\r\n1.1165e-008\r\nAP_WD\r\nWD =  3.9 mm\r\nAP_MAG\r\nMag =  50.00 K X
AP_ACTUALKV\r\nEHT =  5.00 kV\r\nAP_WIDTH\r\nWidth = 64.00 µm\r\nAP_HEIGHT\r\nHeight = 48.00 µm
AP_PIXEL_SIZE\r\nPixel Size = 500.0 nm\r\nAP_IPROBE\r\nI Probe =    690 pA
AP_DATE\r\nDate :9 Dec 2019\r\nAP_TIME\r\nTime :8:18:36\r\nAP_STAGE_AT_T\r\nStage at T =   30.0 °
SV_SERIAL_NUMBER\r\nSerial No. = ULTRA 55-36-06\r\nDP_DETECTOR_CHANNEL\r\nSignal A = InLens
"""

OME = """<?xml version="1.0"?><!-- a remark in front --><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Instrument><Microscope Model="M"/></Instrument><Image><AcquisitionDate>{date}</AcquisitionDate>
<StageLabel Name="s" X="1.5" Y="2.5" YUnit="mm"/>
<Pixels SizeX="64" PhysicalSizeX="0.5" PhysicalSizeY="0.25" {unit}/></Image></OME>"""


def codes(header: Header) -> list[str]:
    return [issue.code for issue in header.issues]


def test_fei_values_are_si_and_come_from_the_active_beam(write_tiff: WriteTiff) -> None:
    header = read_header(write_tiff(tags=[(34682, FEI)]))
    assert header.format == "tiff-fei"
    assert header.value("accelerating_voltage_kV") == 5.0
    assert header.fields["accelerating_voltage_kV"].source == "34682/EBeam/HV"
    assert header.value("working_distance_mm") == 4.03466
    assert header.value("pixel_size_m") == (3.3724e-06, 3.3724e-06)
    assert header.value("stage_x_mm") == 0.02576
    assert header.value("stage_tilt_alpha_deg") == pytest.approx(30.0)
    assert header.value("acquired") == "2016-06-13T17:06:40"


def test_an_empty_vendor_value_gives_no_field(write_tiff: WriteTiff) -> None:
    assert read_header(write_tiff(tags=[(34682, FEI)])).value("beam_current_nA") is None


def test_tags_that_disagree_follow_the_written_rule_and_are_told(write_tiff: WriteTiff) -> None:
    header = read_header(write_tiff(tags=[(34682, FEI)]))
    assert codes(header) == ["header.conflicting_tags"]
    assert header.issues[0].location.field == "accelerating_voltage_kV"
    assert "34682/EBeam/HV gives 5, 34682/Beam/HV gives 30 kV" in header.issues[0].message


def test_a_microscopes_name_is_not_its_voltage(write_tiff: WriteTiff) -> None:
    tia = (
        "<Root><Data><Label>Microscope</Label><Value>Microscope Titan 300 kV</Value><Unit></Unit></Data>"
        "<Data><Label>High tension</Label><Value>200</Value><Unit>kV</Unit></Data>"
        "<Data><Label>Stage X</Label><Value>307.693</Value><Unit>um</Unit></Data></Root>"
    )
    header = read_header(write_tiff(tags=[(34682, tia)]))
    assert header.value("accelerating_voltage_kV") == 200.0
    assert header.value("instrument_model") == "Titan 300 kV"
    assert header.value("stage_x_mm") == 0.307693


def test_smartsem_values_carry_their_units(write_tiff: WriteTiff) -> None:
    header = read_header(write_tiff(tags=[(34118, SMARTSEM.replace("\r\n", "\n").replace("\n", "\r\n"))]))
    assert header.format == "tiff-zeiss"
    assert header.value("magnification") == 50_000.0
    assert header.value("beam_current_nA") == 0.69
    assert header.value("stage_tilt_alpha_deg") == 30.0
    assert header.value("field_of_view_m") == 6.4e-05
    assert header.value("acquired") == "2019-12-09T08:18:36"
    assert header.value("instrument_model") == "ULTRA 55"
    assert header.raw["34118"]["AP_WD"] == "WD =  3.9 mm"


def test_smartsem_pixel_size_is_the_field_of_view_by_the_pixels(write_tiff: WriteTiff) -> None:
    header = read_header(write_tiff(tags=[(34118, SMARTSEM)]))
    assert header.value("pixel_size_m") == pytest.approx((1e-6, 1e-6))
    assert [issue.location.field for issue in header.issues] == ["pixel_size_m"]


@pytest.mark.parametrize(
    ("unit", "pixel_size"),
    [
        ("", (2.5e-07, 5e-07)),  # the schema's default is µm
        ('PhysicalSizeXUnit="nm"', (2.5e-10, 5e-10)),
        ('PhysicalSizeXUnit="pixel"', None),
    ],
)
def test_ome_pixel_size(write_tiff: WriteTiff, unit: str, pixel_size: tuple[float, float] | None) -> None:
    description = OME.format(unit=unit, date="2020-02-03T04:05:06").encode()
    header = read_header(write_tiff("a.ome.tif", description=description))
    assert header.format == "tiff-ome"
    assert header.value("pixel_size_m") == pixel_size


@pytest.mark.parametrize(
    ("date", "offset"),
    [
        ("2020-02-03T04:05:06", None),
        ("2020-02-03T04:05:06Z", "+00:00"),
        ("2020-02-03T04:05:06.25+0100", "+01:00"),
    ],
)
def test_a_zone_is_kept_when_the_file_has_one_and_never_invented(
    write_tiff: WriteTiff, date: str, offset: str | None
) -> None:
    header = read_header(write_tiff(description=OME.format(unit="", date=date).encode()))
    assert header.value("acquired") == "2020-02-03T04:05:06"
    assert header.value("utc_offset") == offset


def test_a_length_without_a_unit_is_not_given_one(write_tiff: WriteTiff) -> None:
    header = read_header(write_tiff(description=OME.format(unit="", date="").encode()))
    assert header.value("stage_x_mm") is None
    assert header.value("stage_y_mm") == 2.5


def tescan_tag(*texts: bytes) -> bytes:
    blocks = (struct.pack("<IH", len(text) + 2, number) + text for number, text in enumerate(texts, 2))
    return struct.pack("<I", 3) + b"jpg" + b"".join(blocks)


def test_tescan_blocks_are_si_with_angles_in_degrees(write_tiff: WriteTiff) -> None:
    main = b"Date=2024-03-07\nTime=09:41:05\nPixelSizeX=2e-9\nPixelSizeY=2e-9\n"
    sem = b"HV=20000.0\nWD=0.006213402\nStageTilt=30.0\nDetector=BSE\n"
    path = write_tiff(tags=[(50431, tescan_tag(main, sem))], datetime="2024:03:07 14:41:05")
    header = read_header(path)
    assert header.format == "tiff-tescan"
    assert header.value("accelerating_voltage_kV") == 20.0
    assert header.value("working_distance_mm") == 6.213402
    assert header.value("stage_tilt_alpha_deg") == 30.0
    assert header.value("acquired") == "2024-03-07T09:41:05"
    assert [issue.location.field for issue in header.issues] == ["acquired"], "five hours apart are told"


def test_tescan_lengths_that_lie_end_the_blocks(write_tiff: WriteTiff) -> None:
    whole = tescan_tag(b"HV=20000.0\n", b"WD=0.005\n")
    header = read_header(write_tiff(tags=[(50431, whole[:-12] + b"\xff\xff\xff\xff")]))
    assert header.value("accelerating_voltage_kV") == 20.0
    assert header.value("working_distance_mm") is None


def test_fibics_units_stand_in_attributes(write_tiff: WriteTiff) -> None:
    document = (
        '<?xml version="1.0" encoding="iso-8859-1"?><Fibics><Application>'
        "<Date>2017-04-20T11:52:36.078+02:00</Date></Application>"
        "<Image><Aperture>[1] 30 µm [HC] (5.0 kV)</Aperture></Image>"
        '<Scan><FOV_X units="um">64</FOV_X><FOV_Y units="um">48</FOV_Y><Dwell>7</Dwell></Scan></Fibics>'
    )
    header = read_header(write_tiff(tags=[(51023, document)]))
    assert header.format == "tiff-fibics"
    assert header.value("accelerating_voltage_kV") == 5.0
    assert header.value("aperture_um") == 30.0
    assert header.value("pixel_size_m") == pytest.approx((1e-6, 1e-6))
    assert header.value("utc_offset") == "+02:00"
    assert header.value("dwell_time_s") is None, "a number without its unit is not given one"


def test_print_resolution_is_not_a_pixel_size(write_tiff: WriteTiff) -> None:
    header = read_header(write_tiff(resolution=(300, 300), resolutionunit="INCH", software="Some 1.0"))
    assert header.format == "tiff-plain"
    assert header.value("pixel_size_m") is None
    assert header.value("software") == "Some 1.0"


def test_imagej_scale_is_pixels_per_unit(write_tiff: WriteTiff) -> None:
    description = "ImageJ=1.53t\nunit=\\u00B5m\n"
    path = write_tiff(description=description, resolution=(4.0, 2.0), resolutionunit="NONE")
    assert read_header(path).value("pixel_size_m") == (5e-07, 2.5e-07)


def test_an_imagej_scale_without_a_length_gives_nothing(write_tiff: WriteTiff) -> None:
    path = write_tiff(description="ImageJ=1.53t\nunit=pixel\n", resolution=(4, 4), resolutionunit="NONE")
    assert read_header(path).value("pixel_size_m") is None


def test_pages_are_counted_in_both_byte_orders_and_in_bigtiff(write_tiff: WriteTiff) -> None:
    import numpy as np

    stack = np.zeros((5, 8, 9), np.uint16)
    for name, options in {"le": {}, "be": {"byteorder": ">"}, "big": {"bigtiff": True}}.items():
        header = read_header(write_tiff(f"{name}.tif", stack, photometric="minisblack", **options))
        assert (header.value("n_pages"), header.value("shape"), header.value("dtype")) == (
            5,
            (8, 9),
            "uint16",
        )
