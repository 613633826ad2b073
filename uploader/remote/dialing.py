"""How a line to a server is made: its TLS, its certificate authorities, and the proxy of the environment."""

from __future__ import annotations

import base64
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import HTTPError
from urllib3.util import create_urllib3_context, parse_url

from uploader.model.errors import SettingsError
from uploader.remote.address import is_loopback
from uploader.remote.line_faults import NotConnected

_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
# Head and body of a small request leave in one packet train: nothing is gained by waiting for more.
_SOCKET_OPTIONS: list[tuple[int, int, int | bytes]] = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
]


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """A proxy of the environment; its login is never shown."""

    url: str
    """Without a login."""
    headers: dict[str, str]

    @property
    def place(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one server."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """None: plain, to this machine only."""
    proxy: Proxy | None


def route_to(base_url: str) -> Route:
    """The way to a server, by the environment; raises SettingsError when its variables can't be followed."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    named = _authorities()
    is_secure = parts.scheme == "https"
    # This machine itself is never reached through a proxy, and plain http leads to it alone.
    proxy = None if is_loopback(host) else _proxy(base_url)
    port = parts.port or (443 if is_secure else 80)
    return Route(host, port, _verifying(*named) if is_secure else None, proxy)


def dial(route: Route, timeout_s: float) -> HTTPConnection:
    """A connected, verified socket in its wrapping; raises NotConnected."""
    wire = _wire(route, timeout_s)
    try:
        wire.connect()
    except (HTTPError, OSError, ValueError, AssertionError) as error:
        # The tunnel's end closes the wire itself, so that this reads False for everything up to it.
        reached_server = route.proxy is None or wire.has_connected_to_proxy
        wire.close()
        raise NotConnected(proxy="" if reached_server or not route.proxy else route.proxy.place) from error
    if route.tls is not None and not wire.is_verified:
        wire.close()
        raise NotConnected() from ssl.SSLCertVerificationError("the certificate was not checked")
    return wire


def _wire(route: Route, timeout_s: float) -> HTTPConnection:
    if route.tls is None:
        return HTTPConnection(route.host, route.port, timeout=timeout_s, socket_options=_SOCKET_OPTIONS)
    if route.proxy is None:
        return HTTPSConnection(
            route.host,
            route.port,
            timeout=timeout_s,
            socket_options=_SOCKET_OPTIONS,
            ssl_context=route.tls,
        )
    proxy = parse_url(route.proxy.url)
    wire = HTTPSConnection(
        proxy.host or "",
        proxy.port or {"https": 443}.get(proxy.scheme or "", 80),
        timeout=timeout_s,
        socket_options=_SOCKET_OPTIONS,
        ssl_context=route.tls,
        proxy=proxy,
        proxy_config=ProxyConfig(
            ssl_context=route.tls,
            use_forwarding_for_https=False,
            assert_hostname=None,
            assert_fingerprint=None,
        ),
    )
    wire.set_tunnel(route.host, route.port, headers=route.proxy.headers, scheme=proxy.scheme or "http")
    return wire


def _proxy(base_url: str) -> Proxy | None:
    # Imported late: a server on this machine does without, and the import takes as long as ten requests.
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415

    given = select_proxy(base_url, get_environ_proxies(base_url, no_proxy=None))
    if not given:
        return None
    try:
        parts = urlsplit(given if "://" in given else f"http://{given}")
        place = f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError as error:
        raise _proxy_refusal("its port can't be read") from error
    if parts.scheme not in {"http", "https"}:
        raise _proxy_refusal(f"{parts.scheme}:// is no proxy that we can use")
    if not parts.hostname:
        raise _proxy_refusal("it names no host")
    if ":" in parts.hostname:
        place = place.replace(parts.hostname, f"[{parts.hostname}]")
    return Proxy(f"{parts.scheme}://{place}", _proxy_login(parts.username, parts.password))


def _proxy_login(name: str | None, password: str | None) -> dict[str, str]:
    if not name:
        return {}
    pair = f"{unquote(name)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}


def _proxy_refusal(why: str) -> SettingsError:
    return SettingsError(
        f"The proxy of this environment can't be used: {why}.",
        detail="Nothing was sent.",
        remedy="Set HTTPS_PROXY to http://host:port, or add the server to NO_PROXY.",
    )


def _authorities() -> tuple[str, str]:
    """The variable and the path of the certificate authorities; empty when no variable is set."""
    for name in _BUNDLE_VARIABLES:
        if given := os.environ.get(name, ""):
            if not Path(given).exists():
                raise _bundle_refusal(name, given, "which does not exist")
            return name, given
    return "", ""


def _verifying(name: str, path: str) -> ssl.SSLContext:
    """One context for all lines: reading the authorities takes 20 ms. Without a path they are those of certifi."""
    if not path:
        from requests.utils import DEFAULT_CA_BUNDLE_PATH  # noqa: PLC0415 - this machine itself needs none

        path = DEFAULT_CA_BUNDLE_PATH
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.check_hostname = True
    try:
        if Path(path).is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        raise _bundle_refusal(
            name or "The Python package certifi", path, "which holds no certificates"
        ) from error
    return context


def _bundle_refusal(name: str, path: str, why: str) -> SettingsError:
    return SettingsError(
        f"{name} names {path}, {why}.",
        detail="Nothing was sent.",
        remedy="Let it name a file of CA certificates, or unset it.",
    )
