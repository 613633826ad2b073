"""A worker whose reader misbehaves by file name; started by test_workers.py as a child process."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from uploader.engine.extract_worker import serve
from validation.instruments import Header, Preview


def header(path: Path) -> Header:
    match path.stem:
        case "hang":
            time.sleep(600)
        case "crash":
            os._exit(3)
        case "swell":
            try:
                bytearray(8 << 30)
            except MemoryError:
                os._exit(4)
        case _:
            pass
    return Header(path.stem, str(os.getpid()))


def preview(path: Path, max_px: int) -> Preview:
    header(path)
    return Preview(b"png", max_px, max_px)


serve(sys.stdin.buffer, sys.stdout.buffer, header=header, preview=preview)
