"""Ours and the reference client in turn: many small files, one large one, and a second run with nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from race import Course, Run, spread

pytestmark = [pytest.mark.bench, pytest.mark.network, pytest.mark.timeout(3000)]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MakeCourse = Callable[[int, int], Course]


def test_many_small_files(course: MakeCourse, findings: Any, pairs: range) -> None:
    files, size_bytes = 500, 200 * KIB
    track = course(files, size_bytes)
    ours, theirs = race(track, pairs, (files, files * size_bytes))
    rates = [files / run.wall_s for run in ours], [files / run.wall_s for run in theirs]
    findings.sections[1] = section(
        "500 files of 200 KiB",
        "At least 3 times the files per second.",
        (
            "files per second",
            spread(rates[0], "", digits=0),
            spread(rates[1], "", digits=0),
            faster(ours, theirs),
        ),
        times(ours, theirs),
        peaks(ours, theirs),
    )


def test_one_large_file(course: MakeCourse, findings: Any, pairs: range) -> None:
    track = course(1, GIB)
    ours, theirs = race(track, pairs, (1, GIB))
    rates = [GIB / MIB / run.wall_s for run in ours], [GIB / MIB / run.wall_s for run in theirs]
    findings.sections[2] = section(
        "One file of 1 GiB",
        "Not slower, and less than 150 MB of memory whatever the size.",
        (
            "MiB per second",
            spread(rates[0], "", digits=0),
            spread(rates[1], "", digits=0),
            faster(ours, theirs),
        ),
        times(ours, theirs),
        peaks(ours, theirs),
    )


def test_second_run_with_nothing_to_do(course: MakeCourse, findings: Any, pairs: range) -> None:
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
    findings.sections[3] = section(
        "A second run over the 500 files",
        "Under 1 s and no file opened (`tests/benchmarks/test_rerun_opens_nothing.py` watches that).",
        times(ours, theirs),
        ("times faster", "", "", faster(ours, theirs)),
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


Line = tuple[str, str, str, str]


def section(title: str, goal: str, *lines: Line) -> str:
    """A heading, the goal and a table."""
    head = ["| | ours | reference client | ours against theirs |", "|---|---|---|---|"]
    return "\n".join(
        [f"## {title}", "", f"Goal: {goal}", "", *head, *(f"| {' | '.join(line)} |" for line in lines), ""]
    )


def times(ours: Sequence[Run], theirs: Sequence[Run]) -> Line:
    """Wall and processor time of both."""
    mine, other = (
        f"{spread([run.wall_s for run in runs], 's')}; CPU {spread([run.cpu_s for run in runs], 's')}"
        for runs in (ours, theirs)
    )
    return "time", mine, other, ""


def peaks(ours: Sequence[Run], theirs: Sequence[Run]) -> Line:
    """Peak memory of both."""
    mine, other = (spread([run.peak_bytes / 1e6 for run in runs], "MB", digits=0) for runs in (ours, theirs))
    return "peak memory", mine, other, ""


def faster(ours: Sequence[Run], theirs: Sequence[Run]) -> str:
    """How many times faster, pair by pair."""
    return spread(
        [other.wall_s / mine.wall_s for mine, other in zip(ours, theirs, strict=True)], "×", digits=1
    )
