"""The ferry against bare PUTs of the same bytes to the same server: small files, near and far, and a large one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest
from ground import Bare, Ferried, Ground, Server, deriva_spec
from page import QUICK, Findings, Goal, Section, spread

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3000)]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
FILES, SIZE_BYTES = 1000 if QUICK else 5000, 200 * KIB
SWEPT_FILES = min(FILES, 1000)
LARGE_BYTES = GIB
WORKERS = (1, 2, 4, 8, 16, 32)
CHUNK_WORKERS = (1, 2, 4) if QUICK else (1, 2, 4, 8)
CHUNK_BYTES = (8 * MIB, 32 * MIB)
LEAST = 0.90


@dataclass(frozen=True, slots=True)
class Setting:
    """How the bare load is sent."""

    workers: int
    chunk_bytes: int = 0

    def __str__(self) -> str:
        return f"{self.workers} {'thread' if self.workers == 1 else 'threads'}" + (
            f", chunks of {self.chunk_bytes // MIB} MiB" if self.chunk_bytes else ""
        )


@dataclass(frozen=True, slots=True)
class Contest:
    """One amount of bytes, carried by both."""

    ground: Ground
    tree: Path
    what: str
    round_trip_ms: float = 0.0
    holds_md5: bool = False

    def bare(self, setting: Setting, *, files: int | None = None) -> Bare:
        with self.ground.server(round_trip_ms=self.round_trip_ms) as server:
            more = {"chunk_bytes": setting.chunk_bytes, "files": files}
            return self.ground.bare(server, self.what, self.tree, setting.workers, **more)

    def ferry(self) -> tuple[Ferried, float]:
        """A run of ours, and the processor time of the server."""
        with self.ground.server(round_trip_ms=self.round_trip_ms) as server:
            spec = deriva_spec(server, self.ground.fresh("spec"), holds_md5=self.holds_md5)
            before_s = server.cpu_s()
            run = self.ground.ferry(server, self.tree, spec)
            self._refuse_unarrived(server)
            return run, server.cpu_s() - before_s

    def _refuse_unarrived(self, server: Server) -> None:
        rows = server.ask("GET", "/ermrest/catalog/1/entity/Bench:File").json()
        sent = [path.stat().st_size for path in self.tree.rglob("*.bin")]
        assert (len(rows), sum(row["Length"] for row in rows)) == (len(sent), sum(sent))


@pytest.mark.parametrize(("number", "round_trip_ms"), [(1, 0.0), (2, 20.0)], ids=["loopback", "20 ms"])
def test_small_files(
    ground: Ground, findings: Findings, pairs: range, number: int, round_trip_ms: float
) -> None:
    contest = Contest(ground, ground.tree(FILES, SIZE_BYTES), "files", round_trip_ms)
    swept = {
        setting: SWEPT_FILES / contest.bare(setting, files=SWEPT_FILES).wall_s
        for setting in map(Setting, WORKERS)
    }
    where = f"at {round_trip_ms:.0f} ms round trip" if round_trip_ms else "on loopback"
    title = f"{FILES:,} files of {SIZE_BYTES // KIB} KiB {where}"
    measured = measure(contest, swept, pairs, lambda run: run.ferry_s)
    findings.add(number, measured.section(title, FILES, "files/s"))


@pytest.mark.parametrize(
    ("number", "holds_md5"), [(3, False), (4, True)], ids=["hash-free", "md5 in the name"]
)
def test_one_large_file(
    ground: Ground, findings: Findings, pairs: range, number: int, *, holds_md5: bool
) -> None:
    what = "hash-then-chunks" if holds_md5 else "chunks"
    contest = Contest(ground, ground.tree(1, LARGE_BYTES), what, holds_md5=holds_md5)
    settings = [Setting(workers, chunk_bytes) for chunk_bytes in CHUNK_BYTES for workers in CHUNK_WORKERS]
    amount = LARGE_BYTES / MIB
    swept = {setting: amount / contest.bare(setting).wall_s for setting in settings}
    if holds_md5:
        title = (
            "1 GiB whose name holds its MD5: the limit hashes the file first, MD5 and SHA-256 side by side"
        )
        measured = measure(contest, swept, pairs, lambda run: run.from_plan_s)
    else:
        title = "1 GiB whose name needs no hash"
        measured = measure(contest, swept, pairs, lambda run: run.ferry_s)
    findings.add(number, measured.section(title, amount, "MiB/s"))


@dataclass(frozen=True, slots=True)
class Measured:
    """Pairs of limit and ferry."""

    swept: dict[Setting, float]
    limits: list[Bare]
    runs: list[Ferried]
    server_cpu_s: list[float]
    seconds: Callable[[Ferried], float]

    @property
    def best(self) -> Setting:
        return max(self.swept, key=lambda setting: self.swept[setting])

    def section(self, title: str, amount: float, unit: str) -> Section:
        limits = [amount / limit.wall_s for limit in self.limits]
        ours = [amount / self.seconds(run) for run in self.runs]
        factors = [one / two for one, two in zip(ours, limits, strict=True)]
        swept = ", ".join(f"{setting}: {rate:.0f}" for setting, rate in self.swept.items())
        rows = (
            ("rate", spread(limits, unit, digits=0), spread(ours, unit, digits=0), spread(factors, "")),
            (
                "time",
                spread([limit.wall_s for limit in self.limits], "s"),
                spread([self.seconds(run) for run in self.runs], "s"),
                "",
            ),
            ("whole process", "", spread([run.wall_s for run in self.runs], "s"), ""),
            (
                "processor time of the client",
                spread([limit.cpu_s for limit in self.limits], "s"),
                spread([run.cpu_s for run in self.runs], "s"),
                "",
            ),
            ("processor time of the server", "", spread(self.server_cpu_s, "s"), ""),
        )
        goal = Goal(f"{title.partition(':')[0]}, part of the limit", median(factors), least=LEAST)
        notes = f"The limit is that of {self.best}. Tried once each, {unit}: {swept}."
        return Section(title, (goal,), ("", "limit", "ferry", "ferry / limit"), rows, notes)


def measure(
    contest: Contest, swept: dict[Setting, float], pairs: range, seconds: Callable[[Ferried], float]
) -> Measured:
    """Limit and ferry in turn; every other pair begins with the ferry."""
    measured = Measured(swept, [], [], [], seconds)
    for number in pairs:
        if number % 2:
            measured.limits.append(contest.bare(measured.best))
            _carry(measured, contest)
        else:
            _carry(measured, contest)
            measured.limits.append(contest.bare(measured.best))
    return measured


def _carry(measured: Measured, contest: Contest) -> None:
    run, server_cpu_s = contest.ferry()
    measured.runs.append(run)
    measured.server_cpu_s.append(server_cpu_s)
