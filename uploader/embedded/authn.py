"""Who is calling: tokens, page sessions, and the `/authn/session` resource."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import CookieError, SimpleCookie

from starlette.requests import Request
from starlette.responses import Response

from uploader.embedded.identity import Client

COOKIE = "webauthn"
LIFE = timedelta(days=365)


@dataclass(slots=True)
class Identities:
    """Tokens and page sessions -> clients. Kept by hash, so that a look-up's time tells nothing of a token."""

    page_cookie: str
    """Name of the page's cookie: one per server, because browsers share cookies among the ports of a host."""
    _by_token: dict[bytes, Client] = field(default_factory=dict)
    _by_page: dict[bytes, Client] = field(default_factory=dict)
    _since: datetime = field(default_factory=lambda: datetime.now(UTC))
    _expires: dict[str, datetime] = field(default_factory=dict)

    def add(self, tokens: Mapping[str, Client]) -> None:
        """Let these tokens stand for these clients."""
        self._by_token |= {_hash(token): client for token, client in tokens.items()}

    def open_page(self, client: Client) -> str:
        """A new page session of a client: the value of its cookie."""
        secret = secrets.token_urlsafe(32)
        self._by_page[_hash(secret)] = client
        return secret

    def close_page(self, cookies: Mapping[str, str]) -> bool:
        """End the page session of these cookies; False when there is none."""
        return self._by_page.pop(_hash(cookies.get(self.page_cookie, "")), None) is not None

    def client(self, headers: Mapping[str, str]) -> Client | None:
        """The client that a request's headers stand for; None is anonymous, a bogus token included."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (found := self._by_token.get(_hash(token.strip()))):
            return found
        cookies = cookies_of(headers)
        return self._by_token.get(_hash(cookies.get(COOKIE, ""))) or self._by_page.get(
            _hash(cookies.get(self.page_cookie, ""))
        )

    def session(self, client: Client, *, extend: bool = False) -> dict[str, object]:
        """The session document of a client."""
        now = datetime.now(UTC)
        if extend:
            self._expires[client.id] = now + LIFE
        expires = self._expires.get(client.id, self._since + LIFE)
        who = {"id": client.id, "display_name": client.display_name, "identities": [client.id]}
        groups = [{"id": group, "display_name": group} for group in client.attributes if group != client.id]
        return {
            "client": who,
            "attributes": [who, *groups],
            "since": str(self._since),
            "expires": str(expires),
            "seconds_remaining": int((expires - now).total_seconds()),
            "vary_headers": ["cookie"],
            "tracking": None,
        }


def cookies_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Cookies of a request by name; a malformed header holds none."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


async def session_resource(request: Request) -> Response:
    """`/authn/session`: who am I (GET), stay signed in (PUT), sign out (DELETE), sign in (POST, always refused)."""
    identities: Identities = request.app.state.identities
    client: Client | None = request.state.client
    if request.method == "POST":
        if client is not None:
            return _text(409, "Login request conflicts with current client authentication state.")
        return _text(401, "Session establishment failed.")
    if client is None:
        return _text(404, "No existing login session found.")
    if request.method == "DELETE":
        # A token is the server's own and stays; only a page can sign out.
        identities.close_page(cookies_of(request.headers))
        answer = _json({"logout_url": "/"})
        answer.delete_cookie(identities.page_cookie, path="/", httponly=True, samesite="strict")
        return answer
    return _json(identities.session(client, extend=request.method == "PUT"))


async def preauth_resource(request: Request) -> Response:
    """`/authn/preauth`: how to sign in."""
    del request
    return _json({"redirect_url": "/", "authentication_type": "token"})


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", errors="surrogateescape")).digest()


def _text(status: int, text: str) -> Response:
    return Response(f"{text}\n", status, headers={"Content-Type": "text/plain"})


def _json(document: Mapping[str, object]) -> Response:
    content = f"{json.dumps(document)}\n"
    return Response(content, headers={"Content-Type": "application/json", "Cache-Control": "no-store"})
