"""`nanoferry validate`: the survey alone, and its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from uploader.bootstrap import Settings, open_engine
from uploader.cli.console import Console
from uploader.cli.display import follow, words_of
from uploader.cli.exits import Exit
from uploader.cli.interrupt import stops_cleanly
from uploader.cli.options import catalog_option, folder, json_option, server_option, spec_option
from uploader.cli.spec_choice import chosen_spec
from uploader.model.errors import Cancelled, SettingsError
from validation.check import Depth
from validation.model import Report
from validation.reporters import json as json_reporter
from validation.reporters import text as text_reporter
from validation.spec.model import Spec


@click.command("validate")
@click.argument("directory", type=folder, metavar="DIR")
@spec_option
@click.option(
    "--depth",
    type=click.Choice([Depth.NAMES.value, Depth.HEADERS.value]),
    default=Depth.HEADERS.value,
    show_default=True,
    help="How deep to look: names only, or file headers too.",
)
@click.option("--offline", is_flag=True, help="Ask no catalog: records, columns and rights are not checked.")
@server_option
@catalog_option
@json_option
@click.option(
    "-o", "--output", type=folder, metavar="FILE", help="Also write the report as JSON into this file."
)
def command(
    *,
    directory: Path,
    spec: str | None,
    depth: str,
    offline: bool,
    server: str | None,
    catalog: str | None,
    as_json: bool,
    output: Path | None,
) -> int:
    """Check a folder against the spec and the catalog and say what is wrong. Sends nothing.

    Exit code 0: clean; 1: findings that hold files; 2: could not run.
    """
    console = Console(json_lines=as_json)
    settings = Settings.from_environment(server=server, catalog=catalog)
    report = survey(console, settings, [directory], chosen_spec(spec), depth=Depth(depth), offline=offline)
    if output is not None:
        _write(output, json_reporter.render(report))
    if as_json:
        console.emit_text(json_reporter.render(report))
    else:
        show_report(console, report)
    return Exit.SOMETHING_LEFT if report.holds else Exit.DONE


def survey(
    console: Console,
    settings: Settings,
    roots: Sequence[Path],
    spec: Spec | None,
    *,
    depth: Depth = Depth.HEADERS,
    offline: bool = False,
) -> Report:
    """Survey the folders, show it, and give the report; raises Cancelled when a person stopped it."""
    stopped = False
    with open_engine(settings, roots=roots, spec=spec, offline=offline, sends=False) as engine:

        def stop() -> None:
            nonlocal stopped
            stopped = True
            engine.stop()

        with stops_cleanly(stop):
            follow(engine.survey(depth), words_of(console))
        if stopped:
            raise Cancelled("The check was interrupted.", remedy="Run the same command again.")
        return engine.report()


def show_report(console: Console, report: Report) -> None:
    """The grouped report for a person."""
    console.show(text_reporter.render(report, width=console.width, colour=console.has_colour))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise SettingsError(
            f"The report cannot be written to {path}: {error.strerror or error}.",
            remedy="Name a file in a folder that exists and that you may write to.",
        ) from error
