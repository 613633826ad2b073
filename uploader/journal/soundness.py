"""Reads a whole journal file and says whether it is sound: what opening a large one spares a run."""

from __future__ import annotations

from pathlib import Path

from uploader.journal.opening import open_database
from uploader.model.errors import JournalDamaged


def fault_of(folder: Path) -> str:
    """What is wrong with the journal of this state folder, in words; empty when every page of it is sound.

    Takes some seconds per GB. Raises the JournalError tree for a folder or a version that cannot be used.
    """
    try:
        database = open_database(folder)
        try:
            finding = str(database.read("PRAGMA quick_check(1)")[0][0])
        finally:
            database.close()
    except JournalDamaged as error:
        return error.summary
    return "" if finding == "ok" else f"The journal {database.path} is damaged: {finding}."
