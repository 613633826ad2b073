"""`nanoferry prioritise`: let files go before the others."""

from __future__ import annotations

from pathlib import Path

import click

from uploader.cli.console import Console
from uploader.cli.options import folder, json_option, run_option
from uploader.cli.steering import steer
from uploader.model.control import Verb

_EXAMPLES = """\b
Examples:
  nanoferry prioritise /data/session7          this session next
  nanoferry prioritise /data/a.tif --level 5   before files of a lower level
  nanoferry prioritise /data/old --level -1    after everything else
"""


@click.command("prioritise", epilog=_EXAMPLES)
@click.argument("paths", type=folder, nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--level",
    type=click.IntRange(-1000, 1000),
    default=1,
    show_default=True,
    help="Higher levels go first; every file begins at 0.",
)
@run_option
@json_option
def command(*, paths: tuple[Path, ...], level: int, run: str, as_json: bool) -> int:
    """Send these files or folders before the others (or, with a negative level, after them)."""
    return steer(Console(json_lines=as_json), Verb.PRIORITISE, paths=paths, run=run, value=str(level))
