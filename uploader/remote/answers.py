"""What an answer other than success means: the one table from status and words to our errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from uploader.model.errors import (
    Aborted,
    BadReply,
    BadRequest,
    ChecksumMismatch,
    Conflict,
    Forbidden,
    NotFound,
    NotSignedIn,
    QuotaFull,
    RemoteError,
    Throttled,
    Unreachable,
)
from uploader.remote.wording import is_web_page, summary_of

SIGN_IN_REMEDY = (
    "Sign in again and pass the new token in NANOFERRY_TOKEN or NANOFERRY_COOKIE; "
    "the same command then goes on where it stopped."
)
_OWNER_REMEDY = "Ask the owner of the catalog for this right, or use another login."
_ADDRESS_REMEDY = "Compare --server and --catalog with the address that your institution gives."
_MODEL_REMEDY = "Compare the spec with the catalog's model; `nanoferry catalog init` creates ours."

_DUPLICATE_KEY = re.compile(r"Key \((?P<columns>.+?)\)=\((?P<values>.*?)\) already exists", re.DOTALL)
_MISSING_PARENT = re.compile(
    r"Key \((?P<columns>.+?)\)=\((?P<values>.*?)\) is not present in table \"?(?P<table>[^\".]+)", re.DOTALL
)
_NULL_COLUMN = re.compile(r'null value in column "(?P<column>[^"]+)"')
_ERMREST_ACCESS = re.compile(r"Detail: (?P<right>\w+) access on :?(?P<resource>\S+)")
_HATRAC_ACCESS = re.compile(r"ccess to (?P<resource>\S+?) ?(?:forbidden|$)")
_LONGEST_WAIT_S = 3600.0
_SIGNS_OF_A_FULL_DISK = ("No space left", "Errno 28", "Errno 122", "quota exceeded")

LONGEST_PATH = 3900
"""Apache with mod_wsgi answers 404 to longer paths; measured limit 4,016, less a margin for other installs."""


@dataclass(frozen=True, slots=True)
class _Answer:
    method: str
    path: str
    """Without host and query."""
    status: int
    headers: Mapping[str, str]
    words: str
    """The body in one line."""
    is_page: bool
    """A web page: Apache, a gateway or a proxy speaks, not DERIVA."""

    @property
    def said(self) -> str:
        # Ends as a sentence, for the remedy follows it.
        return f"It says: {self.words.rstrip('.')}." if self.words else ""


def refusal(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> RemoteError:
    """The error that an answer with this status stands for; `path` is without host and query."""
    answer = _Answer(method, path, status, headers, summary_of(headers, body), is_web_page(headers, body))
    meaning = _MEANINGS.get(status) or _MEANINGS_BY_HUNDRED.get(status // 100, _server_fault)
    error = meaning(answer)
    error.path = path
    return error


def _not_signed_in(answer: _Answer) -> RemoteError:
    return NotSignedIn(
        "The server does not accept this login for the request.",
        status=answer.status,
        detail=answer.said,
        remedy=SIGN_IN_REMEDY,
    )


def _forbidden(answer: _Answer) -> RemoteError:
    reading = answer.method in {"GET", "HEAD"}
    if found := _ERMREST_ACCESS.search(answer.words):
        summary = f"This login may not {found['right']} in {found['resource'].strip(':')}."
    elif found := _HATRAC_ACCESS.search(answer.words):
        summary = f"This login may not {'read' if reading else 'write to'} {found['resource']}."
    else:
        summary = f"This login may not {'read' if reading else 'change'} {answer.path}."
    return Forbidden(summary, status=403, detail="Nothing was changed.", remedy=_OWNER_REMEDY)


def _not_found(answer: _Answer) -> RemoteError:
    if not answer.is_page:
        return NotFound(answer.words or f"The server has no {answer.path}.", status=404)
    # Apache itself answers with a page: beyond PATH_MAX, or when no DERIVA service is mounted here.
    if len(answer.path) > LONGEST_PATH:
        return BadRequest(
            f"The web server refuses an address of {len(answer.path)} characters.",
            status=404,
            detail="Nothing was changed.",
            remedy="Use shorter names, or ask for fewer records at once.",
        )
    return BadRequest(
        f"There is no DERIVA service at {answer.path}: a web page answers there.",
        status=404,
        detail=answer.said,
        remedy=_ADDRESS_REMEDY,
    )


def _exists(answer: _Answer) -> RemoteError:
    return Conflict(
        f"{answer.path} exists already.",
        status=412,
        detail="Nothing was written.",
        remedy="Compare the hashes.",
    )


def _conflict(answer: _Answer) -> RemoteError:
    if "content MD5" in answer.words and "does not match" in answer.words:
        return ChecksumMismatch(
            "The server holds other bytes than were meant to be sent.",
            status=409,
            detail=f"The upload is still open. {answer.said}",
            remedy="Send the parts again.",
        )
    summary, remedy = _conflict_words(answer.words, writing=answer.method not in {"GET", "HEAD"})
    fallback = f"{answer.method} {answer.path} contradicts what the server holds."
    return Conflict(summary or fallback, status=409, remedy=remedy)


def _conflict_words(words: str, *, writing: bool) -> tuple[str, str]:
    if found := _DUPLICATE_KEY.search(words):
        return (
            f"A row with {_columns(found['columns'])} = {found['values']} exists already; none was written.",
            "Run again: existing rows are found by their key.",
        )
    if found := _MISSING_PARENT.search(words):
        return (
            f"{found['table']} has no record with {_columns(found['columns'])} = {found['values']}; "
            "no row was written.",
            f"Create that record in {found['table']} first.",
        )
    if found := _NULL_COLUMN.search(words):
        return (
            f"The column {found['column']} must not be empty; no row was written.",
            "Give the value in the folder name, a sidecar file or the spec's column map.",
        )
    if writing and "not available" in words:
        return (
            f"{words.removesuffix('.')}: an object of this name was deleted, and a name is never used twice.",
            "Choose another object name in the spec.",
        )
    if "does not exist" in words or "not recognized" in words:
        return words, _MODEL_REMEDY
    return words, ""


def _bad_request(answer: _Answer) -> RemoteError:
    if "content MD5" in answer.words and "does not match" in answer.words:
        # A refused chunk has already replaced the good one on the server's disk: it must be sent again.
        return ChecksumMismatch(
            "The bytes changed on their way to the server.",
            status=400,
            detail="The server has refused them.",
            remedy="Send this part again.",
        )
    return _refused_as_it_is(answer)


def _refused_as_it_is(answer: _Answer) -> RemoteError:
    summary = _REFUSALS.get(answer.status, "")
    return BadRequest(
        summary or answer.words or f"The server refuses the request ({answer.status}).",
        status=answer.status,
        detail=f"Nothing was written. {answer.said}".rstrip() if summary else "Nothing was written.",
        remedy=_REFUSAL_REMEDIES.get(answer.status, ""),
    )


def _busy(answer: _Answer) -> RemoteError:
    kind = Throttled
    if "Transaction aborted" in answer.words:
        kind, summary = Aborted, "Another writer was faster and the database undid our change."
    elif answer.status == 429:
        summary = "The server asks us to slow down."
    else:
        summary = "The server is busy."
    return kind(
        summary,
        status=answer.status,
        wait_s=_retry_after_s(answer.headers.get("Retry-After", "")),
        detail=f"Nothing was written. {answer.said}".rstrip(),
    )


def _retry_after_s(value: str) -> float:
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max((when - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_WAIT_S)


def _gateway(answer: _Answer) -> RemoteError:
    return _in_doubt(
        Unreachable(
            f"A gateway answers {answer.status} in place of the server.",
            status=answer.status,
            detail=answer.said,
            remedy="The service behind it may be starting again: try again in some minutes.",
        )
    )


def _full(answer: _Answer) -> RemoteError:
    return QuotaFull(
        "The server has no room left.",
        status=answer.status,
        detail=f"What was acknowledged is kept. {answer.said}".rstrip(),
        remedy="Have space made on the server, then run the same command again: it goes on where it stopped.",
    )


def _not_offered(answer: _Answer) -> RemoteError:
    return BadRequest(f"This server does not offer {answer.words or answer.path}.", status=answer.status)


def _server_fault(answer: _Answer) -> RemoteError:
    if "duplicate key value" in answer.words:
        # Hatrac answers 500 where two requests make the same parent namespace; one of them did.
        return Throttled(
            "Another request made the same name at this moment.",
            status=answer.status,
            detail="Nothing was written.",
        )
    if "File name too long" in answer.words:
        return BadRequest(
            f"A name in {answer.path} is too long for the server's disk.",
            status=answer.status,
            detail="Nothing was written.",
            remedy="Keep each part of the object name well under 255 bytes.",
        )
    if any(sign in answer.words for sign in _SIGNS_OF_A_FULL_DISK):
        return _full(answer)
    return _in_doubt(
        BadReply(
            f"The server failed ({answer.status}) at {answer.method} {answer.path}.",
            status=answer.status,
            detail=answer.said,
            remedy="Should it last, show this message to the server's administrator.",
        )
    )


def _redirected(answer: _Answer) -> RemoteError:
    target = answer.headers.get("Location", "another address").partition("?")[0]
    return BadRequest(
        f"The server sends us to {target}.",
        status=answer.status,
        detail="We did not follow: the login must not reach another host.",
        remedy="If that is the right server, give its address with --server.",
    )


def _in_doubt(error: RemoteError) -> RemoteError:
    error.in_doubt = True
    return error


def _columns(text: str) -> str:
    return text.replace('"', "")


_REFUSALS = {
    405: "The address can't be used this way; a name may hold an unencoded character.",
    407: "The proxy asks for a login.",
    411: "The server, or a proxy before it, misses the length of the body.",
    413: "The body is larger than the server takes in one request.",
    414: "The address is too long.",
    415: "The server does not take this kind of content.",
}
_REFUSAL_REMEDIES = {
    407: "Put user and password into the proxy variable (http://user:password@proxy:port).",
    413: "Use smaller chunks.",
    414: "Use shorter names, or ask for fewer records at once.",
}

_MEANINGS: Mapping[int, Callable[[_Answer], RemoteError]] = {
    400: _bad_request,
    401: _not_signed_in,
    403: _forbidden,
    404: _not_found,
    409: _conflict,
    412: _exists,
    429: _busy,
    501: _not_offered,
    502: _gateway,
    503: _busy,
    504: _gateway,
    507: _full,
}
_MEANINGS_BY_HUNDRED: Mapping[int, Callable[[_Answer], RemoteError]] = {
    3: _redirected,
    4: _refused_as_it_is,
    5: _server_fault,
}
