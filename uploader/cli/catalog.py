"""`nanoferry catalog`: prepare a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uploader.bootstrap import Settings, connect, init_catalog
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.options import catalog_option, json_option, server_option
from uploader.model.errors import SettingsError

if TYPE_CHECKING:
    from uploader.remote.ermrest import ErmrestCatalog


@click.group("catalog")
def command() -> None:
    """Prepare a catalog."""


@command.command("init")
@click.option(
    "--spec",
    metavar="FILE",
    help="Spec that the catalog is to carry (default: em-session); uploads without --spec use it.",
)
@click.option("--replace-spec", is_flag=True, help="Put --spec in the place of the spec that is there.")
@server_option
@catalog_option
@json_option
def init(
    *, spec: str | None, replace_spec: bool, server: str | None, catalog: str | None, as_json: bool
) -> int:
    """Create the nanoscience model: tables, vocabularies, keys and the spec that uploads use.

    Creates what is missing and changes nothing that is there but, with --replace-spec, the spec.
    """
    console = Console(json_lines=as_json)
    if replace_spec and not spec:
        raise SettingsError("--replace-spec needs --spec FILE.", remedy="Name the spec that is to be used.")
    text = _spec_text(spec)
    with connect(Settings.from_environment(server=server, catalog=catalog)) as remote:
        created = init_catalog(remote, text)
        kept = text is not None and _keeps_another(remote.catalog, text, replace=replace_spec)
        where = f"catalog {remote.catalog.catalog_id} of {remote.connection.base_url}"
    if as_json:
        console.emit({"created": created, "spec_kept": kept})
    elif created:
        console.say(f"Created in {where}:")
        console.say(*(f"  {each}" for each in created))
    else:
        console.say(f"Nothing to create: {where} has the whole model already.")
    if kept:
        console.say("The catalog carries another spec already, which stays. To put yours in its place, add:")
        console.say("  --replace-spec")
    return Exit.DONE


def _keeps_another(catalog: ErmrestCatalog, text: str, *, replace: bool) -> bool:
    """Whether the catalog goes on with a spec other than this one."""
    from uploader.remote import deploy  # noqa: PLC0415 - --help must not pay for it

    if deploy.spec_annotation(catalog) == (deploy.SPEC_TAG, text):
        return False
    if replace:
        deploy.replace_spec(catalog, text)
    return not replace


def _spec_text(name_or_path: str | None) -> str | None:
    if name_or_path is None:
        return None
    from validation.spec.load import find, load  # noqa: PLC0415 - --help must not pay for it

    path = find(name_or_path)
    load(path)  # a spec with faults must not become what everybody's uploads use
    return path.read_text("utf-8")
