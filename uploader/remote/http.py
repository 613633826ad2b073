"""One pooled, verified connection to one server: signs requests, sends bodies, turns failures into our errors."""

from __future__ import annotations

import json
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from uploader.model.errors import SettingsError
from uploader.remote.address import base_url as exact_base_url
from uploader.remote.address import is_loopback
from uploader.remote.answer_reader import AnswerReader
from uploader.remote.answers import refusal
from uploader.remote.credentials import Credentials
from uploader.remote.dialing import route_to
from uploader.remote.failures import WIRE_ERRORS, failure, is_stale_connection
from uploader.remote.line import WHOLE_SLICE_BYTES, Line, Pace, Patience
from uploader.remote.line_faults import BROKEN, TooSlow
from uploader.remote.line_pool import LinePool
from uploader.remote.reply import Reply, refuse_web_page, whole
from uploader.remote.reply_head import ReplyHead
from uploader.remote.request_head import request_head, standing_lines
from uploader.remote.server_clock import ServerClock

SERVER_ID_HEADER = "Nanoferry-Server-Id"
"""On every reply of an embedded server: the UUID of its data folder."""

MOST_LINES = 64
"""The engine's cap of requests at once."""

_T = TypeVar("_T")
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_NO_BODY = memoryview(b"")
_JSON = {"Accept": "application/json", "Accept-Encoding": "gzip"}
_LEAST_SLICE_BYTES = 4 * 1024


@dataclass(frozen=True, slots=True)
class _Server:
    """Where requests go and how they are signed; replaced as a whole, so that no request sees half of a change."""

    base_url: str
    credentials: Credentials
    lines: LinePool
    standing: bytes = field(repr=False)
    """Header lines of every request, the login among them."""

    host: str
    """Host and, unless it is the usual one, port."""
    is_loopback: bool


class Connection:
    """Requests to one server; may be used by several threads at once.

    Not a requests.Session, which adds what we must not have: cookies of the server's, a login from .netrc, and
    redirects that it prepares to follow. Of requests and urllib3 it uses what makes a line: proxies, certificates.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        pool_size: int = MOST_LINES,
        read_timeout_s: float = 120.0,
        client_context: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        pace: Pace | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        """`pace` is called before each slice of a paced body with its size; it may wait, or raise to give up."""
        self._pool_size = pool_size
        self._read_timeout_s = read_timeout_s
        self._patience = patience or Patience()
        self._pace = pace
        self._slice_bytes = WHOLE_SLICE_BYTES
        self._own_headers = {
            "User-Agent": f"nanoferry/{_version()}",
            "Deriva-Client-Context": _encoded_context(client_context or {}),
        }
        self._clock = ServerClock(wall_s=wall_s)
        self._changing = threading.Lock()
        self._announced_id = ""
        self._has_answered = False
        self._server = self._server_at(base_url, credentials)

    @property
    def base_url(self) -> str:
        """`scheme://host[:port]`; changes with `rebind`."""
        return self._server.base_url

    @property
    def host(self) -> str:
        """Host and, unless it is the usual one, port."""
        return self._server.host

    @property
    def is_anonymous(self) -> bool:
        """Whether requests go out unsigned."""
        return self._server.credentials.is_anonymous

    @property
    def clock_skew_s(self) -> float | None:
        """Seconds that the server's clock is ahead of ours (negative: behind); None until it is known."""
        return self._clock.skew_s

    @property
    def open_lines(self) -> int:
        """Connections that are open, in use or idle."""
        return self._server.lines.open_lines

    @property
    def identity(self) -> str:
        """What deliveries know the server by: an embedded server's UUID, else the host (and unusual port)."""
        if self._server.is_loopback and not self._has_answered:
            self.request("GET", "/authn/session", accepted=(200, 401, 404), repeatable=True)
        return self._announced_id or self.host.casefold()

    def rebind(self, base_url: str, credentials: Credentials) -> None:
        """Go on at another address of the same server, as when an embedded one came back at another port.

        Requests under way end where they began. Raises SettingsError when another server answers there, and
        what a request raises when none does; requests then go where they went before.
        """
        with self._changing:
            known = self.identity if self._has_answered else ""
            found = self._server_at(base_url, credentials)
            try:
                reply = self._request_at(
                    found,
                    "GET",
                    "/authn/session",
                    _NO_HEADERS,
                    None,
                    self._read_timeout_s,
                    None,
                    repeatable=True,
                )
                announced = _announced(found, reply.headers)
                identity = announced or found.host.casefold()
                if known and identity != known:
                    raise SettingsError(
                        f"Another server answers at {found.base_url}: {identity}, not {known}.",
                        detail="Nothing was sent there.",
                        remedy="Start the same server again, or give the right address with --server.",
                    )
            except BaseException:
                found.lines.close()
                raise
            self._announced_id, self._has_answered = announced, True
            before, self._server = self._server, found
        before.lines.close()

    def refresh_credentials(self, credentials: Credentials) -> None:
        """Sign the requests that begin from now on with this login."""
        with self._changing:
            standing = self._standing(self._server.host, credentials)
            self._server = replace(self._server, credentials=credentials, standing=standing)

    def send_in_slices_of(self, size_bytes: int) -> None:
        """Size of the slices of paced bodies; smaller ones keep a slow line moving, larger ones cost less."""
        self._slice_bytes = max(_LEAST_SLICE_BYTES, size_bytes)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | memoryview | None = None,
        repeatable: bool,
        accepted: tuple[int, ...] = (200, 201, 204),
        read_timeout_s: float | None = None,
        paced: bool = False,
    ) -> Reply:
        """The complete answer of one request; any status but the accepted ones raises a RemoteError.

        `path` is percent-encoded and sent as it is. A `repeatable` request changes nothing more when it arrives
        twice: it is repeated once, at once, when a kept line proves to have been closed by the server. A `paced`
        body waits for the bandwidth limit.
        """
        reply = self._request_at(
            self._server,
            method,
            f"{path}?{query}" if query else path,
            headers,
            body,
            self._read_timeout_s if read_timeout_s is None else read_timeout_s,
            self._pace if paced else None,
            repeatable=repeatable,
        )
        if reply.status not in accepted:
            raise refusal(method, path, reply.status, reply.headers, reply.body)
        if reply.status < 300:
            refuse_web_page(method, reply)
        return reply

    def json(self, path: str, *, query: str = "", read_timeout_s: float | None = None) -> Any:
        """The JSON document at a path."""
        reply = self.request(
            "GET", path, query=query, headers=_JSON, repeatable=True, read_timeout_s=read_timeout_s
        )
        return reply.json()

    def stream(self, path: str) -> Iterator[bytes]:
        """The body at a path in blocks; raises BadReply when it ends before its announced length."""
        server = self._server
        timeout_s = self._read_timeout_s
        head = request_head("GET", path, server.standing, _NO_HEADERS, length_bytes=None)

        def begin(*, again: bool) -> tuple[Line, AnswerReader, ReplyHead]:
            line = server.lines.take(fresh=again)
            try:
                return line, *self._asked(line, "GET", head, _NO_BODY, timeout_s, None)
            except BaseException:
                server.lines.give_back(line)
                raise

        try:
            line, answer, found = _tried(begin, repeatable=True)
            try:
                self._hear(server, found)
                if found.status != 200:
                    said = whole(answer.blocks(found), status=found.status, path=path, host=server.host)
                    raise refusal("GET", path, found.status, found.headers, said)
                yield from answer.blocks(found)
            finally:
                # Left early by the reader, it still has the rest of the object in it and is closed.
                server.lines.give_back(line)
        except WIRE_ERRORS as error:
            raise failure(error, method="GET", path=path, host=server.host, timeout_s=timeout_s) from error

    def close(self) -> None:
        """Close the idle lines; those in use close when their request ends."""
        self._server.lines.close()

    def _request_at(
        self,
        server: _Server,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | memoryview | None,
        timeout_s: float,
        pace: Pace | None,
        *,
        repeatable: bool,
    ) -> Reply:
        """The answer of this server, whatever its status."""
        view = _NO_BODY if body is None else memoryview(body).cast("B")
        has_length = body is not None or method in {"PUT", "POST"}
        head = request_head(
            method, target, server.standing, headers, length_bytes=len(view) if has_length else None
        )
        path = target.partition("?")[0]

        def exchange(*, again: bool) -> Reply:
            line = server.lines.take(fresh=again)
            try:
                answer, found = self._asked(line, method, head, view, timeout_s, pace)
                said = whole(answer.blocks(found), status=found.status, path=path, host=server.host)
            finally:
                server.lines.give_back(line)
            self._hear(server, found)
            return Reply(found.status, found.headers, said, path)

        try:
            return _tried(exchange, repeatable=repeatable)
        except WIRE_ERRORS as error:
            raise failure(error, method=method, path=path, host=server.host, timeout_s=timeout_s) from error

    def _asked(
        self, line: Line, method: str, head: bytes, body: memoryview, timeout_s: float, pace: Pace | None
    ) -> tuple[AnswerReader, ReplyHead]:
        """The answer, read as far as its head."""
        answer = AnswerReader(line, method)
        try:
            line.send(head, body, slice_bytes=self._slice_bytes if pace else WHOLE_SLICE_BYTES, pace=pace)
        except (*BROKEN, TooSlow) as error:
            return answer, _early(line, answer, error)
        line.expect_answer(timeout_s)
        return answer, answer.head()

    def _hear(self, server: _Server, head: ReplyHead) -> None:
        self._clock.hear(head.headers)
        if not self._has_answered and server is self._server:
            self._announced_id = _announced(server, head.headers)
            self._has_answered = True

    def _server_at(self, base_url: str, credentials: Credentials) -> _Server:
        exact = exact_base_url(base_url)
        lines = LinePool(route_to(exact), most=self._pool_size, patience=self._patience)
        parts = urlsplit(exact)
        return _Server(
            exact,
            credentials,
            lines,
            self._standing(parts.netloc, credentials),
            parts.netloc,
            is_loopback(parts.hostname or ""),
        )

    def _standing(self, host: str, credentials: Credentials) -> bytes:
        return standing_lines({"Host": host, **self._own_headers, **credentials.headers()})


def _tried(call: Callable[..., _T], *, repeatable: bool) -> _T:
    try:
        return call(again=False)
    except WIRE_ERRORS as error:
        if not (repeatable and is_stale_connection(error)):
            raise
    return call(again=True)


def _early(line: Line, answer: AnswerReader, error: Exception) -> ReplyHead:
    """The answer of a server that took no more because it had already said why; else the error."""
    line.expect_early_answer()
    try:
        head = answer.head()
    except WIRE_ERRORS:
        raise error from None
    if head.status < 400:
        raise error  # it can't have done what it has not been told
    return head


def _announced(server: _Server, headers: Mapping[str, str]) -> str:
    """The UUID that an embedded server says it is; empty when none."""
    # Believed from this machine only: elsewhere the verified host name is the identity.
    text = headers.get(SERVER_ID_HEADER, "") if server.is_loopback else ""
    try:
        return str(uuid.UUID(text)) if text else ""
    except ValueError:
        return ""


def _encoded_context(given: Mapping[str, str]) -> str:
    """JSON, percent-encoded as DERIVA's logs expect; `wid` ties the requests of one process together."""
    context = {"cid": f"nanoferry/{_version()}", "wid": uuid.uuid4().hex, "os": platform.system(), **given}
    return quote(json.dumps(context, separators=(",", ":")), safe='{}[]":,/')


@cache
def _version() -> str:
    # Imported late and asked once: it reads files.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("nanoferry")
    except PackageNotFoundError:
        return "0"
