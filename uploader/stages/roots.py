"""Turns a folder that a person gave into a root with an identity."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from uploader.model.errors import SettingsError
from uploader.model.files import Root
from uploader.model.mounts import Volume, volume_of


def make_root(path: Path, *, volume: Callable[[Path], Volume] = volume_of) -> Root:
    """The folder as a root: absolute, with volume identity. Raises SettingsError when it is no folder."""
    # Not resolve(): messages and receipts name the folder as the person did.
    absolute = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100
    try:
        if absolute.is_dir():
            found = volume(absolute)
            return Root(absolute, found.volume_id, found.inside)
        is_there = absolute.exists()
    except OSError as error:
        raise SettingsError(
            f"The folder {absolute} cannot be looked at: {error.strerror or error}.",
            detail="Nothing was read or sent.",
            remedy="Give this account the right to open it, or check that its disk is there.",
            path=str(absolute),
        ) from error
    if is_there:
        raise SettingsError(
            f"{absolute} is a file, not a folder.",
            detail="Nothing was read or sent.",
            remedy=f"Name the folder that holds it: {absolute.parent}",
            path=str(absolute),
        )
    raise SettingsError(
        f"There is no folder {absolute}.",
        detail="Nothing was read or sent.",
        remedy="Check the spelling, and that its disk or share is connected.",
        path=str(absolute),
    )


def outermost(roots: Sequence[Root]) -> list[Root]:
    """The roots that lie in none of the others."""
    places = [(root.volume_id, PurePosixPath(root.inside or root.path.as_posix())) for root in roots]
    return [
        root
        for root, (volume, place) in zip(roots, places, strict=True)
        if not any(volume == other and above in place.parents for other, above in places)
    ]
