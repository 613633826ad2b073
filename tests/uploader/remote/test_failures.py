"""Every fault of a line has its own words, and says whether the request may have been carried out."""

from __future__ import annotations

import socket
import ssl

import pytest
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

from uploader.model.errors import BadReply, RemoteError, Retry, Unreachable, Untrusted
from uploader.remote.failures import failure, is_stale_connection
from uploader.remote.line_faults import (
    AnswerLate,
    HungUp,
    NotConnected,
    OddAnswer,
    TooSlow,
    TornAnswer,
)

WIRE = HTTPConnection("h")


def said(error: Exception) -> RemoteError:
    return failure(error, method="PUT", path="/x", host="h", timeout_s=120.0)


def not_connected(cause: Exception, *, proxy: str = "") -> NotConnected:
    error = NotConnected(proxy=proxy)
    error.__cause__ = cause
    return error


def wrapped(cause: OSError) -> NewConnectionError:
    error = NewConnectionError(WIRE, f"Failed to establish a new connection: {cause}")
    error.__cause__ = cause
    return error


def unknown_name(code: int) -> NameResolutionError:
    cause = socket.gaierror(code, "Name or service not known")
    error = NameResolutionError("h", WIRE, cause)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        (unknown_name(socket.EAI_NONAME), Unreachable, "name h is not known"),
        (unknown_name(socket.EAI_AGAIN), Unreachable, "can't be looked up at the moment"),
        (wrapped(ConnectionRefusedError(111, "refused")), Unreachable, "Nothing listens"),
        (wrapped(OSError(101, "Network is unreachable")), Unreachable, "no way to h"),
        (wrapped(OSError(24, "Too many open files")), Unreachable, "Too many open files"),
        (TimeoutError("timed out"), Unreachable, "in time"),
        (ConnectionResetError(104, "reset"), Unreachable, "No connection"),
        (ssl.SSLEOFError(8, "EOF occurred"), Unreachable, "No connection"),
        (ssl.SSLCertVerificationError(1, "certificate is not yet valid"), Untrusted, "this machine's clock"),
        (ssl.SSLCertVerificationError(1, "certificate has expired"), Untrusted, "clock too"),
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), Untrusted, "REQUESTS_CA_BUNDLE"),
        (ssl.SSLCertVerificationError(1, "Hostname mismatch"), Untrusted, "issued for"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), Untrusted, "does not speak TLS"),
    ],
)
def test_a_line_that_was_not_made_is_never_in_doubt(
    cause: Exception, kind: type[RemoteError], words: str
) -> None:
    error = said(not_connected(cause))
    assert type(error) is kind
    assert words in str(error)
    assert not error.in_doubt
    assert error.path == "/x"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (OSError("Tunnel connection failed: 407 Proxy Authentication Required"), "asks for a login"),
        (OSError("Tunnel connection failed: 403 Forbidden"), "does not let us through"),
        (OSError("Tunnel connection failed: 504 Gateway Timeout"), "can't reach h"),
        (unknown_name(socket.EAI_NONAME), "name of the proxy"),
        (wrapped(ConnectionRefusedError(111, "refused")), "Nothing listens at the proxy"),
        (TimeoutError("timed out"), "did not answer in time"),
        (ssl.SSLError(1, "odd"), "can't be used"),
    ],
)
def test_a_proxy_s_faults_are_not_the_server_s(cause: Exception, words: str) -> None:
    error = said(not_connected(cause, proxy="proxy:3128"))
    assert words in error.summary
    assert "proxy:3128" in error.summary
    assert error.retry is Retry.LATER
    assert not error.in_doubt


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (
            TooSlow(moved_bytes=512, window_s=30.0, sending=True),
            Unreachable,
            "The line is too slow: 512 bytes in 30 s on the way to h.",
        ),
        (TooSlow(moved_bytes=0, window_s=30.0, sending=False), Unreachable, "on the way from h."),
        (AnswerLate(has_begun=False), Unreachable, "h gave no answer within 120 s."),
        (AnswerLate(has_begun=True), Unreachable, "h did not end its answer within 120 s."),
        (TornAnswer("x"), BadReply, "ended before its end"),
        (OddAnswer("first line 'SSH-2.0'"), BadReply, "SSH-2.0"),
        (HungUp("x"), Unreachable, "broke"),
        (BrokenPipeError(32, "Broken pipe"), Unreachable, "broke"),
    ],
)
def test_a_line_that_was_made_leaves_the_request_in_doubt(
    fault: Exception, kind: type[RemoteError], words: str
) -> None:
    error = said(fault)
    assert type(error) is kind
    assert words in error.summary
    assert error.in_doubt
    assert error.retry is Retry.LATER
    assert "PUT /x was carried out is not known" in error.detail


def test_only_a_line_that_broke_without_an_answer_may_have_been_stale() -> None:
    assert is_stale_connection(HungUp("x"))
    assert is_stale_connection(ConnectionResetError(104, "reset"))
    assert is_stale_connection(ssl.SSLEOFError(8, "EOF"))
    for other in (
        TornAnswer("x"),
        AnswerLate(has_begun=False),
        TooSlow(moved_bytes=0, window_s=30.0, sending=True),
        TimeoutError("x"),
        not_connected(ConnectionResetError(104, "reset")),
    ):
        assert not is_stale_connection(other)
