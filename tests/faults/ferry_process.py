"""Run as a program: the real command line with the engine's sizes and waits made small. `ferry_process.py upload …`

What may go wrong inside the process is told by its environment: FERRY_KILL_AT_STATEMENT (SIGKILL when the journal
is about to run its so-manieth SQL statement), FERRY_JOURNAL_PAGES (the disk under the journal holds no more pages),
FERRY_LARGEST_FILE (no file may grow beyond so many bytes), FERRY_READ_TIMEOUT_S.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from typing import Any

from scaled import scale_this_process

from uploader.cli.main import main


def break_the_journal() -> None:
    """Let every connection to the journal behave as the environment says."""
    kill_at = int(os.environ.get("FERRY_KILL_AT_STATEMENT", "0"))
    pages = int(os.environ.get("FERRY_JOURNAL_PAGES", "0"))
    real, run = sqlite3.connect, 0

    def count(_: str) -> None:
        nonlocal run
        run += 1
        if run == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect(path: Any, *rest: Any, **named: Any) -> sqlite3.Connection:
        connection = real(path, *rest, **named)
        if kill_at:
            connection.set_trace_callback(count)
        if pages:
            connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    sqlite3.connect = connect


if __name__ == "__main__":
    largest_bytes = int(os.environ.get("FERRY_LARGEST_FILE", "0"))
    if largest_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, largest_bytes))
    break_the_journal()
    scale_this_process()
    main()
