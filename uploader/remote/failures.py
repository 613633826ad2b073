"""What a request without a proper answer means: the one table from causes (DNS, TLS, sockets) to our errors."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

import requests
from urllib3.exceptions import (
    IncompleteRead,
    InvalidChunkLength,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from uploader.model.errors import BadReply, RemoteError, Unreachable, Untrusted
from uploader.remote.address import is_loopback

_KEPT = "Everything that was acknowledged is kept."
_AGAIN = "Run the same command again when the network is back: it goes on where it stopped."
# Raised where a connection breaks that had already been made.
_BROKEN = (
    ConnectionResetError,
    BrokenPipeError,
    ConnectionAbortedError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)
_TORN = (IncompleteRead, InvalidChunkLength)
_PROXY_FAULTS = (
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
)


def failure(error: Exception, *, method: str, path: str, host: str, timeout_s: float) -> RemoteError:
    """The error that an exception of the HTTP client stands for; `in_doubt` says whether it may have arrived."""
    found = _by_cause(error, host, timeout_s)
    found.path = path
    if not found.detail:
        found.detail = (
            f"Whether {method} {path} was carried out is not known. {_KEPT}" if found.in_doubt else _KEPT
        )
    return found


def is_stale_connection(error: Exception) -> bool:
    """Whether a pooled connection turned out to be closed by the server before it answered anything.

    `http.client.RemoteDisconnected` is a ConnectionResetError. A time-out is never one: the server may be busy
    with the request.
    """
    if isinstance(error, requests.exceptions.Timeout):
        return False
    causes = list(_causes(error))
    return _holds(causes, *_BROKEN) and not _holds(causes, NewConnectionError, *_TORN)


def _by_cause(error: Exception, host: str, timeout_s: float) -> RemoteError:
    causes = list(_causes(error))
    if isinstance(error, _PROXY_FAULTS):
        return Unreachable(
            "The proxy does not let us through.",
            detail=f"{_words(causes)} {_KEPT}",
            remedy=f"Check HTTPS_PROXY, or add {host} to NO_PROXY if it can be reached directly.",
        )
    # A TLS line that merely breaks is no question of trust: it may be there again in a moment.
    if isinstance(error, requests.exceptions.SSLError) and not _holds(causes, *_BROKEN):
        return _untrusted(causes, host)
    if isinstance(error, requests.exceptions.ConnectTimeout) or _holds(causes, NewConnectionError):
        return _not_connected(error, causes, host)
    return _in_doubt(_broken_off(error, causes, host, timeout_s))


def _broken_off(error: Exception, causes: list[BaseException], host: str, timeout_s: float) -> RemoteError:
    if isinstance(error, requests.exceptions.Timeout) or _holds(causes, ReadTimeoutError, TimeoutError):
        return Unreachable(f"{host} gave no answer within {timeout_s:.0f} s.", remedy=_AGAIN)
    if isinstance(error, requests.exceptions.ContentDecodingError) or _holds(causes, *_TORN):
        return BadReply(f"The answer of {host} ended before its end.", remedy=_AGAIN)
    return Unreachable(f"The connection to {host} broke.", remedy=_AGAIN)


def _holds(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _untrusted(causes: list[BaseException], host: str) -> Untrusted:
    words = _words(causes)
    lowered = words.casefold()
    if "expired" in lowered:
        remedy = "Have the server's certificate renewed; check this machine's clock too."
    elif "hostname" in lowered or "ip address mismatch" in lowered:
        remedy = "Use the name that the certificate was issued for."
    elif "self-signed" in lowered or "self signed" in lowered or "local issuer" in lowered:
        remedy = (
            "If your institution signs its own certificates, put its CA file into REQUESTS_CA_BUNDLE; "
            "certificates are never skipped."
        )
    elif "wrong_version_number" in lowered or "wrong version number" in lowered or "record layer" in lowered:
        return Untrusted(
            f"{host} does not speak TLS on this port.", detail=_KEPT, remedy="Check the port in --server."
        )
    else:
        remedy = "Check the address, or a proxy that opens encrypted traffic."
    return Untrusted(f"The certificate of {host} is not trusted.", detail=f"{words} {_KEPT}", remedy=remedy)


def _not_connected(error: Exception, causes: list[BaseException], host: str) -> Unreachable:
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Unreachable(f"No connection to {host} in time.", remedy=_AGAIN)
    if _holds(causes, NameResolutionError, socket.gaierror):
        return Unreachable(
            f"The name {host} is not known.",
            remedy="Check the server's name (--server, NANOFERRY_SERVER) and the network.",
        )
    codes = {cause.errno for cause in causes if isinstance(cause, OSError)}
    if errno.ECONNREFUSED in codes:
        name = host.rpartition(":")[0] or host
        started = is_loopback(name)
        return Unreachable(
            f"Nothing listens at {host}.",
            remedy="Start it with `nanoferry serve`."
            if started
            else "Check the address; the server may be down.",
        )
    if codes & {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}:
        return Unreachable(f"There is no way to {host} from this network.", remedy=_AGAIN)
    return Unreachable(f"No connection to {host}.", detail=f"{_words(causes)} {_KEPT}", remedy=_AGAIN)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions inside an exception: requests and urllib3 nest them as arguments, reasons and causes."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
        waiting.extend(item for item in inner if isinstance(item, BaseException))


def _words(causes: list[BaseException]) -> str:
    """What the innermost system error says; the outer ones only repeat it with addresses of objects."""
    spoken = [cause for cause in causes if isinstance(cause, OSError) and not _is_requests(cause)]
    text = str(spoken[-1]) if spoken else type(causes[-1]).__name__
    return f"The system says: {' '.join(text.split())[:200]}."


def _is_requests(cause: BaseException) -> bool:
    return isinstance(cause, requests.exceptions.RequestException)


def _in_doubt(error: RemoteError) -> RemoteError:
    error.in_doubt = True
    return error
