"""`nanoferry explain`: which rule takes a path, or where the nearest one failed."""

from __future__ import annotations

import os
from pathlib import Path

import click

from uploader.bootstrap import Settings, connect, spec_of
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.options import catalog_option, folder, json_option, server_option, spec_option
from uploader.cli.spec_choice import chosen_spec
from uploader.model.errors import SettingsError
from validation.spec.explain import explain
from validation.spec.model import Match, Spec


@click.command("explain")
@click.argument("paths", type=folder, nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--dir",
    "root",
    type=folder,
    metavar="DIR",
    help="Folder that is or would be dropped; default: the current one, or the file's own if it lies elsewhere.",
)
@spec_option
@server_option
@catalog_option
@json_option
def command(
    *,
    paths: tuple[Path, ...],
    root: Path | None,
    spec: str | None,
    server: str | None,
    catalog: str | None,
    as_json: bool,
) -> int:
    """Say which rule takes each path and with which values; or the nearest rule, where it failed, a better name.

    The files need not exist. Exit code 0: a rule takes every path; 1: not all of them; 2: could not run.
    """
    console = Console(json_lines=as_json)
    rules = chosen_spec(spec) or _catalogs_spec(Settings.from_environment(server=server, catalog=catalog))
    all_taken = True
    for number, path in enumerate(paths):
        dropped, below = _split(path, root)
        explanation = explain(rules, dropped.as_posix(), below)
        all_taken = all_taken and isinstance(explanation.result, Match)
        if as_json:
            console.emit({"root": str(dropped), **explanation.to_json()})
            continue
        if number:
            console.say()
        console.say(*explanation.lines())
    return Exit.DONE if all_taken else Exit.SOMETHING_LEFT


def _catalogs_spec(settings: Settings) -> Spec:
    with connect(settings) as remote:
        return spec_of(remote)


def _split(path: Path, root: Path | None) -> tuple[Path, str]:
    """The dropped folder, and the path below it with `/` separators."""
    # abspath, not resolve: a link in the path is part of the name that the spec looks at.
    full = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100
    if root is None:
        here = Path.cwd()
        dropped = here if full.is_relative_to(here) and full != here else full.parent
    else:
        dropped = Path(os.path.abspath(root.expanduser()))  # noqa: PTH100
    if full == dropped or not full.is_relative_to(dropped):
        raise SettingsError(
            f"{full} does not lie in {dropped}.",
            remedy="Name the dropped folder with --dir, and files below it.",
        )
    return dropped, full.relative_to(dropped).as_posix()
