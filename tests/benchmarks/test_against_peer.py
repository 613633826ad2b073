"""Ours and the reference client in turn: many small files, one large one, and a second run with nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import pytest
from page import QUICK, Findings, Goal, Section, spread
from race import Course, Run

pytestmark = [pytest.mark.bench, pytest.mark.network, pytest.mark.timeout(3000)]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MEMORY_MB = 150
MakeCourse = Callable[[int, int], Course]


def test_many_small_files(course: MakeCourse, findings: Findings, pairs: range) -> None:
    files, size_bytes = 500, 200 * KIB
    track = course(files, size_bytes)
    ours, theirs = race(track, pairs, (files, files * size_bytes))
    findings.add(
        7,
        section(
            "Against the peer: 500 files of 200 KiB, whole processes, names hold the MD5",
            (
                Goal(
                    "500 × 200 KiB, files per second against the peer's",
                    ratio(ours, theirs),
                    least=3,
                    unit=" ×",
                ),
            ),
            rates(ours, theirs, files, "files/s"),
            ours,
            theirs,
        ),
    )


def test_one_large_file(course: MakeCourse, findings: Findings, pairs: range) -> None:
    size_bytes = GIB // 8 if QUICK else GIB
    track = course(1, size_bytes)
    ours, theirs = race(track, pairs, (1, size_bytes))
    peak_mb = max(run.peak_bytes for run in ours) / 1e6
    findings.add(
        8,
        section(
            f"Against the peer: one file of {size_bytes // MIB} MiB, whole processes, names hold the MD5",
            (
                Goal(
                    f"{size_bytes // MIB} MiB, speed against the peer's",
                    ratio(ours, theirs),
                    least=1,
                    unit=" ×",
                ),
                Goal(
                    f"{size_bytes // MIB} MiB, largest process of ours",
                    peak_mb,
                    most=MEMORY_MB,
                    unit=" MB",
                    digits=0,
                ),
            ),
            rates(ours, theirs, size_bytes // MIB, "MiB/s"),
            ours,
            theirs,
        ),
    )


def test_second_run_with_nothing_to_do(course: MakeCourse, findings: Findings, pairs: range) -> None:
    track = course(500, 200 * KIB)
    our_lane, their_lane = track.lane("ours"), track.lane("theirs")
    track.ours(our_lane)
    track.theirs(their_lane)
    before = track.arrived(our_lane), track.arrived(their_lane)
    ours, theirs = [], []
    for _ in pairs:
        ours.append(track.ours(our_lane))
        theirs.append(track.theirs(their_lane))
    assert (track.arrived(our_lane), track.arrived(their_lane)) == before
    findings.add(
        9,
        section(
            "Against the peer: a second run over the 500 files",
            (
                Goal(
                    "second run over 500 finished files, whole process",
                    median(run.wall_s for run in ours),
                    most=0.5,
                    unit=" s",
                ),
            ),
            rates(ours, theirs, 1, "runs/s"),
            ours,
            theirs,
            notes="No file is opened: `tests/benchmarks/test_rerun_opens_nothing.py` watches that.",
        ),
    )


def race(track: Course, pairs: range, expected: tuple[int, int]) -> tuple[list[Run], list[Run]]:
    """Both clients in turn, each run in a lane of its own."""
    ours, theirs = [], []
    for number in pairs:
        lane = track.lane(f"ours_{number}")
        ours.append(track.ours(lane))
        assert track.arrived(lane) == expected
        lane = track.lane(f"theirs_{number}")
        theirs.append(track.theirs(lane))
        track.forget_peer()
        assert track.arrived(lane) == expected
    return ours, theirs


Row = tuple[str, ...]


def section(
    title: str,
    goals: tuple[Goal, ...],
    rates: Row,
    ours: Sequence[Run],
    theirs: Sequence[Run],
    notes: str = "",
) -> Section:
    """Both clients beside each other."""
    head = ("", "ours", "peer", "ours against the peer's")
    return Section(title, goals, head, (rates, *times(ours, theirs), peaks(ours, theirs)), notes)


def rates(ours: Sequence[Run], theirs: Sequence[Run], amount: float, unit: str) -> Row:
    """Amount per second of both, and their ratio."""
    mine, other = ([amount / run.wall_s for run in runs] for runs in (ours, theirs))
    factors = [one / two for one, two in zip(mine, other, strict=True)]
    return "rate", spread(mine, unit, digits=1), spread(other, unit, digits=1), spread(factors, "×", digits=1)


def times(ours: Sequence[Run], theirs: Sequence[Run]) -> tuple[Row, Row]:
    """Wall and processor time of both."""
    wall = (spread([run.wall_s for run in runs], "s") for runs in (ours, theirs))
    cpu = (spread([run.cpu_s for run in runs], "s") for runs in (ours, theirs))
    return ("whole process", *wall, ""), ("processor time", *cpu, "")


def peaks(ours: Sequence[Run], theirs: Sequence[Run]) -> Row:
    """Peak memory of the largest process of both."""
    mine, other = (spread([run.peak_bytes / 1e6 for run in runs], "MB", digits=0) for runs in (ours, theirs))
    return "peak memory", mine, other, ""


def ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> float:
    """Median of how many times faster ours is, pair by pair."""
    return median(other.wall_s / mine.wall_s for mine, other in zip(ours, theirs, strict=True))
