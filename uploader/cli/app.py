"""`nanoferry app`: opens the desktop app, or says how to install it."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import click

from uploader.cli.options import folder
from uploader.model.errors import SettingsError

_GUI = "uploader.gui.app"


@click.command("app")
@click.argument("directories", type=folder, nargs=-1, metavar="[DIR]...")
def command(*, directories: tuple[Path, ...]) -> int:
    """Open the desktop app, with these folders dropped on it."""
    if importlib.util.find_spec("uploader.gui") is None:
        raise SettingsError(
            "The desktop app is not part of this version.",
            detail="Everything it will do works on the command line: `nanoferry upload --dir DIR`.",
            remedy="Install a version that has it with `pip install 'nanoferry[gui]'` once it is released.",
        )
    if importlib.util.find_spec("PySide6") is None:
        raise SettingsError(
            "The desktop app needs Qt, which is not installed.",
            detail="The command line works without it.",
            remedy="Run `pip install 'nanoferry[gui]'`, then start the app again.",
        )
    opened: int = importlib.import_module(_GUI).open_app(directories)
    return opened
