"""What carrying costs, in parts: each the difference between a run and one of twice the size, so that starts drop out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from ground import Ferried, Ground, Server, dataset_spec, deriva_spec
from page import QUICK, show
from requests_seen import COUNTS

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3000)]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
FILES, SMALL_BYTES = 500 if QUICK else 2000, 200 * KIB
MANY_FILES = 2000 if QUICK else 20_000
"""Of 1 KiB each: for what grows with the number of files alone."""
LARGE_BYTES = GIB // 2
PAGE = Path(__file__).parents[2] / "docs" / "cost-model.md"
BEGIN, END = "<!-- measured: written by `make bench` -->", "<!-- end of what was measured -->"
SECONDS_PER_HOUR = 3600
LINE_BYTES_PER_S = 10**9 / 8
LARGE_TOTAL_BYTES, LARGE_FILE_BYTES = 100 * 10**12, GIB
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Spent:
    """What one run took."""

    requests: Counter[str]
    run: Ferried
    counted: Ferried
    """The same again with the journal's transactions counted, which costs time."""

    def less(self, other: Spent) -> Parts:
        """What this one took more than the other."""
        kinds = {kind: self.requests[kind] - other.requests[kind] for kind in self.requests}
        return Parts(
            requests={kind: number for kind, number in sorted(kinds.items()) if number},
            cpu_s=self.run.cpu_s - other.run.cpu_s,
            ferry_s=self.run.ferry_s - other.run.ferry_s,
            read_bytes=self.run.read_bytes - other.run.read_bytes,
            journal_writes=self.counted.journal_writes - other.counted.journal_writes,
            journal_bytes=self.run.journal_bytes - other.run.journal_bytes,
            peak_bytes=self.run.peak_bytes - other.run.peak_bytes,
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """What an amount of data costs, without any start."""

    requests: dict[str, int]
    cpu_s: float
    ferry_s: float
    read_bytes: int
    journal_writes: int
    journal_bytes: int
    peak_bytes: int


def test_the_parts_of_the_cost(ground: Ground) -> None:
    small = [ground.tree(files, SMALL_BYTES) for files in (FILES, 2 * FILES)]
    free = _difference(ground, small, holds_md5=False)
    named = _difference(ground, small, holds_md5=True)
    ours = _difference(ground, small, holds_md5=None)
    large = [ground.tree(1, size_bytes) for size_bytes in (LARGE_BYTES, 2 * LARGE_BYTES)]
    chunked = _difference(ground, large, holds_md5=False)
    chunked_md5 = _difference(ground, large, holds_md5=True)
    many = [ground.tree(files, 64 * MIB) for files in (2, 4)]
    per_large = _difference(ground, many, holds_md5=False)
    crowd = [ground.tree(files, KIB) for files in (MANY_FILES, 2 * MANY_FILES)]
    counted = _difference(ground, crowd, holds_md5=None)
    text = _page(free, named, ours, chunked, chunked_md5, per_large, counted)
    show(text)
    assert sum(free.requests.values()) < 1.2 * FILES, "a small file is one request, its row a part of one"
    if not QUICK:
        old = PAGE.read_text("utf-8")
        before, _, rest = old.partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}", "utf-8")


def _difference(ground: Ground, trees: list[Path], *, holds_md5: bool | None) -> Parts:
    one, two = (_spent(ground, tree, holds_md5=holds_md5) for tree in trees)
    return two.less(one)


def _spent(ground: Ground, tree: Path, *, holds_md5: bool | None) -> Spent:
    with ground.server() as server:
        spec = _spec(ground, server, holds_md5=holds_md5)
        server.ask("GET", COUNTS)
        run = ground.ferry(server, tree, spec)
        requests = Counter(server.ask("GET", COUNTS).json())
    with ground.server() as server:
        counted = ground.ferry(server, tree, _spec(ground, server, holds_md5=holds_md5), counts=True)
    return Spent(requests, run, counted)


def _spec(ground: Ground, server: Server, *, holds_md5: bool | None) -> Path:
    if holds_md5 is None:
        return dataset_spec(server, ground.fresh("spec"))
    return deriva_spec(server, ground.fresh("spec"), holds_md5=holds_md5)


def _page(
    free: Parts,
    named: Parts,
    ours: Parts,
    chunked: Parts,
    chunked_md5: Parts,
    per_large: Parts,
    crowd: Parts,
) -> str:
    size = f"{SMALL_BYTES // KIB} KiB"
    lines = [
        f"### {FILES:,} more files of {size}, each part per file",
        "",
        "| | name without a hash | name with the MD5 | spec of ours, one dataset |",
        "|---|---|---|---|",
        _row("requests", [_requests(part.requests, FILES) for part in (free, named, ours)]),
        *_common((free, named, ours), FILES, SMALL_BYTES * FILES),
        "",
        f"### {LARGE_BYTES // MIB} MiB more in one file",
        "",
        "| | name without a hash | name with the MD5 |",
        "|---|---|---|",
        _row("requests", [_requests(part.requests, 1) for part in (chunked, chunked_md5)]),
        _row(
            "journal transactions per chunk",
            [
                f"{part.journal_writes / max(part.requests.get('PUT chunk', 1), 1):.2f}"
                for part in (chunked, chunked_md5)
            ],
        ),
        *_common((chunked, chunked_md5), 1, LARGE_BYTES),
        "",
        "### Two more files of 64 MiB, each part per file",
        "",
        "| | name without a hash |",
        "|---|---|",
        _row("requests", [_requests(per_large.requests, 2)]),
        _row("journal transactions", [f"{per_large.journal_writes / 2:.1f}"]),
        "",
        f"### {MANY_FILES:,} more files of 1 KiB in one dataset, each part per file",
        "",
        "| | spec of ours |",
        "|---|---|",
        _row("memory, bytes", [f"{crowd.peak_bytes / MANY_FILES:,.0f}"]),
        _row("journal, bytes", [f"{crowd.journal_bytes / MANY_FILES:,.0f}"]),
        _row("processor time of the client, ms", [f"{crowd.cpu_s * 1e3 / MANY_FILES:.2f}"]),
        "",
        "### By arithmetic from these parts",
        "",
        *_arithmetic(free, chunked, per_large, crowd),
        "",
    ]
    return "\n".join(lines)


def _common(parts: tuple[Parts, ...], files: int, sent_bytes: int) -> list[str]:
    gigabytes = sent_bytes / 1e9
    return [
        _row("bytes read per byte sent", [f"{part.read_bytes / sent_bytes:.3f}" for part in parts]),
        _row("journal transactions", [f"{part.journal_writes / files:.3f}" for part in parts]),
        _row("journal, bytes", [f"{part.journal_bytes / files:,.0f}" for part in parts]),
        _row("processor time of the client, ms", [f"{part.cpu_s * 1e3 / files:.2f}" for part in parts]),
        _row("processor time of the client, s per GB", [f"{part.cpu_s / gigabytes:.2f}" for part in parts]),
    ]


def _arithmetic(free: Parts, chunked: Parts, per_large: Parts, crowd: Parts) -> list[str]:
    """A million small files, and 100 TB in files of 1 GiB."""
    small_cpu_h = free.cpu_s / FILES * MILLION / SECONDS_PER_HOUR
    small_h = free.ferry_s / FILES * MILLION / SECONDS_PER_HOUR
    small_line_h = MILLION * SMALL_BYTES / LINE_BYTES_PER_S / SECONDS_PER_HOUR
    journal_gb = crowd.journal_bytes / MANY_FILES * MILLION / 1e9
    requests = sum(free.requests.values()) / FILES * MILLION
    files = LARGE_TOTAL_BYTES / LARGE_FILE_BYTES
    chunks = chunked.requests.get("PUT chunk", 0) / LARGE_BYTES * LARGE_TOTAL_BYTES
    fixed = {kind: number / 2 for kind, number in per_large.requests.items() if kind != "PUT chunk"}
    large_requests = chunks + files * sum(fixed.values())
    large_cpu_h = chunked.cpu_s / LARGE_BYTES * LARGE_TOTAL_BYTES / SECONDS_PER_HOUR
    large_h = chunked.ferry_s / LARGE_BYTES * LARGE_TOTAL_BYTES / SECONDS_PER_HOUR
    large_line_h = LARGE_TOTAL_BYTES / LINE_BYTES_PER_S / SECONDS_PER_HOUR
    large_journal_mb = crowd.journal_bytes / MANY_FILES * files / 1e6
    memory_mb = crowd.peak_bytes / MANY_FILES * MILLION / 1e6
    return [
        "| | 1,000,000 files of 200 KiB (0.2 TB) | 100 TB in files of 1 GiB |",
        "|---|---|---|",
        _row("requests", [f"{requests:,.0f}", f"{large_requests:,.0f}, of them {chunks:,.0f} chunks"]),
        _row("processor hours of the client", [f"{small_cpu_h:.1f}", f"{large_cpu_h:.0f}"]),
        _row("hours at the rate measured here", [f"{small_h:.1f}", f"{large_h:.0f}"]),
        _row("hours on a line of 1 Gbit/s, if it is full", [f"{small_line_h:.1f}", f"{large_line_h:.0f}"]),
        _row("journal", [f"{journal_gb:.2f} GB", f"{large_journal_mb:.0f} MB"]),
        _row(
            "memory that grows with the files",
            [f"{memory_mb:,.0f} MB", f"{crowd.peak_bytes / MANY_FILES * files / 1e6:,.0f} MB"],
        ),
    ]


def _requests(found: dict[str, int], files: int) -> str:
    total = sum(found.values()) / files
    return f"{total:.3f} ({', '.join(f'{number / files:.3g} {kind}' for kind, number in found.items())})"


def _row(name: str, cells: list[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"
