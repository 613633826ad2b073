"""Options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path

import click

server_option = click.option(
    "--server",
    metavar="URL",
    help="Address of the DERIVA server; without one the built-in catalog is used. [NANOFERRY_SERVER]",
)
catalog_option = click.option(
    "--catalog", metavar="ID", help="Catalog on that server (default 1). [NANOFERRY_CATALOG]"
)
spec_option = click.option(
    "--spec",
    metavar="FILE",
    help="Spec file, or the name of a shipped spec; without one the catalog's own spec is used.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write JSON on stdout; words for people go to stderr."
)


class _AsTyped(click.ParamType[Path]):
    """A path as it was typed. Whether it can be read is the command's question: it answers with a remedy."""

    name = "path"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; an empty one is a variable that was never set, and must not mean the current folder."""
        if not str(value):
            self.fail("it is empty; is a variable not set?", param, ctx)
        return Path(value)


folder = _AsTyped()

paths_argument = click.argument("paths", type=folder, nargs=-1, metavar="[PATH]...")
run_option = click.option(
    "--run", metavar="RUN", default="", help="Only the engine of this run; the beginning of its id is enough."
)
