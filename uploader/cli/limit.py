"""`nanoferry limit`: set the bandwidth limit of running engines."""

from __future__ import annotations

import click

from uploader.cli.console import Console
from uploader.cli.options import json_option, run_option
from uploader.cli.steering import steer
from uploader.engine.pacing.bandwidth import parse_rate
from uploader.model.control import Verb

_EXAMPLES = """\b
Examples:
  nanoferry limit 20MB/s        at most 20 million bytes a second
  nanoferry limit 100Mbit/s     the same in bits, as a network card counts
  nanoferry limit off           as fast as it goes
"""


@click.command("limit", epilog=_EXAMPLES)
@click.argument("rate", metavar="RATE|off")
@run_option
@json_option
def command(*, rate: str, run: str, as_json: bool) -> int:
    """Limit how fast the running engines send; it holds until they end or another limit is set."""
    return steer(Console(json_lines=as_json), Verb.LIMIT, run=run, value=str(parse_rate(rate)))
