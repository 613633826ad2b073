"""Run as a program: an upload that ends itself by SIGKILL at its N-th call of store, catalog, journal or extractor.

`killed_ferry.py HOME DATA SPEC N before|after`; with N = 0 nothing is killed and the names of all calls are printed.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from ferry_world import SMALL_WIRE

from uploader.bootstrap import Settings, open_engine
from uploader.engine import run, workers
from uploader.engine.health.patient_store import PatientStore
from validation.check import Depth
from validation.spec.load import load


class Count:
    """Counts calls of all ports together and ends the process at the chosen one."""

    def __init__(self, number: int, moment: str) -> None:
        self._number, self._moment = number, moment
        self._lock = threading.Lock()
        self.names: list[str] = []

    def call(self, name: str, function: Any, *args: Any, **named: Any) -> Any:
        with self._lock:
            self.names.append(name)
            is_it = len(self.names) == self._number
        if is_it and self._moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = function(*args, **named)
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


class Watched:
    """A port whose every call is counted."""

    def __init__(self, port: Any, name: str, count: Count) -> None:
        self._port, self._name, self._count = port, name, count

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        return lambda *args, **named: self._count.call(f"{self._name}.{name}", found, *args, **named)


def main(home: Path, data: Path, spec: Path, number: int, moment: str) -> None:
    run.Wire = SMALL_WIRE  # type: ignore[misc,assignment]
    workers.PooledExtractor = workers.InlineExtractor  # type: ignore[misc,assignment]
    settings = Settings("", "1", home / "state", home / "state" / "catalog")
    count = Count(number, moment)
    with open_engine(settings, roots=[data], spec=load(spec)) as engine:
        ports = engine._ports
        assert isinstance(ports.store, PatientStore)
        engine._ports = dataclasses.replace(
            ports,
            store=dataclasses.replace(ports.store, store=Watched(ports.store.store, "store", count)),
            catalog=Watched(ports.catalog, "catalog", count),
            journal=Watched(ports.journal, "journal", count),
            extractor=Watched(ports.extractor, "extractor", count),
        )
        for _ in engine.run(dry_run=False, strict=False, depth=Depth.HEADERS):
            pass
    sys.stdout.write("\n".join(count.names) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
