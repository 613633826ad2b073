"""The controller on simulated servers: it finds what is best for each, soon, and follows when that changes."""

import time
from dataclasses import replace
from itertools import repeat

import pytest
from simulated_server import (
    BUSY_ABOVE_6,
    CHUNKS,
    FAR,
    MIB,
    NARROW,
    PEAKED,
    SCENES,
    SMALL,
    Scene,
    ServerModel,
    SimulatedClock,
    best_of_all,
    compare,
    flat,
    run,
)

from uploader.engine.pacing.controller import Controller


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_it_does_nearly_as_well_as_the_best_fixed_level(scene: Scene, seed: int) -> None:
    compared = compare(scene, seed)
    assert compared.whole >= scene.whole
    assert compared.steady >= scene.steady


@pytest.mark.parametrize(
    ("model", "size_bytes", "good"),
    [
        (PEAKED, SMALL, range(3, 6)),
        (FAR, SMALL, range(10, 40)),
        (BUSY_ABOVE_6, SMALL, range(4, 7)),
        (CHUNKS, 8 * MIB, range(2, 9)),
    ],
    ids=["peak at 4", "far", "503 above 6", "chunks"],
)
def test_a_good_level_is_found_within_some_two_hundred_requests(
    model: ServerModel, size_bytes: int, good: range
) -> None:
    ended = run(model, 400, sizes=repeat(size_bytes))
    at_240_s = ended.sent[240][0]
    assert ended.level_at(at_240_s) in good


@pytest.mark.parametrize("start", [1, 2, 16, 64])
def test_it_finds_the_peak_from_any_start(start: int) -> None:
    ended = run(PEAKED, 4000, start=start)
    assert ended.rate(PEAKED, 0.6) >= 0.93 * 208


def test_fewer_are_preferred_where_more_bring_nothing() -> None:
    ended = run(replace(NARROW, delay_s=0.0), 4000)
    assert ended.levels[-1][1] <= 3


def test_the_cap_is_never_passed() -> None:
    ended = run(FAR, 2000, most=6)
    assert max(permits for _, permits in ended.levels) == 6


def test_one_may_be_the_most() -> None:
    assert {permits for _, permits in run(FAR, 300, most=1).levels} == {1}


def test_a_busy_server_is_not_pressed_again_and_again() -> None:
    ended = run(BUSY_ABOVE_6, 5000)
    assert ended.failed < 0.01 * 5000


def test_a_server_that_was_away_is_used_fully_again() -> None:
    away = replace(FAR, error_share=1.0, later=FAR, later_from_s=3.0)
    ended = run(replace(FAR, later=away, later_from_s=2.0), 4000)
    assert ended.rate(FAR, 0.6) >= 0.9 * 400


def test_a_lifted_limit_is_climbed_after() -> None:
    limited = ServerModel(flat(10.0), delay_s=0.020, later=FAR, later_from_s=20.0)
    ended = run(limited, 4000)
    assert ended.level_at(19.0) <= 4
    since_s = [when for when, _ in ended.sent if when > 24.0]
    assert len(since_s) / (since_s[-1] - since_s[0]) >= 0.9 * 400


def test_a_pause_teaches_nothing() -> None:
    clock = SimulatedClock()
    controller = Controller(clock)
    _steady(controller, clock, seconds=6.0)
    before = controller.permits
    controller.occupied(0)
    clock.sleep(600.0)
    _steady(controller, clock, seconds=1.0)
    assert abs(controller.permits - before) <= 1


def test_the_rate_is_that_of_the_last_seconds() -> None:
    clock = SimulatedClock()
    controller = Controller(clock, least=1, most=1)
    for _ in range(100):
        clock.sleep(0.1)
        controller.finished(MIB, 0.1, ok=True)
    pace = controller.pace()
    assert pace.bytes_per_s == pytest.approx(10 * MIB, rel=0.05)
    assert pace.requests_per_s == pytest.approx(10, rel=0.05)
    assert controller.stream_bytes_per_s == pytest.approx(10 * MIB, rel=0.05)
    clock.sleep(60.0)
    assert controller.pace().bytes_per_s < MIB


@pytest.mark.bench
def test_table_of_scenes() -> None:
    print(f"\n{'scene':40} {'best':>7} {'at':>3} {'whole':>6} {'steady':>6} {'last':>4}   (worst of 5 seeds)")  # noqa: T201
    for scene in SCENES:
        seeds = [compare(scene, seed) for seed in range(1, 6)]
        best, level = best_of_all(scene)
        whole, steady = min(each.whole for each in seeds), min(each.steady for each in seeds)
        print(f"{scene.name:40} {best:7.1f} {level:3d} {whole:6.2f} {steady:6.2f} {seeds[0].last_level:4d}")  # noqa: T201
        # What the scene calls its best is within the width of a line of the best of all.
        assert seeds[0].best >= 0.985 * best


@pytest.mark.bench
def test_what_a_request_costs() -> None:
    controller = Controller(_Real())
    began = time.perf_counter()
    for number in range(50_000):
        controller.occupied(4)
        controller.finished(SMALL, 0.01, ok=True)
        controller.occupied(3 + number % 2)
    each_us = (time.perf_counter() - began) / 50_000 * 1e6
    print(f"\ncontroller: {each_us:.1f} µs a request")  # noqa: T201
    assert each_us < 20


class _Real(SimulatedClock):
    def monotonic(self) -> float:
        return time.monotonic()


def _steady(controller: Controller, clock: SimulatedClock, *, seconds: float) -> None:
    """Requests of 10 ms each, as many at once as permitted, on a line that gives 400/s."""
    until_s = clock.now_s + seconds
    controller.occupied(controller.permits)
    while clock.now_s < until_s:
        controller.occupied(controller.permits)
        clock.sleep(1 / 400)
        controller.finished(SMALL, controller.permits / 400, ok=True)
