"""Which number of requests at once to try next: hill climbing on measured goodput. No clock, no threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from uploader.engine.pacing.epoch import Measured

PRICE_OF_A_PERMIT = 0.04
"""Twice the requests must bring 2.8 % more (0.04 x ln 2): when equal, fewer win, and noise does not count up."""

_WORTH_DOUBLING = 0.10
_STEPS = (1.5, 1.2)
"""Ratios of the levels that are tried above and below the best one known: far first, then near."""
_DOUBT = 0.5
"""A difference must be more than this share of its likely error, or noise would move the level about."""
_WORTH_KNOWING = 0.03
"""Differences of goodput below this (logarithm) are not worth more trials."""
_CHANGED = 0.2
"""The goodput of a level differs by so much (logarithm) from what it was: the world has changed."""
_LEAST_NOISE = 0.02
_MOST_PAIRS = 6
_FIRST_REST, _LONGEST_REST = 6, 48
"""Epochs without a trial after none was better."""
_CEILING_EPOCHS, _LONGEST_CEILING_EPOCHS = 40, 640
_BUSY = 0.7
"""Below this share of the permits in use the senders were the limit, not the level."""


class _Phase(Enum):
    LEAPING = "leaping"
    TRYING = "trying"
    RESTING = "resting"


@dataclass(slots=True)
class _Level:
    permits: int
    epochs: list[Measured] = field(default_factory=list)
    """The latest ones, oldest first."""

    def mean(self, request_bytes: float, last: int = 0) -> float:
        """Logarithm of the goodput over the last epochs (0: all)."""
        goods = [epoch.log_goodput(request_bytes) for epoch in self.epochs[-last:]]
        return sum(goods) / len(goods)

    def worth(self, request_bytes: float, last: int = 0) -> float:
        """What is to be made as large as possible."""
        return self.mean(request_bytes, last) - PRICE_OF_A_PERMIT * math.log(self.permits)

    def add(self, measured: Measured) -> None:
        self.epochs = [*self.epochs[1 - _MOST_PAIRS :], measured]


class Climb:
    """Told what each epoch measured, says at which level the next one runs.

    Leaps (doubling, or halving after a fall) while that pays; then compares the best level known with others, in
    turns, until the difference stands out from the noise; rests longer and longer while nothing better is found,
    and leaps again when the best level brings something else than it did.
    """

    def __init__(self, *, least: int, most: int, start: int) -> None:
        self._least, self._most = least, most
        self._best = _Level(min(max(start, least), most))
        self._before = 0
        """The level that was the best before this one."""
        self._trial: _Level | None = None
        self._phase = _Phase.LEAPING
        self._is_upward = True
        self._leapt_from = self._best.permits
        self._to_try: list[int] = []
        self._looks_far = True
        self._noise = 0.03
        """How much the logarithm of the goodput of a level varies by itself."""
        self._odd_ones = 0
        self._rest = self._next_rest = _FIRST_REST
        self._ceiling, self._ceiling_left, self._next_ceiling = most, 0, _CEILING_EPOCHS
        self._request_bytes = 0.0

    @property
    def is_leaping(self) -> bool:
        """Whether it is still looking for the order of magnitude."""
        return self._phase is _Phase.LEAPING

    def next(self, measured: Measured, request_bytes: float) -> int:
        """The level of the next epoch, after this one; a request costs as much as so many bytes."""
        self._request_bytes = request_bytes
        self._ceiling_fades()
        if measured.in_flight < _BUSY * measured.permits:
            return self._not_busy(measured)
        if self._phase is _Phase.LEAPING:
            return self._leapt(measured)
        if self._trial is not None and measured.permits == self._trial.permits:
            return self._tried(self._trial, measured)
        return self._best_again(measured)

    def cut(self, permits: int, *, is_proven: bool) -> int:
        """The level after this one drew errors: half of it, or the best known below it.

        `is_proven`: some requests succeeded. Then, or where fewer did well, it is the number that was too high, and
        it is not tried for a while.
        """
        is_better_below = bool(self._best.epochs) and self._best.permits < permits
        if is_proven or is_better_below:
            self._ceiling = max(self._least, permits - 1)
            self._ceiling_left = self._next_ceiling
            self._next_ceiling = min(2 * self._next_ceiling, _LONGEST_CEILING_EPOCHS)
        self._trial = None
        if is_better_below:
            return self._settle()
        return self._leap_from(max(self._least, permits // 2))

    def go_on(self, permits: int) -> int:
        """Errors come at any level: forget what was concluded from them."""
        self._ceiling, self._ceiling_left = self._most, 0
        return self._leap_from(permits)

    # leaping ----------------------------------------------------------------------------------

    def _leap_from(self, permits: int, *, is_upward: bool = True) -> int:
        self._best, self._trial = _Level(permits), None
        self._leapt_from, self._is_upward = permits, is_upward
        self._phase, self._odd_ones, self._before = _Phase.LEAPING, 0, 0
        return permits

    def _leapt(self, measured: Measured) -> int:
        now = _Level(measured.permits, [measured])
        if self._best.epochs:
            gain = self._mean(now) - self._mean(self._best)
            is_better = self._worth(now) > self._worth(self._best)
            if is_better:
                self._best = now
            # Upward each leap costs the server twice as much: it has to pay.
            pays = gain > math.log(1 + _WORTH_DOUBLING) if self._is_upward else is_better
            if not pays:
                return self._landed(now)
        else:
            self._best = now
        return self._further(now.permits)

    def _further(self, permits: int) -> int:
        further = 2 * permits if self._is_upward else permits // 2
        further = min(max(further, self._least), self._highest)
        if further == permits and not self._is_upward and permits == self._leapt_from:
            self._is_upward = True
            return self._further(permits)
        return further if further != permits else self._settle()

    def _landed(self, last: _Level) -> int:
        if not self._is_upward and self._best.permits == self._leapt_from:
            # It brings less than it did, and half of it less still.
            self._is_upward = True
            return self._further(self._best.permits)
        # A last leap that hardly paid went too far; one that failed may have leapt over the best.
        self._is_upward = self._best is not last
        return self._settle()

    def _settle(self) -> int:
        self._phase = _Phase.TRYING
        self._next_rest = _FIRST_REST
        self._to_try = self._neighbours(upward_first=self._is_upward)
        return self._best.permits

    # trying -----------------------------------------------------------------------------------

    @property
    def _highest(self) -> int:
        return min(self._most, self._ceiling)

    def _mean(self, level: _Level, last: int = 0) -> float:
        return level.mean(self._request_bytes, last)

    def _worth(self, level: _Level, last: int = 0) -> float:
        return level.worth(self._request_bytes, last)

    def _neighbours(self, *, upward_first: bool, steps: Sequence[float] = _STEPS) -> list[int]:
        here = self._best.permits
        wanted: list[int] = []
        for step in steps:
            pair = [max(here + 1, round(here * step)), min(here - 1, round(here / step))]
            wanted += pair if upward_first else pair[::-1]
        allowed = (min(max(each, self._least), self._highest) for each in wanted)
        return [each for each in dict.fromkeys(allowed) if each != here]

    def _best_again(self, measured: Measured) -> int:
        if self._is_odd(measured):
            return self._odd_again(measured)
        self._best.add(measured)
        if self._trial is not None:
            return self._trial.permits
        if self._phase is _Phase.RESTING:
            self._rest -= 1
            if self._rest > 0:
                return self._best.permits
            self._phase, self._is_upward = _Phase.TRYING, not self._is_upward
            # Far ones were found worse not long ago: every other time the near ones will do.
            self._looks_far = not self._looks_far
            steps = _STEPS if self._looks_far else _STEPS[-1:]
            self._to_try = self._neighbours(upward_first=self._is_upward, steps=steps)
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

    def _tried(self, trial: _Level, measured: Measured) -> int:
        trial.add(measured)
        tries = len(trial.epochs)
        # The latest ones of the best, as many: both lived through the same time.
        compared = min(tries, len(self._best.epochs))
        gain = self._mean(trial) - self._mean(self._best, compared)
        if gain > _CHANGED + max(0.0, math.log(trial.permits / self._best.permits)):
            # More than a trial can bring: the world became better meanwhile, or this one is far too high.
            return self._leap_from(trial.permits, is_upward=trial.permits > self._best.permits)
        difference = self._worth(trial) - self._worth(self._best, compared)
        error = self._noise * math.sqrt(1 / tries + 1 / compared)
        if abs(difference) < 2 * error and tries < self._pairs_worth_it():
            return self._best.permits
        self._trial = None
        if difference <= _DOUBT * error:
            return self._best.permits
        self._is_upward = trial.permits > self._best.permits
        is_back = trial.permits == self._before
        self._before, self._best = self._best.permits, trial
        if is_back:
            # Once this one was better, once the other: they are the same, and there is nothing to be found here.
            self._to_try = []
        else:
            self._next_rest = _FIRST_REST
            self._to_try = self._neighbours(upward_first=self._is_upward)
        return self._next_trial()

    def _pairs_worth_it(self) -> int:
        return max(2, min(_MOST_PAIRS, math.ceil((self._noise / _WORTH_KNOWING) ** 2)))

    # a world that changes ---------------------------------------------------------------------

    def _is_odd(self, measured: Measured) -> bool:
        if not self._best.epochs:
            return False
        off = measured.log_goodput(self._request_bytes) - self._mean(self._best)
        if abs(off) > max(_CHANGED, 4 * self._noise):
            return True
        self._odd_ones = 0
        # A first sign of change must not pass for noise, or the next signs would be within the noise.
        off = min(abs(off), 2.5 * self._noise)
        squared = off * off * len(self._best.epochs) / (len(self._best.epochs) + 1)
        self._noise = max(_LEAST_NOISE, math.sqrt(0.85 * self._noise**2 + 0.15 * squared))
        return False

    def _odd_again(self, measured: Measured) -> int:
        self._odd_ones += 1
        if self._odd_ones < 2:
            return self._best.permits
        is_up = measured.log_goodput(self._request_bytes) > self._mean(self._best)
        return self._leap_from(self._best.permits, is_upward=is_up)

    def _not_busy(self, measured: Measured) -> int:
        if self._phase is _Phase.LEAPING and self._best.epochs:
            return self._settle()
        self._trial = None
        return min(self._best.permits, measured.permits)

    def _ceiling_fades(self) -> None:
        if self._ceiling_left:
            self._ceiling_left -= 1
            if not self._ceiling_left:
                self._ceiling = self._most
