"""What a request without a proper answer means: the one table from causes (DNS, TLS, sockets) to our errors."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

from urllib3.exceptions import HTTPError, NameResolutionError

from uploader.model.errors import BadReply, RemoteError, Unreachable, Untrusted
from uploader.remote.address import is_loopback
from uploader.remote.line_faults import (
    BROKEN,
    AnswerLate,
    HungUp,
    LineFault,
    NotConnected,
    OddAnswer,
    TooSlow,
    TornAnswer,
)

WIRE_ERRORS = (LineFault, HTTPError, OSError)
"""What the calls of a line may raise."""

_KEPT = "Everything that was acknowledged is kept."
_AGAIN = "Run the same command again when the network is back: it goes on where it stopped."


def failure(error: Exception, *, method: str, path: str, host: str, timeout_s: float) -> RemoteError:
    """The error that a fault of the line stands for; `in_doubt` says whether the request may have arrived."""
    found = _by_kind(error, host, timeout_s)
    found.path = path
    if not found.detail:
        found.detail = (
            f"Whether {method} {path} was carried out is not known. {_KEPT}" if found.in_doubt else _KEPT
        )
    return found


def is_stale_connection(error: Exception) -> bool:
    """Whether a kept line turned out to be closed by the server before it answered anything.

    A time-out is never one: the server may be busy with the request. Nor is a line that could not be made.
    """
    return isinstance(error, (HungUp, *BROKEN))


def _by_kind(error: Exception, host: str, timeout_s: float) -> RemoteError:
    match error:
        case NotConnected():
            causes = list(_causes(error))
            if error.proxy:
                return _proxy_failed(causes, error.proxy, host)
            # A TLS line that merely breaks is no question of trust: it may be there again in a moment.
            if _holds(causes, ssl.SSLError) and not _holds(causes, *BROKEN, TimeoutError):
                return _untrusted(causes, host)
            return _not_connected(causes, host)
        case TooSlow():
            way = "to" if error.sending else "from"
            moved = f"{error.moved_bytes} bytes in {error.window_s:g} s"
            found: RemoteError = Unreachable(
                f"The line is too slow: {moved} on the way {way} {host}.", remedy=_AGAIN
            )
        case AnswerLate(has_begun=True):
            found = Unreachable(f"{host} did not end its answer within {timeout_s:g} s.", remedy=_AGAIN)
        case AnswerLate() | TimeoutError():
            found = Unreachable(f"{host} gave no answer within {timeout_s:g} s.", remedy=_AGAIN)
        case TornAnswer():
            found = BadReply(f"The answer of {host} ended before its end.", remedy=_AGAIN)
        case OddAnswer():
            found = BadReply(
                f"{host} does not answer as a web server does: {error}.",
                remedy="Check the address and port in --server; a proxy or another service may stand there.",
            )
        case _:
            found = Unreachable(f"The connection to {host} broke.", remedy=_AGAIN)
    found.in_doubt = True
    return found


def _proxy_failed(causes: list[BaseException], proxy: str, host: str) -> Unreachable:
    words = _words(causes)
    remedy = f"Check HTTPS_PROXY, or add {host} to NO_PROXY if it can be reached directly."
    if "Tunnel connection failed: 407" in words:
        summary = f"The proxy {proxy} asks for a login."
        remedy = "Put user and password into the proxy variable (http://user:password@proxy:port)."
    elif "Tunnel connection failed: 5" in words:
        summary = f"The proxy {proxy} can't reach {host}."
    elif "Tunnel connection failed" in words:
        summary = f"The proxy {proxy} does not let us through."
    elif _holds(causes, NameResolutionError, socket.gaierror):
        summary = f"The name of the proxy {proxy} is not known."
    elif _holds(causes, TimeoutError):
        summary = f"The proxy {proxy} did not answer in time."
    elif _holds(causes, ConnectionRefusedError):
        summary = f"Nothing listens at the proxy {proxy}."
    else:
        summary = f"The proxy {proxy} can't be used."
    return Unreachable(summary, detail=f"{words} {_KEPT}", remedy=remedy)


def _holds(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _untrusted(causes: list[BaseException], host: str) -> Untrusted:
    words = _words(causes)
    lowered = words.casefold()
    if "not yet valid" in lowered:
        return Untrusted(
            f"The certificate of {host} is not valid yet, by this machine's clock.",
            detail=f"{words} {_KEPT}",
            remedy="Set this machine's clock: it is probably slow.",
        )
    if "expired" in lowered:
        remedy = "Have the server's certificate renewed; check this machine's clock too, it may be fast."
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


def _not_connected(causes: list[BaseException], host: str) -> Unreachable:
    if _holds(causes, TimeoutError):
        return Unreachable(f"No connection to {host} in time.", remedy=_AGAIN)
    if _holds(causes, NameResolutionError, socket.gaierror):
        if any(isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN for cause in causes):
            return Unreachable(f"The name {host} can't be looked up at the moment.", remedy=_AGAIN)
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
    """The exceptions inside an exception: urllib3 nests them as arguments, reasons and causes."""
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
    spoken = [cause for cause in causes if isinstance(cause, OSError)]
    text = str(spoken[-1]) if spoken else type(causes[-1]).__name__
    return f"The system says: {' '.join(text.split())[:200]}."
