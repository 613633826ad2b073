"""Writes pictures as the vendors' programs do: FEI 34682, Zeiss SmartSEM 34118, OME-XML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import tifffile
from numpy.typing import NDArray

CANVAS_M = 0.128
"""Width of the print that FEI's magnification refers to."""
SMARTSEM_CANVAS_M = 0.1143
"""Width of a Polaroid print, SmartSEM's reference."""
FEI_TAG, SMARTSEM_TAG, ASCII = 34682, 34118, 2
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Shot:
    """The state of the microscope when a picture was taken."""

    acquired: datetime
    """Local time of the instrument, without a zone."""
    operator: str
    sample: str
    voltage_v: float
    magnification: float
    working_distance_m: float
    current_a: float
    dwell_s: float
    stage_m: tuple[float, float, float]
    tilt_deg: float
    detector: str
    detector_mode: str = "SE"


def write_fei(path: Path, pixels: NDArray[np.uint8], shot: Shot, *, bar_px: int) -> None:
    """A picture of a Helios DualBeam: INI text in SI units, data bar below the picture."""
    rows, columns = pixels.shape
    field_m = CANVAS_M / shot.magnification
    pixel_m = field_m / columns
    stage = dict(zip(("StageX", "StageY", "StageZ"), shot.stage_m, strict=True))
    angles = {"StageR": 0.5, "StageTb": 0}
    tilt_rad = float(np.radians(shot.tilt_deg))
    scan = {
        "Dwell": shot.dwell_s,
        "PixelWidth": pixel_m,
        "PixelHeight": pixel_m,
        "LineTime": shot.dwell_s * columns,
    }
    sections: Mapping[str, Mapping[str, Any]] = {
        "User": {
            "Date": shot.acquired.strftime("%m/%d/%Y"),
            "Time": shot.acquired.strftime("%I:%M:%S %p"),
            "User": shot.operator,
            "UserText": shot.sample,
        },
        "System": {
            "Type": "DualBeam",
            "Dnumber": "9959042",
            "Software": "14.5.1.432",
            "Source": "FEG",
            "SystemType": "Helios G4 CX",
        },
        "Beam": {"HV": shot.voltage_v, "Spot": 3, "ScanRotation": 0, "Beam": "EBeam", "Scan": "EScan"},
        "EBeam": {
            "HV": shot.voltage_v,
            "HFW": field_m,
            "VFW": pixel_m * (rows - bar_px),
            "WD": shot.working_distance_m,
            "BeamCurrent": shot.current_a,
            "ScanRotation": 0,
            "ApertureDiameter": 3.2e-5,
            **stage,
            **angles,
            "StageTa": tilt_rad,
        },
        "Scan": {
            "InternalScan": "true",
            "Dwelltime": shot.dwell_s,
            "PixelWidth": pixel_m,
            "PixelHeight": pixel_m,
        },
        "EScan": scan,
        "Stage": {**stage, **angles, "StageT": tilt_rad, "WorkingDistance": shot.working_distance_m},
        "Image": {
            "Average": 0,
            "Integrate": 1,
            "ResolutionX": columns,
            "ResolutionY": rows - bar_px,
            "MagCanvasRealWidth": CANVAS_M,
        },
        "Vacuum": {"ChPressure": 2.1e-4, "UserMode": "High vacuum"},
        "Detectors": {"Number": 1, "Name": shot.detector, "Mode": shot.detector_mode},
        "PrivateFei": {
            "TimeOfCreation": shot.acquired.strftime("%d.%m.%Y %H:%M:%S"),
            "DatabarHeight": bar_px,
        },
    }
    lines = [
        line
        for name, entries in sections.items()
        for line in (f"[{name}]", *(f"{key}={_si(value)}" for key, value in entries.items()), "")
    ]
    _write(path, pixels, (FEI_TAG, ASCII, 0, "\r\n".join(lines).encode("ascii"), True))


def write_smartsem(path: Path, pixels: NDArray[np.uint8], shot: Shot) -> None:
    """A picture of a Zeiss Merlin: pairs of lines with units, Windows-1252, after a block of numbers."""
    rows, columns = pixels.shape
    field_m = SMARTSEM_CANVAS_M / shot.magnification
    pixel_m = field_m / columns
    x, y, z = (position * 1e3 for position in shot.stage_m)
    day, month, year = shot.acquired.day, _MONTHS[shot.acquired.month - 1], shot.acquired.year
    parameters = {
        "DP_DETECTOR_CHANNEL": f"Signal A = {shot.detector}",
        "DP_DETECTOR_TYPE": f"Detector = {shot.detector}",
        "DP_SEM": "Sem = Merlin Compact",
        "DP_DWELL_TIME": f"Dwell Time = {shot.dwell_s * 1e9:.0f} ns",
        "DP_OPERATING_MODE": "Operating Mode = Normal",
        "AP_WD": f"WD = {shot.working_distance_m * 1e3:.3f} mm",
        "AP_MAG": f"Mag = {shot.magnification / 1e3:7.2f} K X",
        "AP_MANUALKV": f"EHT Target = {shot.voltage_v / 1e3:5.2f} kV",
        "AP_ACTUALKV": f"EHT = {shot.voltage_v / 1e3:5.2f} kV",
        "AP_IPROBE": f"I Probe = {shot.current_a * 1e12:6.0f} pA",
        "AP_WIDTH": f"Width = {field_m * 1e6:.3f} µm",
        "AP_HEIGHT": f"Height = {pixel_m * rows * 1e6:.3f} µm",
        "AP_IMAGE_PIXEL_SIZE": f"Image Pixel Size = {pixel_m * 1e9:.3f} nm",
        "AP_PIXEL_SIZE": f"Pixel Size = {pixel_m * 1e9:.3f} nm",
        "AP_STAGE_AT_X": f"Stage at X = {x:.4f} mm",
        "AP_STAGE_AT_Y": f"Stage at Y = {y:.4f} mm",
        "AP_STAGE_AT_Z": f"Stage at Z = {z:.3f} mm",
        "AP_STAGE_AT_T": f"Stage at T = {shot.tilt_deg:5.1f} °",
        "AP_STAGE_AT_R": "Stage at R =  15.0 °",
        "AP_SYSTEM_VAC": "System Vacuum = 2.31e-006 mbar",
        "AP_APERTURESIZE": "Aperture Size = 30.00 µm",
        "AP_DATE": f"Date :{day} {month} {year}",
        "AP_TIME": f"Time :{shot.acquired.strftime('%H:%M:%S')}",
        "SV_VERSION": "Version = V06.03.00.00 : 15-Dec-17",
        "SV_SERIAL_NUMBER": "Serial No. = Merlin Compact-62-07",
        "SV_USER_NAME": f"User Name = {shot.operator}",
        "SV_SAMPLE_ID": f"Sample ID = {shot.sample}",
        "SV_FILE_NAME": f"File Name = {path.name}",
    }
    numbers = ["0", "0", "0", f"{pixel_m:e}", f"{shot.magnification:e}", str(len(parameters))]
    lines = [*numbers, *(line for pair in parameters.items() for line in pair), ""]
    _write(path, pixels, (SMARTSEM_TAG, ASCII, 0, "\r\n".join(lines).encode("cp1252"), True))


def write_ome(path: Path, pixels: NDArray[np.uint16], shot: Shot) -> None:
    """A 16-bit picture with OME-XML, as a camera program exports it."""
    rows, columns = pixels.shape
    pixel_um = CANVAS_M / shot.magnification / columns * 1e6
    x, y, _z = (position * 1e3 for position in shot.stage_m)
    document = f"""<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" Creator="Nanoferry demo">
  <Experimenter ID="Experimenter:0" UserName={quoteattr(shot.operator)}/>
  <Instrument ID="Instrument:0">
    <Microscope Manufacturer="JEOL" Model="JEM-2100F" SerialNumber="EM-19500-17"/>
    <Detector ID="Detector:0" Model={quoteattr(shot.detector)}/>
    <Objective ID="Objective:0" NominalMagnification="{shot.magnification:g}"/>
  </Instrument>
  <Image ID="Image:0" Name={quoteattr(shot.sample)}>
    <AcquisitionDate>{shot.acquired.isoformat(timespec="seconds")}</AcquisitionDate>
    <StageLabel Name="holder" X="{x:.4f}" XUnit="mm" Y="{y:.4f}" YUnit="mm"/>
    <Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="{columns}" SizeY="{rows}" SizeC="1"
      SizeZ="1" SizeT="1" PhysicalSizeX="{pixel_um:.6g}" PhysicalSizeXUnit="µm" PhysicalSizeY="{pixel_um:.6g}"
      PhysicalSizeYUnit="µm">
      <Channel ID="Channel:0:0" SamplesPerPixel="1"/>
      <TiffData/>
      <Plane TheC="0" TheZ="0" TheT="0" ExposureTime="{shot.dwell_s:g}" ExposureTimeUnit="s"/>
    </Pixels>
  </Image>
</OME>"""
    tifffile.imwrite(path, pixels, description=document.encode(), metadata=None)


def _write(path: Path, pixels: NDArray[np.uint8], tag: tuple[int, int, int, bytes, bool]) -> None:
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=None, extratags=[tag])


def _si(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
