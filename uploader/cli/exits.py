"""What the exit code of a command says to a script."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uploader.report.summary import Summary


class Exit(IntEnum):
    """The exit codes of the command contract (docs/command-line.md)."""

    DONE = 0
    """Everything the spec claims is registered, or the check found nothing that holds files."""
    SOMETHING_LEFT = 1
    """Finished, but something was held, failed or cancelled."""
    COULD_NOT_RUN = 2
    INTERRUPTED = 130


def after(summary: Summary) -> Exit:
    """The exit code of a run."""
    if summary.finished is None or summary.finished.could_not_run:
        return Exit.COULD_NOT_RUN
    if summary.finished.interrupted:
        return Exit.INTERRUPTED
    return Exit.DONE if summary.is_complete else Exit.SOMETHING_LEFT
