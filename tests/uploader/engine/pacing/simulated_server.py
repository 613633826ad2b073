"""A server and its line as a discrete-event model, driven by the real controller on a clock of its own."""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import repeat

from uploader.engine.pacing.controller import Controller

KIB = 1024
MIB = 1024 * KIB
SMALL = 200 * KIB


class SimulatedClock:
    """Its hands are moved by the simulation."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now(self) -> str:
        return "2026-03-01T12:00:00Z"

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass(frozen=True)
class ServerModel:
    """All requests in service share the capacity evenly; before it, each spends a delay that costs no capacity."""

    capacity: Callable[[int], float]
    """Requests of 200 KiB per second for this many in service."""
    delay_s: float = 0.0
    most_per_request: float = math.inf
    """Requests of 200 KiB per second that one connection can do at best."""
    request_cost_bytes: int = 0
    """What a request costs the server beside its bytes, as bytes."""
    most_at_once: int = 10_000
    """Beyond this the server answers 503."""
    error_share: float = 0.0
    """Requests that fail whatever the load."""
    noise: float = 0.1
    """Each request's work and delay are up to this share more or less: a little, or all would go in step."""
    weather: float = 0.0
    """The capacity of every second is up to this share more or less."""
    later: ServerModel | None = None
    later_from_s: float = math.inf

    def work(self, size_bytes: int) -> float:
        return (size_bytes + self.request_cost_bytes) / (SMALL + self.request_cost_bytes)


def curve(points: dict[int, float]) -> Callable[[int], float]:
    """Linear between the points, flat outside them (down to nothing for 0)."""
    xs, ys = [0, *points], [0.0, *points.values()]

    def at(count: int) -> float:
        place = bisect_right(xs, count)
        if place >= len(xs):
            return ys[-1]
        x0, x1, y0, y1 = xs[place - 1], xs[place], ys[place - 1], ys[place]
        return y0 + (y1 - y0) * (count - x0) / (x1 - x0)

    return at


@dataclass
class Ended:
    """What a simulated run came to."""

    sent: list[tuple[float, int]] = field(default_factory=list)
    """(when, bytes) of every successful request."""
    failed: int = 0
    levels: list[tuple[float, int]] = field(default_factory=list)
    """(when, permits) at every change."""

    @property
    def lasted_s(self) -> float:
        return self.sent[-1][0]

    def rate(self, model: ServerModel, begin: float = 0.0, end: float = 1.0) -> float:
        """Work per second between two shares of the run's time."""
        t0, t1 = begin * self.lasted_s, end * self.lasted_s
        return sum(model.work(size) for when, size in self.sent if t0 < when <= t1) / (t1 - t0)

    def level_at(self, when_s: float) -> int:
        return next(permits for at_s, permits in reversed(self.levels) if at_s <= when_s)


class _Fixed:
    """Always the same permits."""

    def __init__(self, permits: int) -> None:
        self.permits = permits

    def occupied(self, in_flight: int) -> None:
        pass

    def finished(self, size_bytes: int, took_s: float, *, ok: bool, throttled: bool = False) -> None:
        pass


def run(
    model: ServerModel,
    requests: int,
    *,
    permits: int | None = None,
    sizes: Iterator[int] | None = None,
    seed: int = 1,
    most: int = 64,
    start: int = 4,
) -> Ended:
    """Send so many requests, at a fixed level or by the controller."""
    clock = SimulatedClock()
    paced = _Fixed(permits) if permits else Controller(clock, most=most, start=start)
    return _Simulation(model, paced, clock, sizes or repeat(SMALL), random.Random(seed)).run(requests)


@dataclass(order=True)
class _Request:
    due: float
    number: int
    size_bytes: int = field(compare=False)
    began_s: float = field(compare=False)
    fails: bool = field(compare=False, default=False)
    throttled: bool = field(compare=False, default=False)


class _Simulation:
    def __init__(
        self,
        model: ServerModel,
        paced: Controller | _Fixed,
        clock: SimulatedClock,
        sizes: Iterator[int],
        rng: random.Random,
    ) -> None:
        self.model, self.paced, self.clock, self.sizes, self.rng = model, paced, clock, sizes, rng
        self.delayed: list[_Request] = []
        self.served: list[_Request] = []  # due in virtual work per request
        self.virtual = 0.0
        self.in_flight = self.accepted = self.number = 0
        self.weather, self.weather_until_s = 1.0, 0.0
        self.ended = Ended(levels=[(0.0, paced.permits)])

    def run(self, requests: int) -> Ended:
        ended = self.ended
        while len(ended.sent) < requests:
            while self.in_flight < self.paced.permits:
                self.begin()
            self.step()
            if self.paced.permits != ended.levels[-1][1]:
                ended.levels.append((self.clock.now_s, self.paced.permits))
        return ended

    def begin(self) -> None:
        self.in_flight += 1
        self.number += 1
        self.paced.occupied(self.in_flight)
        now = self.clock.now_s
        delay_s = self.model.delay_s * self.varied()
        request = _Request(now + delay_s, self.number, next(self.sizes), now)
        if self.accepted >= self.model.most_at_once:
            request.fails = request.throttled = True
        elif self.model.error_share and self.rng.random() < self.model.error_share:
            request.fails = True
        self.accepted += not request.throttled
        heapq.heappush(self.delayed, request)

    def varied(self) -> float:
        return 1 + self.rng.uniform(-self.model.noise, self.model.noise)

    def speed(self) -> float:
        """Work per second of each request in service."""
        count = len(self.served)
        return min(self.model.capacity(count) * self.weather / count, self.model.most_per_request)

    def step(self) -> None:
        now = self.clock.now_s
        if now >= self.model.later_from_s and self.model.later:
            self.model = self.model.later
        if self.model.weather and now >= self.weather_until_s:
            # The weather of a second is the same whatever was sent before: levels are compared under one sky.
            second = int(now + 1e-9)
            self.weather = 1 + random.Random(second).uniform(-self.model.weather, self.model.weather)
            self.weather_until_s = second + 1.0
        arrives = self.delayed[0].due if self.delayed else math.inf
        changes = self.weather_until_s if self.model.weather else math.inf
        if self.model.later:
            changes = min(changes, self.model.later_from_s)
        speed = self.speed() if self.served else 0.0
        leaves = now + (self.served[0].due - self.virtual) / speed if self.served else math.inf
        at = max(now, min(arrives, leaves, changes))
        self.virtual += (at - now) * speed
        self.clock.now_s = at
        if leaves <= min(arrives, changes):
            self.end(heapq.heappop(self.served))
        elif arrives <= changes:
            self.arrive(heapq.heappop(self.delayed))

    def arrive(self, request: _Request) -> None:
        if request.fails:
            self.end(request)
            return
        request.due = self.virtual + self.model.work(request.size_bytes) * self.varied()
        heapq.heappush(self.served, request)

    def end(self, request: _Request) -> None:
        now = self.clock.now_s
        if request.fails:
            self.ended.failed += 1
        else:
            self.ended.sent.append((now, request.size_bytes))
        self.paced.finished(
            request.size_bytes, now - request.began_s, ok=not request.fails, throttled=request.throttled
        )
        self.accepted -= not request.throttled
        self.in_flight -= 1
        self.paced.occupied(self.in_flight)


def flat(rate: float) -> Callable[[int], float]:
    """As much with one as with many."""
    return lambda count: rate


PEAKED = ServerModel(curve({1: 75, 2: 140, 4: 208, 8: 165, 16: 118, 64: 70}))
FAR = ServerModel(flat(400), delay_s=0.020, most_per_request=250)
FAR_PEAKED = ServerModel(curve({1: 75, 2: 140, 3: 160, 8: 158, 32: 132, 64: 100}), delay_s=0.030)
NARROW = ServerModel(flat(10e6 / SMALL), delay_s=0.020)
PER_CONNECTION = ServerModel(flat(40e6 / SMALL), delay_s=0.020, most_per_request=1e6 / SMALL)
BUSY_ABOVE_6 = ServerModel(lambda count: 50.0 * count, most_at_once=6, delay_s=0.004)
CHUNKS = ServerModel(curve({1: 185e6 / SMALL, 2: 234e6 / SMALL, 64: 232e6 / SMALL}))


def cpu_then(rate: float, per_worker: float, decline: float = 0.0) -> Callable[[int], float]:
    """A server that gains with each worker up to a rate and loses a little with each beyond."""
    return lambda count: min(per_worker * count, rate / (1 + decline * max(0, count - rate / per_worker)))


EMBEDDED = ServerModel(cpu_then(400, 100, 0.01), delay_s=0.0005)
EMBEDDED_FAR = ServerModel(cpu_then(400, 150, 0.01), delay_s=0.024)


@dataclass(frozen=True)
class Scene:
    """One row of the table."""

    name: str
    model: ServerModel
    best: int
    """The fixed level that does best, by trying them all (the table in `make bench` does); after a change: then."""
    sizes: Callable[[random.Random], Iterator[int]] | None = None
    requests: int = 5000
    whole: float = 0.90
    """Share of the best fixed level's rate that a run of 5,000 requests reaches, its start included."""
    steady: float = 0.95
    """The same over its second half (after a change: its last quarter)."""


def _mixed(rng: random.Random) -> Iterator[int]:
    while True:
        yield SMALL if rng.random() < 0.9 else 8 * MIB


def _chunks(_: random.Random) -> Iterator[int]:
    return repeat(8 * MIB)


SCENES = [
    Scene("peak at 4 (208/s, 118 at 16)", PEAKED, 4),
    Scene("20 ms away, CPU for 400/s", FAR, 24),
    Scene("far, peak at 8 (152/s, 132 at 32)", FAR_PEAKED, 14),
    Scene("link of 10 MB/s shared", NARROW, 10),
    Scene("1 MB/s per connection, 40 in all", PER_CONNECTION, 64),
    Scene("503 above 6", BUSY_ABOVE_6, 6),
    Scene("embedded, 4 ms per PUT", EMBEDDED, 5),
    # So sharp a peak is still being homed in on when the run ends after 14 s.
    Scene("embedded, 4 ms per PUT, 20 ms away", EMBEDDED_FAR, 18, whole=0.88, steady=0.92),
    Scene("chunks: 185 MB/s with 1, 234 with 2", CHUNKS, 2, sizes=_chunks),
    Scene("peak at 4, requests +-30 %", replace(PEAKED, noise=0.3), 4),
    Scene("20 ms away, requests +-30 %", replace(FAR, noise=0.3), 20),
    Scene("peak at 4, weather +-30 %", replace(PEAKED, weather=0.3), 4),
    # The level must be told from the weather of each second, which varies as much.
    Scene("20 ms away, weather +-30 %", replace(FAR, weather=0.3), 32, steady=0.92),
    Scene("1 % errors, 20 ms away", replace(FAR, error_share=0.01), 24),
    # The first errors are taken for a busy server's; a tenth of a second is lost with each.
    Scene("10 % errors, 20 ms away", replace(FAR, error_share=0.1), 20, whole=0.85),
    Scene("small files and chunks mixed", replace(FAR, request_cost_bytes=50 * KIB), 10, sizes=_mixed),
    # A change has to be seen first, and then climbed after.
    Scene("20 ms away, then peak at 4", replace(FAR, later=PEAKED, later_from_s=8.0), 4, whole=0.85),
    Scene("peak at 4, then 20 ms away", replace(PEAKED, later=FAR, later_from_s=10.0), 24, whole=0.85),
]

LEVELS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 32, 40, 48, 64)


@dataclass(frozen=True)
class Compared:
    """The controller against the best fixed level."""

    best: float
    """Requests per second of the best fixed level."""
    whole: float
    steady: float
    last_level: int


def compare(scene: Scene, seed: int = 1) -> Compared:
    """Run the scene by the controller and at the best fixed level; after a change the best is another one."""
    model = scene.model
    ours = run(model, scene.requests, sizes=_sizes(scene, seed), seed=seed)
    if model.later is None:
        best = _fixed_rate(scene, model, scene.best, seed)
        whole, steady = ours.rate(model) / best, ours.rate(model, 0.5) / best
    else:
        best = _fixed_rate(scene, model.later, scene.best, seed)
        before = next(
            each for each in SCENES if each.model == replace(model, later=None, later_from_s=math.inf)
        )
        before_s = min(model.later_from_s, ours.lasted_s)
        possible = _fixed_rate(before, before.model, before.best, seed) * before_s
        possible += best * (ours.lasted_s - before_s)
        whole, steady = ours.rate(model) * ours.lasted_s / possible, ours.rate(model, 0.75) / best
    return Compared(best, whole, steady, ours.levels[-1][1])


def best_of_all(scene: Scene, seed: int = 1) -> tuple[float, int]:
    """Rate and level of the fixed setting that does best of all."""
    model = scene.model.later or scene.model
    rate, level = max((_fixed_rate(scene, model, level, seed), -level) for level in LEVELS)
    return rate, -level


def _fixed_rate(scene: Scene, model: ServerModel, level: int, seed: int) -> float:
    return run(model, scene.requests, permits=level, sizes=_sizes(scene, seed), seed=seed).rate(model)


def _sizes(scene: Scene, seed: int) -> Iterator[int] | None:
    return scene.sizes(random.Random(seed)) if scene.sizes else None
