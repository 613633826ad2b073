"""Whether a data folder is the caller's own: who may write there could pose as the server."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from uploader.model.errors import SettingsError


def refuse_foreign(folder: Path) -> None:
    """Raises SettingsError when another account owns the folder or every account may write to it."""
    if os.name != "posix":
        return  # there the access lists of the profile folder keep others out
    try:
        found = folder.stat()
    except OSError:
        return  # not there, or not to be looked at: whoever opens it says so
    # Root is let in: in a container the mounted folder belongs to somebody else as a rule.
    if found.st_uid != os.geteuid() != 0:
        raise SettingsError(
            f"The folder {folder} belongs to another user.",
            detail="Nothing was started or changed.",
            remedy="Choose a folder of your own (`serve --data DIR`).",
        )
    if found.st_mode & stat.S_IWOTH:
        raise SettingsError(
            f"Every user of this machine may write to the folder {folder}.",
            detail="Nothing was started or changed: anybody could put a server of his own there.",
            remedy=f"Choose a folder of your own (`serve --data DIR`), or close this one: chmod o-w {folder}",
        )
