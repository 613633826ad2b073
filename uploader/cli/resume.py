"""`nanoferry resume`: let paused files go on."""

from __future__ import annotations

from pathlib import Path

import click

from uploader.cli.console import Console
from uploader.cli.options import json_option, paths_argument, run_option
from uploader.cli.steering import steer
from uploader.model.control import Verb

_EXAMPLES = """\b
Examples:
  nanoferry resume                         everything that was paused
  nanoferry resume /data/session7
"""


@click.command("resume", epilog=_EXAMPLES)
@paths_argument
@run_option
@json_option
def command(*, paths: tuple[Path, ...], run: str, as_json: bool) -> int:
    """Let paused files go on; without PATH, everything that is paused.

    It also starts an engine that was told to wait before it sends (`nanoferry engine --hold`).
    """
    return steer(Console(json_lines=as_json), Verb.RESUME, paths=paths, run=run)
