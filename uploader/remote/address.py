"""The address of a server as a person types it, made exact: scheme, host, port and nothing else."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from uploader.model.errors import SettingsError

_EXAMPLE = "https://catalog.example.org"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def base_url(text: str) -> str:
    """`scheme://host[:port]` of a server given with or without scheme and trailing slash.

    Without a scheme it is https, on this machine itself http. Plain http to another machine is refused: it
    would show the token to everybody on the way.
    """
    given = text.strip()
    if not given:
        raise _refusal(text, "it is empty")
    if "@" in given:
        # First of all, because every other refusal shows what was given.
        raise _refusal("", "it holds a user name or password; use NANOFERRY_TOKEN for that")
    if any(letter.isspace() for letter in given):
        raise _refusal(text, "it holds a space")
    has_scheme = "://" in given
    try:
        parts = urlsplit(given if has_scheme else f"//{given}")
        port = parts.port
    except ValueError as error:
        raise _refusal(text, "host or port can't be read") from error
    host = (parts.hostname or "").rstrip(".")
    if not host.isascii():
        # The two encodings of ß, for one, lead to different hosts: better the person says which.
        raise _refusal(text, f"write {host} in its ASCII form (xn--…)")
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise _refusal(text, f"{host} is no host name") from error
    if not host:
        raise _refusal(text, "it names no host")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _refusal(text, "it goes on after the host; only scheme, host and port belong here")
    scheme = parts.scheme if has_scheme else ("http" if is_loopback(host) else "https")
    if scheme not in _DEFAULT_PORTS:
        raise _refusal(text, f"{scheme}:// is not a web address")
    if scheme == "http" and not is_loopback(host):
        raise _refusal(text, "http:// would send the token in clear text; use https://")
    return f"{scheme}://{_netloc(host, port, scheme)}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine itself."""
    name = host.strip("[]").casefold()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _netloc(host: str, port: int | None, scheme: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port in (None, _DEFAULT_PORTS[scheme]) else f"{name}:{port}"


def _refusal(text: str, why: str) -> SettingsError:
    return SettingsError(
        f"The server address {f'{text!r} ' if text else ''}can't be used: {why}.",
        detail="Nothing was sent.",
        remedy=f"Give it as {_EXAMPLE} (--server or NANOFERRY_SERVER).",
    )
