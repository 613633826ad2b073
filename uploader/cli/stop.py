"""`nanoferry stop`: end running engines cleanly."""

from __future__ import annotations

import click

from uploader.cli.console import Console
from uploader.cli.options import json_option, run_option
from uploader.cli.steering import steer
from uploader.model.control import Verb

_EXAMPLES = """\b
Examples:
  nanoferry stop                every engine of this account
  nanoferry stop --run 3f9c     one of them
"""


@click.command("stop", epilog=_EXAMPLES)
@run_option
@json_option
def command(*, run: str, as_json: bool) -> int:
    """End running engines as Ctrl-C does: what the server has acknowledged is kept, the next run goes on.

    The built-in catalog goes on; `nanoferry serve --stop` ends that one.
    """
    return steer(Console(json_lines=as_json), Verb.STOP, run=run)
