"""The pool of readers: order, faults that cost one worker, and no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from uploader.engine.workers import InlineExtractor, PooledExtractor

FAULTY = (sys.executable, "-P", str(Path(__file__).with_name("faulty_extract_worker.py")))
MakePool = Callable[..., PooledExtractor]


@pytest.fixture
def make_pool() -> Iterator[MakePool]:
    pools: list[PooledExtractor] = []

    def make(**options: object) -> PooledExtractor:
        settings = {"workers": 2, "command": FAULTY, "batch_files": 4, **options}
        pools.append(PooledExtractor(**settings))  # type: ignore[arg-type]
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def named(*stems: str) -> list[Path]:
    return [Path(f"{stem}.tif") for stem in stems]


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_no_process_starts_before_it_is_needed(make_pool: MakePool) -> None:
    before = len(children())
    make_pool()
    assert len(children()) == before


def test_headers_come_in_the_order_of_the_paths_from_few_workers(make_pool: MakePool) -> None:
    stems = [f"f{number}" for number in range(50)]
    headers = list(make_pool().headers(named(*stems)))
    assert [header.format for header in headers] == stems
    assert len({header.reader for header in headers}) <= 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("hang", "header.reader_timeout"),
        ("crash", "header.reader_crashed"),
        ("swell", "header.reader_crashed"),
    ],
)
def test_a_fault_costs_one_file_and_the_rest_are_read(make_pool: MakePool, fault: str, code: str) -> None:
    if fault == "swell" and not sys.platform.startswith("linux"):
        pytest.skip("address space is capped on Linux only")
    pool = make_pool(workers=1, deadline_s=1.0 if fault == "hang" else 10.0)
    headers = list(pool.headers(named("a", fault, "b", "c", "d")))
    assert [header.format for header in headers] == ["a", "unknown", "b", "c", "d"]
    assert [issue.code for issue in headers[1].issues] == [code]
    assert headers[0].reader != headers[2].reader, "the faulty worker must not be used again"


def test_a_hung_preview_gives_a_reason_and_the_next_one_works(make_pool: MakePool) -> None:
    pool = make_pool(workers=1, deadline_s=1.0)
    lost = pool.preview(Path("hang.tif"))
    assert lost.png is None
    assert [issue.code for issue in lost.issues] == ["header.reader_timeout"]
    assert pool.preview(Path("fine.tif"), 99).png == b"png"


def test_paths_are_taken_only_as_far_ahead_as_the_pool_reads(make_pool: MakePool) -> None:
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield Path(f"f{taken}.tif")

    headers = make_pool().headers(endless())
    assert next(headers).format == "f1"
    assert taken <= 2 * 2 * 4
    headers.close()  # type: ignore[attr-defined]


def test_close_ends_every_worker(make_pool: MakePool) -> None:
    pool = make_pool()
    assert len(list(pool.headers(named("a", "b", "c", "d", "e")))) == 5
    mine = [child for child in children() if "faulty_extract_worker" in " ".join(child.cmdline())]
    assert mine
    pool.close()
    assert not any(child.is_running() for child in mine)


def test_a_name_that_is_not_unicode_reaches_the_worker(make_pool: MakePool) -> None:
    assert [h.format for h in make_pool().headers([Path(os.fsdecode(b"\xff\xe9.tif"))])] == ["\udcff\udce9"]


def test_a_ctrl_c_for_the_whole_group_is_no_crash_of_a_reader(tmp_path: Path, make_pool: MakePool) -> None:
    (tmp_path / "notes.txt").write_text("nothing", "utf-8")
    pool = make_pool(workers=1, command=None)
    (first,) = pool.headers([tmp_path / "notes.txt"])
    (worker,) = [child for child in children() if "extract_worker" in " ".join(child.cmdline())]
    worker.send_signal(signal.SIGINT)
    (again,) = pool.headers([tmp_path / "notes.txt"])
    assert again == first
    assert worker.is_running()


def test_the_real_worker_and_the_inline_reader_agree(tmp_path: Path, make_pool: MakePool) -> None:
    (tmp_path / "empty.tif").write_bytes(b"")
    (tmp_path / "text.tif").write_bytes(b"not a picture")
    paths = [*sorted(tmp_path.glob("*.tif")), tmp_path / "missing.tif"]
    real = make_pool(command=None)
    assert list(real.headers(paths)) == list(InlineExtractor().headers(paths))
    assert [real.preview(path) for path in paths] == [InlineExtractor().preview(path) for path in paths]


ORPHAN_MAKER = """
import os, signal, sys
from pathlib import Path
from uploader.engine.workers import PooledExtractor
pool = PooledExtractor(workers=1, command=sys.argv[1:])
print(next(pool.headers([Path("a.tif")])).reader, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a POSIX story")
def test_workers_die_with_a_killed_parent() -> None:
    parent = subprocess.run(
        [sys.executable, "-c", ORPHAN_MAKER, *FAULTY], capture_output=True, text=True, check=False, timeout=60
    )
    assert parent.returncode == -9
    worker = int(parent.stdout)
    try:
        psutil.Process(worker).wait(timeout=10)
    except psutil.NoSuchProcess:
        return
