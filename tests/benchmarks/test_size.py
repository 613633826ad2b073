"""What size does: memory with a very large file, speed with a very large dataset."""

from __future__ import annotations

from statistics import linear_regression, median

import pytest
from ground import Ground, dataset_spec, deriva_spec
from page import QUICK, Findings, Goal, Section, spread

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3000)]

GIB = 1 << 30
LARGE_BYTES = GIB if QUICK else 10 * GIB
MEMORY_MB = 150
FILES, SIZE_BYTES, WINDOW = 5000 if QUICK else 20_000, 50 << 10, 1000
MOST_RUNS = 3


def test_memory_of_a_very_large_file(ground: Ground, findings: Findings) -> None:
    tree = ground.fresh("tree")
    tree.mkdir()
    with (tree / "large.bin").open("wb") as stream:
        stream.truncate(LARGE_BYTES)
    with ground.server() as server:
        spec = deriva_spec(server, ground.fresh("spec"), holds_md5=False)
        run = ground.ferry(server, tree, spec)
        rows = server.ask("GET", "/ermrest/catalog/1/entity/Bench:File").json()
        assert [row["Length"] for row in rows] == [LARGE_BYTES]
    size, peak_mb = f"{LARGE_BYTES // GIB} GiB", run.peak_bytes / 1e6
    rows_of_page = (
        ("peak memory, all processes of ours together", f"{peak_mb:.0f} MB"),
        ("rate", f"{LARGE_BYTES / (1 << 20) / run.ferry_s:.0f} MiB/s"),
        ("whole process", f"{run.wall_s:.1f} s"),
    )
    goal = Goal(f"{size} in one file, peak memory", peak_mb, most=MEMORY_MB, unit=" MB", digits=0)
    notes = "Memory is sampled fifty times a second; pages that processes share count once for each."
    title = f"Memory: a sparse file of {size} on loopback, name without a hash"
    findings.add(5, Section(title, (goal,), ("", "ours"), rows_of_page, notes))


def test_a_dataset_does_not_slow_down_as_it_grows(ground: Ground, findings: Findings, pairs: range) -> None:
    tree = ground.tree(FILES, SIZE_BYTES)
    firsts, lasts, trends, rates = [], [], [], []
    for _ in pairs[:MOST_RUNS]:
        with ground.server() as server:
            run = ground.ferry(server, tree, dataset_spec(server, ground.fresh("spec")))
        assert len(run.finished_s) == FILES
        # Rows come in batches, so a window begins and ends with the file that bounds it.
        windows = [
            WINDOW / (run.finished_s[start + WINDOW - 1] - run.finished_s[start - 1])
            for start in range(WINDOW, FILES, WINDOW)
        ]
        firsts.append(windows[0])
        lasts.append(windows[-1])
        slope, start_rate = linear_regression(range(len(windows)), windows)
        trends.append(1 + slope * (len(windows) - 1) / start_rate)
        rates.append(FILES / run.ferry_s)
    factor = median(last / first for first, last in zip(firsts, lasts, strict=True))
    title = f"Growth: {FILES:,} files of {SIZE_BYTES >> 10} KiB in one dataset, loopback"
    rows = (
        ("rate of all", spread(rates, "files/s", digits=0)),
        ("files 1,001 to 2,000", spread(firsts, "files/s", digits=0)),
        ("the last 1,000", spread(lasts, "files/s", digits=0)),
        ("last by first", spread([last / first for first, last in zip(firsts, lasts, strict=True)], "")),
        ("end by beginning, of a straight line through all thousands", spread(trends, "")),
    )
    goal = Goal(f"{FILES:,} files in one dataset, rate of the last 1,000 by the first", factor, least=0.9)
    notes = (
        "The first 1,000 warm up: the number of requests at once is still being found. Rates are those of files whose "
        "rows are acknowledged. The spec is one of ours, with a project, a dataset and `nanoscience:File`."
    )
    findings.add(6, Section(title, (goal,), ("", "ours"), rows, notes))
