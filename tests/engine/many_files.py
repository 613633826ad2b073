"""One run over very many files, in a process of its own: prints its seconds, processor seconds and peak memory.

Arguments: what (`first`, `seed`, `again`), the folder, the state folder. The catalog is made up on the spot, so that
neither a server nor its rows count. `seed` notes every file as sent before, for `again` to find.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from uploader.engine.entries import described
from uploader.engine.run import Engine
from uploader.engine.task import DroppedRoot
from uploader.engine.workers import InlineExtractor
from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.entries import Purpose
from uploader.model.files import Digest, Proof
from uploader.model.ports import ObjectStore, Ports
from uploader.remote.unmade import UnmadeCatalog
from uploader.stages.batches import batched
from uploader.stages.describe import lasting_row
from uploader.stages.parents import rids_of
from uploader.stages.roots import make_root
from uploader.stages.rows import row_digest
from validation.check import Depth
from validation.spec.load import find, load
from validation.specset import data_dir

DIGEST = Digest("0" * 32, "0" * 64, 1)
"""Of every file: what they hold is not looked at."""

Row = dict[str, Any]


class MadeUp:
    """A catalog that has a parent of every name, and a row for every file of a dataset."""

    server, catalog_id = "made-up", "1"

    def __init__(self, tree: Path, *, is_full: bool) -> None:
        self._tree, self._is_full = tree, is_full
        model = json.loads((data_dir() / "catalog" / "nanoscience.json").read_text("utf-8"))
        self._model = UnmadeCatalog(self.server, self.catalog_id, model)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def rows_by_key(self, _table: str, column: str, values: list[Any], **_: Any) -> list[Row]:
        return [{"RID": f"R-{value}", column: value} for value in values] if self._is_full else []

    def rows(self, table: str, where: Row, **_: Any) -> Iterator[Row]:
        if not self._is_full or table != "nanoscience:File":
            return
        sample = where["Dataset"].split(" ")[1]
        for folder in (self._tree / "NFFA-7" / sample).iterdir():
            with os.scandir(folder) as files:
                for file in files:
                    yield {
                        **where,
                        "RID": f"R-{file.name}",
                        "Path": file.name,
                        "MD5": DIGEST.md5,
                        "SHA256": DIGEST.sha256,
                        "URL": "/hatrac/x:1",
                    }


class Clock:
    """The real time."""

    def now(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


def engine_of(tree: Path, state: Path, journal: SqliteJournal, *, is_full: bool) -> Engine:
    catalog = cast(Any, MadeUp(tree, is_full=is_full))
    ports = Ports(cast(ObjectStore, None), catalog, journal, InlineExtractor(), Clock())
    spec = load(find("em-session"))
    return Engine(ports, roots=[make_root(tree)], spec=spec, offline=False, state_dir=state)


def seed(engine: Engine, journal: SqliteJournal) -> None:
    """Note every file as delivered, with the row that a run would write."""
    for _ in engine.survey(Depth.NAMES):
        pass
    task, plan = engine._seen.task, engine._seen.plan
    assert task is not None
    (root,) = task.roots
    for batch in batched(journal.entries(task.run, task.target, root.root_id, by_dataset=True), 500):
        journal.save_digests({entry.source.identity: DIGEST for entry in batch})
        deliver(engine, journal, root, batch, plan)


def deliver(engine: Engine, journal: SqliteJournal, root: DroppedRoot, batch: Any, plan: Any) -> None:
    task = engine._seen.task
    assert task is not None
    for entry, candidate in described(task, root, engine._ports, batch):
        assert candidate is not None
        wanted = lasting_row(candidate, rids_of(candidate.parents, plan.parent_rows))
        journal.adopt(
            task.target,
            candidate.table,
            candidate.row_key,
            "/hatrac/x",
            entry.source,
            entry.source.path,
            DIGEST,
            object_url="/hatrac/x:1",
            proof=Proof.JOB_MD5,
            rid=f"R-{entry.source.path}",
            row_digest=row_digest(wanted),
            written={"MD5": DIGEST.md5},
        )


def run(engine: Engine, what: str) -> Counter[str]:
    """The plan of the run."""
    planned: Counter[str] = Counter()
    purpose = Purpose.DRY_RUN if what == "first" else Purpose.UPLOAD
    for event in engine.run(dry_run=purpose is Purpose.DRY_RUN, strict=False, depth=Depth.NAMES):
        if event.kind == "plan_made":
            planned.update(event.to_json()["files"])
    return planned


def main(what: str, tree: Path, state: Path) -> None:
    """Carry out what was asked and tell what it took."""
    started_s = time.monotonic()
    journal = open_journal(state)
    engine = engine_of(tree, state, journal, is_full=what != "first")
    planned: Counter[str] = Counter()
    if what == "seed":
        seed(engine, journal)
    else:
        planned = run(engine, what)
    journal.close()
    # Not ru_maxrss: that begins with the size of the process that started this one.
    peak_kb = int(Path("/proc/self/status").read_text("ascii").partition("VmHWM:")[2].split()[0])
    cpu = os.times()
    told = {
        "wall_s": time.monotonic() - started_s,
        "cpu_s": cpu.user + cpu.system,
        "peak_kb": peak_kb,
        "planned": planned,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
