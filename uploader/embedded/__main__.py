"""`python -m uploader.embedded --data DIR`: run the embedded server in this process."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from uploader.embedded.lifecycle import LOCK_WAS_HELD
from uploader.embedded.lock import LockHeld
from uploader.model.errors import UploaderError


def main() -> int:
    """Serve until stopped; 0 after a stop, 2 when it could not serve, 3 when another process already does."""
    parser = argparse.ArgumentParser(prog="python -m uploader.embedded")
    parser.add_argument("--data", type=Path, required=True, help="data folder of the catalog")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--public-read", action="store_true", help="let anybody on this machine read")
    options = parser.parse_args()

    # Databases, objects and log are the owner's alone, whatever the account's own habit is.
    os.umask(0o077)

    from uploader.embedded.server import serve  # noqa: PLC0415 - after the options: --help stays quick

    try:
        serve(options.data, port=options.port, public_read=options.public_read)
    except LockHeld:
        sys.stderr.write(f"Another server already serves {options.data}; this one ends.\n")
        return LOCK_WAS_HELD
    except UploaderError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
