"""The options of commands that carry folders: `upload`, `engine`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from uploader.cli.options import catalog_option, folder, server_option, spec_option

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--dir",
        "roots",
        type=folder,
        multiple=True,
        required=True,
        metavar="DIR",
        help="Folder to carry; give it again for more folders.",
    ),
    spec_option,
    server_option,
    catalog_option,
    click.option(
        "--strict", is_flag=True, help="Send nothing if any file is held or not claimed by the spec."
    ),
    click.option(
        "--receipt",
        type=folder,
        metavar="FILE",
        help="Where to write the receipt; by default in the state folder, never in the data.",
    ),
)


def run_options(command: F) -> F:
    """What to carry, by which spec, where to, and what to leave as a receipt."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
