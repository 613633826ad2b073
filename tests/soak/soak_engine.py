"""Run as a program: one process that runs the engine over a folder again and again until its stdin closes.

Prints a JSON line for each run: outcomes, and why it parked or could not begin.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
from collections import Counter
from pathlib import Path

from scaled import scale_this_process

from uploader.bootstrap import Settings, open_engine
from uploader.model.errors import UploaderError
from uploader.model.events import FileFinished, Parked
from validation.check import Depth
from validation.spec.load import find, load

PAUSE_S = 0.3


def main(folder: Path) -> None:
    """Run until told to end."""
    scale_this_process()
    spec = load(find("em-session"))
    ending = threading.Event()
    threading.Thread(target=_end_with_stdin, args=(ending,), daemon=True).start()
    while not ending.wait(PAUSE_S):
        outcomes: Counter[str] = Counter()
        cause = ""
        try:
            with open_engine(Settings.from_environment(), roots=[folder], spec=spec) as engine:
                for event in engine.run(dry_run=False, strict=False, depth=Depth.HEADERS):
                    if isinstance(event, FileFinished):
                        outcomes[event.result.outcome.value] += 1
                    elif isinstance(event, Parked):
                        cause = event.cause
        except UploaderError as error:
            cause = error.summary
        # What only waits for the collector is no leak.
        gc.collect()
        sys.stdout.write(json.dumps({"outcomes": outcomes, "cause": cause}) + "\n")
        sys.stdout.flush()


def _end_with_stdin(ending: threading.Event) -> None:
    sys.stdin.read()
    ending.set()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
