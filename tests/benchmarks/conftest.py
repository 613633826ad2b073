"""Servers, trees and the page that `make bench` writes."""

from __future__ import annotations

import datetime as dt
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from peer_environment import Peer, peer_bin
from race import Course, machine

from uploader.embedded.lifecycle import ensure_running, stop

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
PAIRS = int(os.environ.get("NANOFERRY_BENCH_PAIRS", "5"))


@dataclass
class Findings:
    """Sections of the page, by their number."""

    sections: dict[int, str] = field(default_factory=dict)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def page(self) -> str:
        """The whole page."""
        today = dt.datetime.now(dt.UTC).date().isoformat()
        return "\n".join(
            [
                _HEAD.format(
                    date=today, machine=machine(), before=self.load_before, after=os.getloadavg()[0]
                ),
                *(self.sections[n] for n in sorted(self.sections)),
            ]
        )


@pytest.fixture(scope="session")
def findings() -> Iterator[Findings]:
    """What the benchmarks of this session found; written to docs/benchmarks.md at its end, when all of them ran."""
    found = Findings()
    yield found
    if len(found.sections) == 3:
        PAGE.write_text(found.page(), "utf-8")


@pytest.fixture(scope="session")
def pairs() -> range:
    """Numbers of the pairs to run."""
    return range(1, PAIRS + 1)


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Callable[[int, int], Course]]:
    """A course over a tree of so many files of so many bytes; its server is a process of its own."""
    data = tmp_path / "server"
    data.mkdir()
    home = tmp_path / "home"
    home.mkdir()

    def make(files: int, size_bytes: int) -> Course:
        tree = tmp_path / "tree"
        noise = random.Random(1)
        for number in range(files):
            file = tree / f"part {number // 100}" / f"file_{number:04d}.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as stream:
                for start in range(0, size_bytes, 1 << 24):
                    stream.write(noise.randbytes(min(1 << 24, size_bytes - start)))
        endpoint = ensure_running(data)
        return Course(endpoint, Peer(peer_bin(), home), tree, tmp_path)

    yield make
    stop(data)


_HEAD = """# Benchmarks

Written by `make bench` on {date}. Machine: {machine}. Load average before {before:.1f}, at the end {after:.1f}.

Ours (`nanoferry upload`) and the reference client (`deriva-upload-cli`) carry the same tree with the same bulk-upload
document into the same embedded server, in turn: ours, theirs, ours, theirs, … Every run has a new table and new object
names, ours a new journal too. Times are those of whole processes, from start to exit, start of the interpreter included;
memory is the peak of the largest process of a client. Figures are medians, in brackets the least and the most; a ratio is
taken pair by pair, so that a machine that is slow for a while slows both. Files are in the page cache; names hold the
MD5, so both clients read a file to hash it before they send it. `NANOFERRY_BENCH_PAIRS` sets the number of pairs.
"""
