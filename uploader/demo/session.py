"""Makes the example session: sidecars, about sixty pictures of three microscopes, and faults that are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from uploader.demo.faults import DemoFault, add_faults
from uploader.demo.scenes import seen, with_bar
from uploader.demo.sidecars import PROJECT, SAMPLE, SESSION
from uploader.demo.vendor_tiff import Shot, write_fei, write_ome, write_smartsem

PROJECT_NAME = "NFFA-DEMO-042"
SIDECAR = "nanoferry.yaml"
WIDTH_PX, HEIGHT_PX, BAR_PX = 512, 384, 32
FRAMES_PER_AREA = 6
SECONDS_PER_FRAME = 97


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit to one microscope with one sample."""

    sample: str
    description: str
    formula: str
    scene: str
    start: datetime
    operator: str
    operator_name: str
    technique: str
    layout: str
    """`fei`, `smartsem` or `ome`."""
    instrument: str
    manufacturer: str
    model: str
    serial: str
    software: str
    share: float
    """Part of the session's pictures."""
    shot: Shot

    @property
    def folder(self) -> str:
        """Path below the dropped folder."""
        return f"{PROJECT_NAME}/{self.sample}/{self.start:%Y-%m-%d}_{self.operator}_{self.technique}"


_START = Shot(
    acquired=datetime(2025, 3, 11, 9, 30),  # noqa: DTZ001  # instruments know no zone
    operator="",
    sample="",
    voltage_v=5000.0,
    magnification=10_000.0,
    working_distance_m=4.1e-3,
    current_a=8.6e-11,
    dwell_s=1e-6,
    stage_m=(1.2e-3, -3.4e-3, 4.0e-3),
    tilt_deg=0.0,
    detector="ETD",
)
VISITS = (
    Visit(
        sample="AuNP-TiO2",
        description="Gold nanoparticles on titania",
        formula="Au",
        scene="particles",
        start=datetime(2025, 3, 11, 9, 30),  # noqa: DTZ001  # instruments know no zone
        operator="rossi",
        operator_name="Anna Rossi",
        technique="SEM",
        layout="fei",
        instrument="Helios",
        manufacturer="FEI",
        model="Helios G4 CX",
        serial="9959042",
        software="xT microscope control 14.5.1",
        share=0.3,
        shot=_START,
    ),
    Visit(
        sample="ZnO-nanowires",
        description="Zinc oxide nanowires grown on silicon",
        formula="ZnO",
        scene="nanowires",
        start=datetime(2025, 3, 12, 13, 5),  # noqa: DTZ001  # instruments know no zone
        operator="kim",
        operator_name="Min-ji Kim",
        technique="SEM",
        layout="smartsem",
        instrument="Merlin",
        manufacturer="Zeiss",
        model="Merlin Compact",
        serial="Merlin Compact-62-07",
        software="SmartSEM V06.03",
        share=0.3,
        shot=replace(
            _START, detector="InLens", voltage_v=3000.0, current_a=1.2e-10, working_distance_m=3.2e-3
        ),
    ),
    Visit(
        sample="PVDF-fibres",
        description="Electrospun fibres with a porous skin",
        formula="C2H2F2",
        scene="fibres",
        start=datetime(2025, 3, 14, 10, 15),  # noqa: DTZ001  # instruments know no zone
        operator="rossi",
        operator_name="Anna Rossi",
        technique="SEM",
        layout="fei",
        instrument="Helios",
        manufacturer="FEI",
        model="Helios G4 CX",
        serial="9959042",
        software="xT microscope control 14.5.1",
        share=0.25,
        shot=replace(_START, voltage_v=2000.0, detector="TLD", current_a=2.5e-11),
    ),
    Visit(
        sample="AuNP-TiO2",
        description="Gold nanoparticles on titania",
        formula="Au",
        scene="pores",
        start=datetime(2025, 3, 18, 11, 0),  # noqa: DTZ001  # instruments know no zone
        operator="weber",
        operator_name="Jonas Weber",
        technique="TEM",
        layout="ome",
        instrument="JEM-2100F",
        manufacturer="JEOL",
        model="JEM-2100F",
        serial="EM-19500-17",
        software="Example Camera 3.1",
        share=0.15,
        shot=replace(_START, voltage_v=200_000.0, magnification=120_000.0, detector="OneView", dwell_s=0.5),
    ),
)


@dataclass(frozen=True, slots=True)
class DemoSession:
    """What was made, so that the demo can say it and tests can check it."""

    folder: Path
    """The dropped folder."""
    pictures: tuple[str, ...]
    """Every picture, relative to the folder, faulty ones among them."""
    sidecars: tuple[str, ...]
    faults: tuple[DemoFault, ...]


def make_session(folder: Path, *, files: int = 60, seed: int = 0) -> DemoSession:
    """Fill `folder` with the example session; the same seed gives the same bytes.

    `files` is a wish: every visit has at least FRAMES_PER_AREA pictures, so that the faults find their places.

    Raises OSError when the folder cannot be written and FileExistsError when it holds an example already.
    """
    (folder / PROJECT_NAME).mkdir(parents=True)
    rng = np.random.default_rng(seed)
    sidecars = list(_write_sidecars(folder))
    pictures: list[str] = []
    for visit in VISITS:
        shots = _shots(visit, max(FRAMES_PER_AREA, round(files * visit.share)))
        for number, (name, shot) in enumerate(shots):
            _write_picture(folder / visit.folder / name, visit, shot, rng, zoom=1.0 + 0.35 * (number % 3))
            pictures.append(f"{visit.folder}/{name}")
    faults, pictures = add_faults(folder, pictures, [visit.folder for visit in VISITS], BAR_PX)
    return DemoSession(folder, tuple(pictures), tuple(sidecars), faults)


def _write_sidecars(folder: Path) -> Iterator[str]:
    texts = {f"{PROJECT_NAME}/{SIDECAR}": PROJECT}
    for visit in VISITS:
        texts[f"{PROJECT_NAME}/{visit.sample}/{SIDECAR}"] = SAMPLE.format(
            name=visit.sample, description=visit.description, formula=visit.formula
        )
        texts[f"{visit.folder}/{SIDECAR}"] = SESSION.format(
            title=f"{visit.description}, {visit.technique}",
            purpose="exploratory",
            technique=visit.technique,
            operator_name=visit.operator_name,
            instrument=visit.instrument,
            manufacturer=visit.manufacturer,
            model=visit.model,
            serial=visit.serial,
            software=visit.software,
        )
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
        yield path


def _shots(visit: Visit, count: int) -> Iterator[tuple[str, Shot]]:
    """(file name, state) of each picture: areas one after another, magnification rising within each."""
    for number in range(count):
        area, frame = divmod(number, FRAMES_PER_AREA)
        shot = replace(
            visit.shot,
            acquired=visit.start + timedelta(seconds=SECONDS_PER_FRAME * number),
            operator=visit.operator,
            sample=visit.sample,
            magnification=visit.shot.magnification * (1, 1, 2, 2, 5, 5)[frame % 6],
            stage_m=(
                visit.shot.stage_m[0] + 5e-4 * area,
                visit.shot.stage_m[1] + 2e-5 * frame,
                visit.shot.stage_m[2],
            ),
        )
        name = f"area{area + 1}_{frame + 1:03d}_{shot.voltage_v / 1e3:g}kV_{shot.magnification:.0f}x.tif"
        yield name, shot


def _write_picture(path: Path, visit: Visit, shot: Shot, rng: np.random.Generator, *, zoom: float) -> None:
    pixels = seen(visit.scene, rng, width=WIDTH_PX, height=HEIGHT_PX, zoom=zoom)
    state = f"{shot.voltage_v / 1e3:g} kV   {shot.magnification:.0f} x   {shot.detector}"
    caption = f"{state}   {shot.acquired:%H:%M:%S}"
    match visit.layout:
        case "fei":
            write_fei(path, with_bar(pixels, caption, bar_px=BAR_PX), shot, bar_px=BAR_PX)
        case "smartsem":
            pixels[-BAR_PX:] = with_bar(pixels[:0], caption, bar_px=BAR_PX)
            write_smartsem(path, pixels, shot)
        case _:
            # A camera's counts: an offset, a gain and the noise of electrons.
            counts = rng.poisson(pixels.astype(np.float64) * 4 + 300)
            write_ome(path, counts.astype(np.uint16), shot)
