"""`nanoferry catalog`: prepare a catalog."""

from __future__ import annotations

import click

from uploader.bootstrap import Settings, connect, init_catalog
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.options import catalog_option, json_option, server_option


@click.group("catalog")
def command() -> None:
    """Prepare a catalog."""


@command.command("init")
@click.option(
    "--spec",
    metavar="FILE",
    help="Spec that the catalog is to carry (default: em-session); uploads without --spec use it.",
)
@server_option
@catalog_option
@json_option
def init(*, spec: str | None, server: str | None, catalog: str | None, as_json: bool) -> int:
    """Create the nanoscience model: tables, vocabularies, keys and the spec that uploads use.

    Creates what is missing and changes nothing that is there; running it again does nothing.
    """
    console = Console(json_lines=as_json)
    with connect(Settings.from_environment(server=server, catalog=catalog)) as remote:
        created = init_catalog(remote, _spec_text(spec))
        where = f"catalog {remote.catalog.catalog_id} of {remote.connection.base_url}"
    if as_json:
        console.emit({"created": created})
    elif created:
        console.say(f"Created in {where}:")
        console.say(*(f"  {each}" for each in created))
    else:
        console.say(f"Nothing to create: {where} has the whole model already.")
    return Exit.DONE


def _spec_text(name_or_path: str | None) -> str | None:
    if name_or_path is None:
        return None
    from validation.spec.load import find, load  # noqa: PLC0415 - --help must not pay for it

    path = find(name_or_path)
    load(path)  # a spec with faults must not become what everybody's uploads use
    return path.read_text("utf-8")
