"""The broken world: one exception tree, each answering whether and when to try again."""

from __future__ import annotations

from enum import StrEnum


class Retry(StrEnum):
    """When the same step may be tried again."""

    NEVER = "never"
    LATER = "later"
    """The cause passes by itself: wait and repeat."""
    AFTER_SIGN_IN = "after-sign-in"
    """Park the queue until a person has signed in."""
    AFTER_FIX = "after-fix"
    """Park until a person has changed something (disk full, quota)."""


class UploaderError(Exception):
    """What happened (`summary`), what was kept (`detail`), what to do next (`remedy`)."""

    retry: Retry = Retry.NEVER

    def __init__(self, summary: str, *, detail: str = "", remedy: str = "", path: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.remedy = remedy
        self.path = path

    def __str__(self) -> str:
        return " ".join(part for part in (self.summary, self.detail, self.remedy) if part)


class SettingsError(UploaderError):
    """The command, the environment or a settings file asks for something impossible."""


class SourceError(UploaderError):
    """About one file on disk."""


class SourceVanished(SourceError):
    """The file is no longer there."""


class SourceChanged(SourceError):
    """The file changed while it was read or sent."""

    retry = Retry.LATER


class SourceUnreadable(SourceError):
    """The operating system does not let us read the file."""


class ChunkDiffers(SourceChanged):
    """The file no longer holds the bytes of chunk `index`, which the server acknowledged: abandon the job."""

    def __init__(
        self, summary: str, *, index: int, detail: str = "", remedy: str = "", path: str = ""
    ) -> None:
        super().__init__(summary, detail=detail, remedy=remedy, path=path)
        self.index = index


class RemoteError(UploaderError):
    """About the server; `status` is the HTTP status, 0 when no answer came."""

    in_doubt: bool = False
    """The request may have been carried out although no proper answer came: look before repeating it."""

    def __init__(
        self, summary: str, *, status: int = 0, detail: str = "", remedy: str = "", path: str = ""
    ) -> None:
        super().__init__(summary, detail=detail, remedy=remedy, path=path)
        self.status = status


class Unreachable(RemoteError):
    """No connection, a time-out, or a gateway that answers for a dead server."""

    retry = Retry.LATER


class Untrusted(RemoteError):
    """TLS can't be set up: the certificate does not hold, or the other side speaks no TLS."""

    retry = Retry.AFTER_FIX


class Throttled(RemoteError):
    """The server is busy (503, 429) and wrote nothing; `wait_s` is what it asked for."""

    retry = Retry.LATER

    def __init__(self, summary: str, *, status: int = 503, wait_s: float = 0.0, detail: str = "") -> None:
        super().__init__(summary, status=status, detail=detail)
        self.wait_s = wait_s


class Aborted(Throttled):
    """The database undid the change because another writer was faster; nothing was written, try at once."""


class NotSignedIn(RemoteError):
    """401, or a session that has ended."""

    retry = Retry.AFTER_SIGN_IN


class Forbidden(RemoteError):
    """403: signed in, but the right is missing."""


class NotFound(RemoteError):
    """404: no such resource."""


class Conflict(RemoteError):
    """409 or 412: the request contradicts what the server holds."""


class BadRequest(RemoteError):
    """400, 405, 411, 413, 414, 415: the server refuses the request as it is."""


class ChecksumMismatch(RemoteError):
    """The server received other bytes than were sent; sending again is safe."""

    retry = Retry.LATER


class QuotaFull(RemoteError):
    """507, or a server that says its disk is full."""

    retry = Retry.AFTER_FIX


class BadReply(RemoteError):
    """The answer is not what the protocol says (an HTML page, a torn body)."""

    retry = Retry.LATER


class JournalError(UploaderError):
    """About our own memory on disk."""


class JournalLocked(JournalError):
    """Another engine holds this folder."""


class JournalTooNew(JournalError):
    """Written by a newer Nanoferry."""


class JournalDamaged(JournalError):
    """SQLite finds the file damaged."""


class JournalFull(JournalError):
    """No room for the journal on its disk."""

    retry = Retry.AFTER_FIX


class Cancelled(UploaderError):
    """A person cancelled this."""
