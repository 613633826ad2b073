"""Opens the journal's file: a fit place, private, sound, and of this program's version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from uploader.journal.connection import Database, damaged
from uploader.journal.migrations import migrate
from uploader.journal.oslock import held
from uploader.model.errors import JournalError
from uploader.model.mounts import Volume, volume_of

FILE_NAME = "journal.sqlite3"
OPENING_LOCK = "journal.lock"
"""Held while the file is made, migrated or repaired, so that two programs do it one after the other."""

_ALWAYS_CHECKED_BYTES = 16 * 1024 * 1024
"""Up to this size every opening checks the whole file (some 20 ms); above, only after an unclean end."""

_CHECKED_BYTES = 64 * 1024 * 1024
"""Nor is a larger file read after an unclean end: a kill or a power cut cannot tear it, and damage by the disk is
noticed when a torn page is read."""


def open_database(folder: Path, *, volume: Callable[[Path], Volume] = volume_of) -> Database:
    """The journal of this state folder, made when new. Raises the JournalError tree."""
    path = folder / FILE_NAME
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_network(folder, volume(folder))
        with held(folder / OPENING_LOCK):
            unclean = _size_bytes(path.with_name(f"{FILE_NAME}-wal")) > 0
            database = Database(path)
            try:
                _refuse_damaged(database, unclean=unclean)
                migrate(database)
            except BaseException:
                database.close()
                raise
            return database
    except OSError as error:
        raise JournalError(
            f"The state folder {folder} cannot be used: {error.strerror or error}.",
            detail="Nothing was read or sent.",
            remedy="Give this account the right to write there, or set NANOFERRY_STATE_DIR to a local folder.",
            path=str(folder),
        ) from error


def _refuse_network(folder: Path, volume: Volume) -> None:
    if volume.is_network:
        raise JournalError(
            f"The state folder {folder} lies on a network file system ({volume.fs_type}).",
            detail="The journal's locks cannot be trusted there; nothing was written.",
            remedy="Set NANOFERRY_STATE_DIR to a folder on a local disk of this machine.",
            path=str(folder),
        )


def _refuse_damaged(database: Database, *, unclean: bool) -> None:
    # A log that was left behind is the mark of an unclean end: the last one to close the file takes it away.
    if _size_bytes(database.path) > (_CHECKED_BYTES if unclean else _ALWAYS_CHECKED_BYTES):
        return
    finding = str(database.read("PRAGMA quick_check(1)")[0][0])
    if finding != "ok":
        raise damaged(database.path, finding.replace("\n", " "))


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
