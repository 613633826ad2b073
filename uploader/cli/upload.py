"""`nanoferry upload`: survey and ferry of the named folders."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

import click

from uploader.bootstrap import Settings, open_engine
from uploader.cli.closing import closing_lines
from uploader.cli.console import Console
from uploader.cli.display import events_of, follow
from uploader.cli.exits import after
from uploader.cli.interrupt import stops_cleanly
from uploader.cli.options import json_option
from uploader.cli.run_options import Asked, run_options
from uploader.cli.spec_choice import chosen_spec
from uploader.engine.limits import Limits
from uploader.report.summary import Summary
from validation.check import Depth
from validation.spec.model import Spec

_EXAMPLES = """\b
Examples:
  nanoferry upload --dir /data/session7
  nanoferry upload --dir /data/session7 --limit 20MB/s --wait forever
  nanoferry upload --dir /data --schedule 'mon-fri 08:00-18:00 2MB/s; else full'
"""


@click.command("upload", epilog=_EXAMPLES)
@run_options
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing, here or on the server.")
@json_option
def command(*, asked: Asked, dry_run: bool, as_json: bool) -> int:
    """Carry folders into the catalog: check, preview, upload, register, receipt.

    What the catalog already holds is not sent again, so the same command goes on after an interruption. While it
    runs, `nanoferry status`, `pause`, `limit` and their like reach it from another terminal.
    """
    summary = carry(
        Console(json_lines=as_json),
        asked.settings,
        asked.roots,
        chosen_spec(asked.spec),
        strict=asked.strict,
        dry_run=dry_run,
        receipt=asked.receipt,
        limits=asked.limits,
        again=["upload", *asked.arguments(), *(["--json"] if as_json else [])],
    )
    return after(summary)


def carry(
    console: Console,
    settings: Settings,
    roots: Sequence[Path],
    spec: Spec | None,
    *,
    strict: bool = False,
    dry_run: bool = False,
    receipt: Path | None = None,
    limits: Limits | None = None,
    again: Sequence[str] = (),
    told: Container[str] = (),
) -> Summary:
    """Run the engine over the folders, show it, and say what became of the files.

    `again` is how the person called it; `told` are codes of findings that were shown before.
    """
    opened = open_engine(settings, roots=roots, spec=spec, sends=not dry_run, limits=limits)
    with opened as engine, stops_cleanly(engine.stop):
        events = engine.run(dry_run=dry_run, strict=strict, depth=Depth.HEADERS, receipt=receipt)
        summary = follow(events, events_of(console))
    console.say(*closing_lines(summary, again, told=told))
    return summary
