"""One pooled, verified connection to one server: signs requests, sends bodies, turns failures into our errors."""

from __future__ import annotations

import json
import os
import platform
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from uploader.model.errors import BadReply, BadRequest, RemoteError, SettingsError
from uploader.remote.address import base_url as exact_base_url
from uploader.remote.address import is_loopback
from uploader.remote.answers import refusal
from uploader.remote.credentials import Credentials
from uploader.remote.failures import failure, is_stale_connection
from uploader.remote.wording import is_web_page, summary_of

SERVER_ID_HEADER = "Nanoferry-Server-Id"
"""On every reply of an embedded server: the UUID of its data folder."""

# Python's sendall() counts its time-out over the whole buffer: in slices, a slow line may take as long as it
# needs as long as it moves.
_SLICE_BYTES = 128 * 1024
_T = TypeVar("_T")
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
LARGEST_REPLY_BYTES = 128 * 1024 * 1024
"""Of an answer that is taken whole, unpacked; objects are streamed. Pages of rows and models stay far below."""
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes
    path: str = ""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON; raises BadReply when it is something else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:  # nesting without end is no JSON of a server's either
            raise _not_json(self) from error


class Connection:
    """Requests to one server; may be used by several threads at once.

    One adapter for all threads: its pool hands out connections under a lock. Not a requests.Session, which adds
    what we must not have: cookies of the server's, a login from .netrc, and redirects that it prepares to follow.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        pool_size: int = 16,
        connect_timeout_s: float = 15.0,
        read_timeout_s: float = 120.0,
        client_context: Mapping[str, str] | None = None,
    ) -> None:
        self.base_url = exact_base_url(base_url)
        self.host = urlsplit(self.base_url).netloc
        self._credentials = credentials
        self._is_loopback = is_loopback(urlsplit(self.base_url).hostname or "")
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._verify = _ca_bundle()
        self._proxies = {} if self._is_loopback else get_environ_proxies(self.base_url, no_proxy=None)
        self._headers = {
            "User-Agent": f"nanoferry/{_version()}",
            "Deriva-Client-Context": _encoded_context(client_context or {}),
        }
        self._announced_id = ""
        self._has_answered = False
        self._adapter = HTTPAdapter(pool_connections=2, pool_maxsize=pool_size, max_retries=0)

    @property
    def is_anonymous(self) -> bool:
        """Whether requests go out unsigned."""
        return self._credentials.is_anonymous

    @property
    def identity(self) -> str:
        """What deliveries know the server by: an embedded server's UUID, else the host (and unusual port)."""
        if self._is_loopback and not self._has_answered:
            self.request("GET", "/authn/session", accepted=(200, 401, 404), repeatable=True)
        return self._announced_id or self.host.casefold()

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
    ) -> Reply:
        """The complete answer of one request; any status but the accepted ones raises a RemoteError.

        `path` is percent-encoded and sent as it is. A `repeatable` request changes nothing more when it arrives
        twice: it is repeated once, at once, when a pooled connection proves to have been closed by the server.
        """
        timeout_s = self._read_timeout_s if read_timeout_s is None else read_timeout_s

        def exchange() -> Reply:
            with closing(self._open(method, path, query, headers, body, timeout_s)) as response:
                return Reply(response.status_code, response.headers, _whole(response, path, self.host), path)

        reply = self._tried(exchange, method, path, timeout_s, repeatable=repeatable)
        if reply.status not in accepted:
            raise refusal(method, path, reply.status, reply.headers, reply.body)
        return reply

    def json(self, path: str, *, query: str = "", read_timeout_s: float | None = None) -> Any:
        """The JSON document at a path."""
        reply = self.request(
            "GET",
            path,
            query=query,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
            repeatable=True,
            read_timeout_s=read_timeout_s,
        )
        return reply.json()

    def stream(self, path: str, *, block_bytes: int = 1 << 20) -> Iterator[bytes]:
        """The body at a path in blocks; raises BadReply when it ends before its announced length."""
        timeout_s = self._read_timeout_s
        open_body = partial(self._open, "GET", path, "", _NO_HEADERS, None, timeout_s)
        with closing(self._tried(open_body, "GET", path, timeout_s, repeatable=True)) as response:
            try:
                if response.status_code != 200:
                    said = _whole(response, path, self.host)
                    raise refusal("GET", path, response.status_code, response.headers, said)
                yield from response.iter_content(block_bytes)
            except (RequestException, HTTPError, OSError) as error:
                raise self._failure(error, "GET", path, timeout_s) from error

    def close(self) -> None:
        """Close the idle connections."""
        self._adapter.close()

    def _tried(
        self, call: Callable[[], _T], method: str, path: str, timeout_s: float, *, repeatable: bool
    ) -> _T:
        try:
            return call()
        except (RequestException, HTTPError, OSError) as error:
            if not (repeatable and is_stale_connection(error)):
                raise self._failure(error, method, path, timeout_s) from error
        try:
            return call()
        except (RequestException, HTTPError, OSError) as error:
            raise self._failure(error, method, path, timeout_s) from error

    def _open(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes | memoryview | None,
        timeout_s: float,
    ) -> requests.Response:
        _refuse_odd_path(path)
        request = requests.PreparedRequest()
        request.method = method
        # Set rather than prepared: requests would decode and encode the names again, and Hatrac compares bytes.
        request.url = f"{self.base_url}{path}{'?' if query else ''}{query}"
        request.headers = CaseInsensitiveDict({**self._headers, **self._credentials.headers(), **headers})
        if body is not None:
            request.headers["Content-Length"] = str(len(body))
            request.body = _Slices(body) if len(body) else b""  # type: ignore[assignment]
        elif method in {"PUT", "POST"}:
            request.headers["Content-Length"] = "0"
        response = self._adapter.send(
            request,
            stream=True,
            verify=self._verify,
            proxies=self._proxies,
            timeout=(self._connect_timeout_s, timeout_s),
        )
        if not self._has_answered:
            # Believed from this machine only: elsewhere the verified host name is the identity.
            if self._is_loopback:
                self._announced_id = _as_uuid(response.headers.get(SERVER_ID_HEADER, ""))
            self._has_answered = True
        return response

    def _failure(self, error: Exception, method: str, path: str, timeout_s: float) -> RemoteError:
        return failure(error, method=method, path=path, host=self.host, timeout_s=timeout_s)


class _Slices:
    """A body sent in slices without copying; it can be iterated again for a repetition."""

    def __init__(self, body: bytes | memoryview) -> None:
        self._body = memoryview(body)

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[memoryview]:
        for start in range(0, len(self._body), _SLICE_BYTES):
            yield self._body[start : start + _SLICE_BYTES]


def _refuse_odd_path(path: str) -> None:
    # Paths also come out of receipts, rows and answers. One that does not begin with a slash could go on with the
    # host name ("@elsewhere.org/"), and the login would go there.
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise BadRequest(
            f"{path[:200]!r} is no address on a server.",
            detail="Nothing was sent.",
            remedy="It comes from a receipt, a record or the server: check where that is from.",
        )


def _whole(response: requests.Response, path: str, host: str) -> bytes:
    """The unpacked body; raises BadReply instead of filling the memory with what a server makes up."""
    blocks: list[bytes] = []
    size_bytes = 0
    for block in response.iter_content(_READ_BYTES):
        blocks.append(block)
        size_bytes += len(block)
        if size_bytes > LARGEST_REPLY_BYTES:
            error = BadReply(
                f"The answer of {host} does not end within {LARGEST_REPLY_BYTES >> 20} MiB.",
                status=response.status_code,
                detail="It was not read further. Everything that was acknowledged is kept.",
                remedy="Check the address in --server; if it is right, tell the server's owner.",
                path=path,
            )
            error.in_doubt = True
            raise error
    return b"".join(blocks)


def _not_json(reply: Reply) -> BadReply:
    if is_web_page(reply.headers, reply.body):
        summary = "A web page came where data was expected."
        remedy = (
            "A sign-in page of the network or a proxy may stand between: open any site in a browser first."
        )
    else:
        summary, remedy = "The server's answer can't be read as JSON.", ""
    error = BadReply(
        summary,
        status=reply.status,
        detail=f"{reply.path}: {summary_of(reply.headers, reply.body)}",
        remedy=remedy,
        path=reply.path,
    )
    error.in_doubt = True
    return error


def _ca_bundle() -> str | bool:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if given := os.environ.get(name, ""):
            if not Path(given).exists():
                raise SettingsError(
                    f"{name} names {given}, which does not exist.",
                    detail="Nothing was sent.",
                    remedy="Let it name a file of CA certificates, or unset it.",
                )
            return given
    return True


def _encoded_context(given: Mapping[str, str]) -> str:
    """JSON, percent-encoded as DERIVA's logs expect; `wid` ties the requests of one process together."""
    context = {"cid": f"nanoferry/{_version()}", "wid": uuid.uuid4().hex, "os": platform.system(), **given}
    return quote(json.dumps(context, separators=(",", ":")), safe='{}[]":,/')


def _as_uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text)) if text else ""
    except ValueError:
        return ""


def _version() -> str:
    try:
        return version("nanoferry")
    except PackageNotFoundError:
        return "0"
