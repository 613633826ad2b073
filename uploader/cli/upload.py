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
from uploader.cli.run_options import run_options
from uploader.cli.spec_choice import chosen_spec
from uploader.report.summary import Summary
from validation.check import Depth
from validation.spec.model import Spec


@click.command("upload")
@run_options
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing, here or on the server.")
@json_option
def command(
    *,
    roots: tuple[Path, ...],
    spec: str | None,
    server: str | None,
    catalog: str | None,
    strict: bool,
    dry_run: bool,
    as_json: bool,
    receipt: Path | None,
) -> int:
    """Carry folders into the catalog: check, preview, upload, register, receipt.

    What the catalog already holds is not sent again, so the same command goes on after an interruption.
    """
    again = _arguments(
        roots, spec=spec, server=server, catalog=catalog, strict=strict, as_json=as_json, receipt=receipt
    )
    summary = carry(
        Console(json_lines=as_json),
        Settings.from_environment(server=server, catalog=catalog),
        roots,
        chosen_spec(spec),
        strict=strict,
        dry_run=dry_run,
        receipt=receipt,
        again=again,
    )
    return after(summary)


def _arguments(roots: Sequence[Path], **options: object) -> list[str]:
    """The command as it was called: to go on after an interruption it must name the same spec and server."""
    named = [part for root in roots for part in ("--dir", str(root))]
    for name, value in options.items():
        flag = f"--{name.removeprefix('as_')}"
        if value is True:
            named.append(flag)
        elif value:
            named += [flag, str(value)]
    return ["upload", *named]


def carry(
    console: Console,
    settings: Settings,
    roots: Sequence[Path],
    spec: Spec | None,
    *,
    strict: bool = False,
    dry_run: bool = False,
    receipt: Path | None = None,
    again: Sequence[str] = (),
    told: Container[str] = (),
) -> Summary:
    """Run the engine over the folders, show it, and say what became of the files.

    `again` is how the person called it; `told` are codes of findings that were shown before.
    """
    opened = open_engine(settings, roots=roots, spec=spec, sends=not dry_run)
    with opened as engine, stops_cleanly(engine.stop):
        events = engine.run(dry_run=dry_run, strict=strict, depth=Depth.HEADERS, receipt=receipt)
        summary = follow(events, events_of(console))
    console.say(*closing_lines(summary, again, told=told))
    return summary
