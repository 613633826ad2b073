"""The settle rule: a file is taken when its size and time have been still for a set time and it opens for reading.

Files are remembered by one number each, made of all that the scan sees of them: a file that changes is another
number. So a folder of a million files costs some megabytes, and a time that lies in the future or jumps harms
nothing: times of files are only compared for being equal.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from uploader.model.files import SourceFile

Marks: TypeAlias = "array[int]"

EXAMPLES = 3
_SIXTY_FOUR_BITS = (1 << 64) - 1


def mark_of(source: SourceFile) -> int:
    """A number for a file as it is now: place, size, time and file number; valid in this process."""
    return hash(source) & _SIXTY_FOUR_BITS


def opens(path: Path) -> bool:
    """Whether the file can be opened for reading; where writers lock their files it cannot while they write."""
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


@dataclass(slots=True)
class _Wave:
    """Files that one scan was the first to see as they are."""

    since_s: float
    """When that scan ended: each of them has been still at least since then."""
    marks: Marks
    is_first: bool
    """They lay there when the watch began."""
    kept: Marks = field(default_factory=lambda: array("Q"))
    """Those of them that the scan under way has met, in the order of meeting."""


class Settling:
    """The files of one folder, scan by scan: `begin`, `see` for every file, `end`; then `offer` what is ripe."""

    def __init__(self, settle_s: float, can_open: Callable[[SourceFile], bool]) -> None:
        self._settle_s, self._can_open = settle_s, can_open
        self._offered: Marks = array("Q")
        self._waves: list[_Wave] = []
        self._is_begun = False
        self._start(0.0)
        self.ripe: Marks = array("Q")
        """Files that the latest scan found settled and that no run was offered yet."""
        self.waiting = 0
        """Files that the latest scan found not settled."""
        self.examples: tuple[str, ...] = ()
        """Some of them."""

    def _start(self, now_s: float) -> None:
        self._now_s = now_s
        self._kept: Marks = array("Q")
        self._fresh: Marks = array("Q")
        self._ripe: Marks = array("Q")
        self._unsettled: list[str] = []
        for wave in self._waves:
            wave.kept = array("Q")

    def begin(self, now_s: float) -> None:
        """A scan begins; one that was not ended counts for nothing."""
        self._start(now_s)

    def see(self, source: SourceFile) -> bool:
        """The scan has met this file; whether it is settled."""
        mark = mark_of(source)
        if _holds(self._offered, mark):
            self._kept.append(mark)
            return True
        wave = next((one for one in self._waves if _holds(one.marks, mark)), None)
        if wave is None:
            self._fresh.append(mark)
        else:
            wave.kept.append(mark)
            is_still = self._now_s - wave.since_s >= self._settle_s
            # What lay there already is not opened one by one: most of it was sent long ago, and the engine sets
            # aside what it cannot read.
            if is_still and (wave.is_first or self._can_open(source)):
                self._ripe.append(mark)
                return True
        if len(self._unsettled) < EXAMPLES:
            self._unsettled.append(source.path)
        return False

    def end(self, now_s: float) -> None:
        """The scan has met every file: what it did not meet is forgotten."""
        self._offered = _sorted(self._kept, self._offered)
        for wave in self._waves:
            wave.marks = _sorted(wave.kept, wave.marks)
        self._waves = [wave for wave in self._waves if wave.marks]
        if self._fresh:
            self._waves.append(_Wave(now_s, array("Q", sorted(self._fresh)), is_first=not self._is_begun))
        self._is_begun = True
        self.ripe = array("Q", sorted(self._ripe))
        self.waiting = sum(len(wave.marks) for wave in self._waves) - len(self.ripe)
        self.examples = tuple(self._unsettled)

    def offer(self) -> None:
        """A run begins: what is ripe is its to take."""
        ripe, self.ripe = self.ripe, array("Q")
        if not ripe:
            return
        self._offered = array("Q", sorted(self._offered + ripe))
        for wave in self._waves:
            wave.marks = array("Q", (mark for mark in wave.marks if not _holds(ripe, mark)))
        self._waves = [wave for wave in self._waves if wave.marks]

    def is_offered(self, source: SourceFile) -> bool:
        """Whether a run may take this file: it is just as it was when it had settled."""
        return _holds(self._offered, mark_of(source))

    def next_s(self, now_s: float) -> float:
        """When a scan may find more files settled than the latest one did; infinite while none waits."""
        times = [wave.since_s + self._settle_s for wave in self._waves]
        # Those whose time is over could not be opened: they are tried again after the same time.
        return min((at_s if at_s > now_s else now_s + self._settle_s for at_s in times), default=float("inf"))


def _holds(marks: Marks, mark: int) -> bool:
    place = bisect_left(marks, mark)
    return place < len(marks) and marks[place] == mark


def _sorted(kept: Marks, before: Marks) -> Marks:
    """The marks that were met again; those of before, which are sorted, when none is missing."""
    return before if len(kept) == len(before) else array("Q", sorted(kept))
