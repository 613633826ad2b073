"""Which number of requests at once to try next: hill climbing on measured goodput. No clock, no threads."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from uploader.engine.pacing.epoch import Measured

PRICE_OF_A_PERMIT = 0.04
"""Twice the requests must bring 2.8 % more (0.04 x ln 2): when equal, fewer win, and noise does not count up."""

_WORTH_DOUBLING = 0.10
_STEPS = (1.5, 1.2)
"""Ratios of the levels that are tried above and below the best one known: far first, then near."""
_CHANGED = 0.3
"""The goodput of a level differs by so much (logarithm) from what it was: the world has changed."""
_LEAST_NOISE = 0.02
_MOST_PAIRS = 6
_FIRST_REST, _LONGEST_REST = 2, 24
"""Epochs without a trial after none was better."""
_CEILING_EPOCHS, _LONGEST_CEILING_EPOCHS = 40, 640
_BUSY = 0.7
"""Below this share of the permits in use the senders were the limit, not the level."""


class _Phase(Enum):
    DOUBLING = "doubling"
    TRYING = "trying"
    RESTING = "resting"


@dataclass(slots=True)
class _Level:
    permits: int
    goods: list[float] = field(default_factory=list)
    """Logarithm of the goodput of each epoch, oldest first."""

    @property
    def mean(self) -> float:
        return sum(self.goods) / len(self.goods)

    @property
    def worth(self) -> float:
        """What is to be made as large as possible."""
        return self.mean - PRICE_OF_A_PERMIT * math.log(self.permits)

    def add(self, good: float) -> None:
        self.goods = [*self.goods[1 - _MOST_PAIRS :], good]


class Climb:
    """Told what each epoch measured, says at which level the next one runs.

    Doubles while that pays; then compares the best level known with others, in turns, until the difference stands
    out from the noise; rests longer and longer while nothing better is found, and begins anew when the best level
    brings something else than it did.
    """

    def __init__(self, *, least: int, most: int, start: int) -> None:
        self._least, self._most = least, most
        self._best = _Level(min(max(start, least), most))
        self._trial: _Level | None = None
        self._phase = _Phase.DOUBLING
        self._to_try: list[int] = []
        self._noise = 0.05
        self._odd_ones = 0
        self._rest = self._next_rest = _FIRST_REST
        self._ceiling, self._ceiling_left, self._next_ceiling = most, 0, _CEILING_EPOCHS

    @property
    def is_doubling(self) -> bool:
        """Whether it is still looking for the order of magnitude."""
        return self._phase is _Phase.DOUBLING

    def next(self, measured: Measured, request_bytes: float) -> int:
        """The level of the next epoch, after this one."""
        self._lower_ceiling_fades()
        good = math.log(max(measured.goodput(request_bytes), 1.0))
        if measured.in_flight < _BUSY * measured.permits:
            return self._not_busy(measured)
        if self._phase is _Phase.DOUBLING:
            return self._doubled(measured.permits, good)
        if self._trial is not None and measured.permits == self._trial.permits:
            return self._tried(self._trial, good)
        return self._best_again(good)

    def cut(self, permits: int) -> int:
        """The level after this one drew errors: half of it, or the best known below it."""
        self._ceiling = max(self._least, permits - 1)
        self._ceiling_left = self._next_ceiling
        self._next_ceiling = min(2 * self._next_ceiling, _LONGEST_CEILING_EPOCHS)
        self._trial = None
        if self._best.goods and self._best.permits < permits:
            return self._settle()
        return self._begin_at(max(self._least, permits // 2))

    # doubling ---------------------------------------------------------------------------------

    def _begin_at(self, permits: int) -> int:
        self._best, self._trial = _Level(permits), None
        self._phase, self._odd_ones = _Phase.DOUBLING, 0
        return permits

    def _doubled(self, permits: int, good: float) -> int:
        if not self._best.goods:
            self._best = _Level(permits, [good])
        else:
            now = _Level(permits, [good])
            pays = good - self._best.mean > math.log(1 + _WORTH_DOUBLING)
            if now.worth > self._best.worth:
                self._best = now
            if not pays:
                return self._settle()
        higher = min(2 * permits, self._highest)
        return higher if higher > permits else self._settle()

    def _settle(self) -> int:
        self._phase = _Phase.TRYING
        self._next_rest = _FIRST_REST
        self._to_try = self._neighbours()
        return self._best.permits

    # trying -----------------------------------------------------------------------------------

    @property
    def _highest(self) -> int:
        return min(self._most, self._ceiling)

    def _neighbours(self, *, upward_first: bool = True) -> list[int]:
        here = self._best.permits
        wanted: list[int] = []
        for step in _STEPS:
            pair = [max(here + 1, round(here * step)), min(here - 1, round(here / step))]
            wanted += pair if upward_first else pair[::-1]
        allowed = (min(max(each, self._least), self._highest) for each in wanted)
        return [each for each in dict.fromkeys(allowed) if each != here]

    def _best_again(self, good: float) -> int:
        if self._has_changed(good):
            return self._start_over()
        self._best.add(good)
        if self._trial is not None:
            return self._trial.permits
        if self._phase is _Phase.RESTING:
            self._rest -= 1
            if self._rest > 0:
                return self._best.permits
            self._phase, self._to_try = _Phase.TRYING, self._neighbours()
        return self._next_trial()

    def _next_trial(self) -> int:
        while self._to_try:
            permits = self._to_try.pop(0)
            if permits <= self._highest:
                self._trial = _Level(permits)
                return permits
        self._phase, self._rest = _Phase.RESTING, self._next_rest
        self._next_rest = min(2 * self._next_rest, _LONGEST_REST)
        return self._best.permits

    def _tried(self, trial: _Level, good: float) -> int:
        trial.add(good)
        tries = len(trial.goods)
        recent = _Level(self._best.permits, self._best.goods[-tries:])
        difference = trial.worth - recent.worth
        error = self._noise * math.sqrt(1 / tries + 1 / max(1, len(recent.goods)))
        if abs(difference) < 2 * error and tries < self._pairs_worth_it():
            return self._best.permits
        self._trial = None
        if difference <= 0:
            return self._best.permits
        is_up = trial.permits > self._best.permits
        self._best, self._next_rest = trial, _FIRST_REST
        self._to_try = self._neighbours(upward_first=is_up)
        return self._next_trial()

    def _pairs_worth_it(self) -> int:
        return max(2, min(_MOST_PAIRS, math.ceil((self._noise / 0.03) ** 2)))

    # a world that changes ---------------------------------------------------------------------

    def _has_changed(self, good: float) -> bool:
        if not self._best.goods:
            return False
        off = good - self._best.mean
        if abs(off) > max(_CHANGED, 3 * self._noise):
            self._odd_ones += 1
            return self._odd_ones >= 2
        self._odd_ones = 0
        squared = off * off * len(self._best.goods) / (len(self._best.goods) + 1)
        self._noise = max(_LEAST_NOISE, math.sqrt(0.85 * self._noise**2 + 0.15 * squared))
        return False

    def _start_over(self) -> int:
        return self._begin_at(self._best.permits)

    def _not_busy(self, measured: Measured) -> int:
        if self._phase is _Phase.DOUBLING and self._best.goods:
            return self._settle()
        self._trial = None
        return min(self._best.permits, measured.permits)

    def _lower_ceiling_fades(self) -> None:
        if self._ceiling_left:
            self._ceiling_left -= 1
            if not self._ceiling_left:
                self._ceiling = self._most
