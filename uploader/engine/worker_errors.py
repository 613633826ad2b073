"""What a thread of the engine makes of a surprise: an error with words, handed to the conductor as a value."""

from __future__ import annotations

import logging

from uploader.model.errors import UploaderError

log = logging.getLogger(__name__)


def as_trouble(error: Exception) -> UploaderError:
    """The error itself when it has words, else one that says what happened and that everything is kept."""
    if isinstance(error, UploaderError):
        return error
    log.exception("a thread of the engine failed", exc_info=error)
    return UploaderError(
        f"{type(error).__name__}: {error}",
        detail="Everything acknowledged is kept.",
        remedy="Run again to go on, and please report this with the log.",
    )
