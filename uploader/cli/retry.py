"""`nanoferry retry`: try failed and cancelled files of running engines again."""

from __future__ import annotations

from pathlib import Path

import click

from uploader.cli.console import Console
from uploader.cli.options import json_option, paths_argument, run_option
from uploader.cli.steering import steer
from uploader.model.control import Verb

_EXAMPLES = """\b
Examples:
  nanoferry retry                          every failed file; an engine that waits looks at once
  nanoferry retry /data/session7
"""


@click.command("retry", epilog=_EXAMPLES)
@paths_argument
@run_option
@json_option
def command(*, paths: tuple[Path, ...], run: str, as_json: bool) -> int:
    """Try failed and cancelled files again; without PATH, all of them.

    An engine that waits for the server, a login or space looks again at once.
    """
    return steer(Console(json_lines=as_json), Verb.RETRY, paths=paths, run=run)
