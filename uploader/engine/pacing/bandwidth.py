"""The limit a person sets on what the wire carries: shared by all threads, changed at any moment."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from uploader.engine.pacing.gate import never
from uploader.model.errors import Cancelled, SettingsError
from uploader.model.ports import Clock

UNLIMITED = 0
LEAST_BYTES_PER_S = 1000
"""A lower limit is a slip of the keyboard: a file of 1 MB would take a quarter of an hour."""

_SAVED_UP_S = 0.1
"""So much of the limit may be caught up with after a pause of the senders (the round trip between two files)."""
_NOT_WORTH_A_WAIT_S = 0.002
_LOOK_AGAIN_S = 0.2

_WORDS_FOR_NONE = ("full", "off", "none", "unlimited")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)(?:\s*/\s*s(?:ec)?)?")
_BYTES_PER_UNIT = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "kbit": 125,
    "Mbit": 125_000,
    "Gbit": 125_000_000,
    "kbps": 125,
    "Mbps": 125_000,
    "Gbps": 125_000_000,
}
_UNIT_BY_LETTERS = {unit.lower(): unit for unit in _BYTES_PER_UNIT}


class Bandwidth:
    """Lets bytes pass at a limited rate, in the order in which they were asked for.

    Every `take` has a place in the stream of bytes and goes on when the limit has let that much of it pass.
    A thread that waits knows when that is and wakes by itself, so threads do not wake each other.
    """

    def __init__(self, clock: Clock, limit_bytes_per_s: int = UNLIMITED) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._limit_bytes_per_s = limit_bytes_per_s
        self._asked_bytes = 0.0
        """The end of the stream that was asked for."""
        self._passed_bytes = 0.0
        """How far the limit had let the stream pass at `_as_of_s`."""
        self._as_of_s = clock.monotonic()
        self._is_stopped = False

    @property
    def limit_bytes_per_s(self) -> int:
        """The limit in force; 0: none."""
        return self._limit_bytes_per_s

    def set_limit(self, limit_bytes_per_s: int) -> None:
        """Change the limit (0: none); threads that wait go by the new one at once."""
        with self._changed:
            if limit_bytes_per_s == self._limit_bytes_per_s:
                return
            self._advance()
            if self._limit_bytes_per_s == UNLIMITED:
                self._passed_bytes = self._asked_bytes
            self._limit_bytes_per_s = limit_bytes_per_s
            self._changed.notify_all()

    def stop(self) -> None:
        """Whoever waits, or would have to, is told Cancelled; what need not wait may end."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def take(self, size_bytes: int, stop: Callable[[], bool] = never) -> None:
        """Wait until so many bytes may be sent. Raises Cancelled when stopped before that."""
        if self._limit_bytes_per_s == UNLIMITED:
            return
        with self._changed:
            self._advance()
            self._asked_bytes += size_bytes
            place_bytes = self._asked_bytes
            while (wait_s := self._wait_s(place_bytes)) > _NOT_WORTH_A_WAIT_S:
                if self._is_stopped or stop():
                    raise _stopped()
                self._changed.wait(min(wait_s, _LOOK_AGAIN_S))

    def _wait_s(self, place_bytes: float) -> float:
        self._advance()
        if self._limit_bytes_per_s == UNLIMITED:
            return 0.0
        return (place_bytes - self._passed_bytes) / self._limit_bytes_per_s

    def _advance(self) -> None:
        now_s = self._clock.monotonic()
        passed = self._passed_bytes + (now_s - self._as_of_s) * self._limit_bytes_per_s
        # What nobody asked for is not saved up, or a quiet hour would be followed by a burst.
        self._passed_bytes = min(passed, self._asked_bytes + _SAVED_UP_S * self._limit_bytes_per_s)
        self._as_of_s = now_s


def lower_limit(*limits_bytes_per_s: int) -> int:
    """The lowest of some limits, where 0 is none."""
    return min((limit for limit in limits_bytes_per_s if limit != UNLIMITED), default=UNLIMITED)


def parse_rate(text: str) -> int:
    """Bytes per second of `20MB/s`, `2.5 MiB/s`, `100Mbit/s`; 0 for `full`, `off`, `none`, `unlimited`.

    Raises SettingsError for anything else.
    """
    wanted = text.strip()
    if wanted.lower() in _WORDS_FOR_NONE:
        return UNLIMITED
    match = _RATE.fullmatch(wanted)
    if match is None:
        raise _no_rate(text, f"{text!r} is not a rate.")
    unit = _unit(text, match[2])
    rate = round(float(match[1]) * _BYTES_PER_UNIT[unit])
    if rate < LEAST_BYTES_PER_S:
        raise _no_rate(text, f"A limit of {text!r} is below 1 kB/s; nothing would ever arrive.")
    return rate


def _unit(text: str, written: str) -> str:
    letters = written.lower()
    if letters.endswith("b") and not written.endswith("B"):
        raise _no_rate(text, f"{text!r} may mean bytes or bits.")
    unit = _UNIT_BY_LETTERS.get(letters)
    if unit is None:
        raise _no_rate(text, f"{written!r} is not a unit of a rate.")
    return unit


def _no_rate(text: str, summary: str) -> SettingsError:
    digits = re.match(r"\s*(\d+(?:\.\d+)?)", text)
    number = digits[1] if digits and float(digits[1]) else "20"
    return SettingsError(
        summary,
        detail="The limit was not changed.",
        remedy=f"Write for example {number}MB/s, {number}MiB/s, {number}Mbit/s, or `full` for no limit.",
    )


def _stopped() -> Cancelled:
    return Cancelled("Stopped.", detail="Everything acknowledged is kept.", remedy="Run again to go on.")
