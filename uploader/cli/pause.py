"""`nanoferry pause`: let running engines hold back files, a folder or everything."""

from __future__ import annotations

from pathlib import Path

import click

from uploader.cli.console import Console
from uploader.cli.options import json_option, paths_argument, run_option
from uploader.cli.steering import steer
from uploader.model.control import Verb

_EXAMPLES = """\b
Examples:
  nanoferry pause                          everything that is running
  nanoferry pause /data/session7           one session, the others go on
  nanoferry pause /data/session7/big.tif   one file
"""


@click.command("pause", epilog=_EXAMPLES)
@paths_argument
@run_option
@json_option
def command(*, paths: tuple[Path, ...], run: str, as_json: bool) -> int:
    """Hold back files until `nanoferry resume`; without PATH, everything that is running.

    A file that is on its way stops at its next part; what the server has acknowledged is kept.
    """
    return steer(Console(json_lines=as_json), Verb.PAUSE, paths=paths, run=run)
