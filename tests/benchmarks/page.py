"""What the benchmarks found, and the page they write. Whether a goal is met is worked out here, from the figures alone."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from race import machine

PAIRS = int(os.environ.get("NANOFERRY_BENCH_PAIRS", "5"))
QUICK = os.environ.get("NANOFERRY_BENCH_QUICK", "") == "1"
"""A fifth of the files and no very large one: for development, the page is printed and not kept."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure, what it should be, and the unit of both."""

    words: str
    found: float
    least: float | None = None
    most: float | None = None
    unit: str = ""
    digits: int = 2

    @property
    def is_met(self) -> bool:
        """Whether the figure lies where it should."""
        return (self.least is None or self.found >= self.least) and (
            self.most is None or self.found <= self.most
        )

    def row(self) -> str:
        """A row of the table of goals."""
        bounds = [
            f"{word} {bound:.{self.digits}f}{self.unit}"
            for word, bound in (("at least", self.least), ("at most", self.most))
            if bound is not None
        ]
        verdict = "met" if self.is_met else "**missed**"
        return (
            f"| {self.words} | {' and '.join(bounds)} | {self.found:.{self.digits}f}{self.unit} | {verdict} |"
        )


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    title: str
    goals: tuple[Goal, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: str = ""

    def text(self) -> str:
        """The section as Markdown."""
        lines = [f"## {self.title}", ""]
        lines += [_row(self.head), "|---" * len(self.head) + "|", *map(_row, self.rows), ""]
        return "\n".join([*lines, *([self.notes, ""] if self.notes else [])])


@dataclass
class Findings:
    """Sections of the page, by their number."""

    sections: dict[int, Section] = field(default_factory=dict)
    file_system: str = ""
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def add(self, number: int, section: Section) -> None:
        """Keep a section, and show it now."""
        self.sections[number] = section
        show(section.text() + "\n".join(goal.row() for goal in section.goals))

    def page(self) -> str:
        """The whole page."""
        sections = [self.sections[number] for number in sorted(self.sections)]
        goals = [goal for section in sections for goal in section.goals]
        head = HEAD.format(
            date=dt.datetime.now(dt.UTC).date().isoformat(),
            machine=machine(),
            before=self.load_before,
            after=os.getloadavg()[0],
            file_system=self.file_system,
            pairs=PAIRS,
            met=sum(goal.is_met for goal in goals),
            of=len(goals),
        )
        table = ["| figure | goal | found | |", "|---|---|---|---|", *(goal.row() for goal in goals), ""]
        return "\n".join([head, *table, *(section.text() for section in sections)])


def show(text: str) -> None:
    """Show a part of the page while the benchmarks run."""
    sys.stdout.write(f"\n{text}\n")


def spread(values: Sequence[float], unit: str, *, digits: int = 2) -> str:
    """`median unit (least–most)`."""
    middle = f"{median(values):.{digits}f}{unit and f' {unit}'}"
    return f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})" if len(values) > 1 else middle


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


HEAD = """# Benchmarks

Written by `make bench` on {date}; {met} of {of} goals are met. Machine: {machine}. Folders of the servers lay on {file_system}.
Load average before {before:.1f}, at the end {after:.1f}.

Every run has a server of its own over an empty folder, in a process of its own, which takes {extra} ms more for each PUT of an
object or chunk (it sleeps: a real server takes that much longer than ours). Every run of ours has a new journal. Files are in
the page cache, made of noise, and have no previews. Where a round trip is named, the bytes pass a line of our own that
delivers each of them half of it later, both ways (`tests/benchmarks/far_line.py`).

*The limit* is a load generator on the same HTTP stack (`uploader.remote.http`), in a process of its own, that does nothing but
PUT the same bytes, which lie in its memory with their MD5s, to such a server: no hashing, no rows, no journal, no namespaces.
It is tried with several numbers of threads and the best of them is the limit. *The ferry* is `nanoferry upload`, timed by its
events from the first file taken up to the last one whose row is acknowledged; the time of the whole process, start of the
interpreter, survey and receipt included, stands beside it. *The peer* is `deriva-upload-cli`.

Limit and ferry (ferry and peer) run in turn, in {pairs} pairs; figures are medians, in brackets the least and the most; a
ratio is taken pair by pair, so that a machine that is slow for a while slows both. `NANOFERRY_BENCH_PAIRS` sets the number
of pairs, `NANOFERRY_BENCH_DIR` the folder, `NANOFERRY_BENCH_QUICK=1` makes a short run that leaves this page alone.

## Goals
""".replace("{extra}", "4")
