"""`nanoferry cancel`: take files out of running engines."""

from __future__ import annotations

from pathlib import Path

import click

from uploader.cli.console import Console
from uploader.cli.options import json_option, paths_argument, run_option
from uploader.cli.steering import steer
from uploader.model.control import Verb

_EXAMPLES = """\b
Examples:
  nanoferry cancel /data/session7          what is left of one session
  nanoferry cancel --all                   what is left of everything that is running
"""


@click.command("cancel", epilog=_EXAMPLES)
@paths_argument
@click.option("--all", "all_files", is_flag=True, help="Cancel everything that is left.")
@run_option
@json_option
def command(*, paths: tuple[Path, ...], all_files: bool, run: str, as_json: bool) -> int:
    """Leave files out of this run. What is registered stays registered, and no file on disk is touched.

    The next run takes them again, and `nanoferry retry` does so in this one.
    """
    if not paths and not all_files:
        raise click.UsageError("Name what to cancel, or say --all.")
    if paths and all_files:
        raise click.UsageError("Name paths or say --all, not both.")
    return steer(Console(json_lines=as_json), Verb.CANCEL, paths=paths, run=run)
