"""Servers, trees and the page that `make bench` writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ground import Ground
from page import PAIRS, QUICK, Findings, show
from peer_environment import Peer, peer_bin
from race import Course

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
SECTIONS = 9


@pytest.fixture(scope="session")
def bench_dir() -> Iterator[Path]:
    """Where servers, journals and trees lie."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("NANOFERRY_BENCH_DIR")) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def findings(bench_dir: Path) -> Iterator[Findings]:
    """What the benchmarks of this session found; written to docs/benchmarks.md at its end, when all of them ran."""
    found = Findings(file_system=_file_system(bench_dir))
    yield found
    if len(found.sections) == SECTIONS and not QUICK:
        PAGE.write_text(found.page(), "utf-8")
    else:
        show(found.page())


@pytest.fixture(scope="session")
def pairs() -> range:
    """Numbers of the pairs to run."""
    return range(1, PAIRS + 1)


@pytest.fixture
def ground(bench_dir: Path) -> Iterator[Ground]:
    """A folder of this test alone: trees of gigabytes must not wait for the end of the session."""
    scratch = Path(tempfile.mkdtemp(dir=bench_dir))
    yield Ground(scratch)
    shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture
def course(ground: Ground) -> Iterator[Callable[[int, int], Course]]:
    """A course over a tree of so many files of so many bytes; its server is a process of its own."""
    home = ground.fresh("home")
    home.mkdir()
    with ground.server() as server:

        def make(files: int, size_bytes: int) -> Course:
            return Course(server, Peer(peer_bin(), home), ground.tree(files, size_bytes), ground.scratch)

        yield make


def _file_system(folder: Path) -> str:
    """The kind of file system a folder lies on."""
    told = subprocess.run(
        ["stat", "--file-system", "--format=%T", str(folder)], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "an unknown file system"
