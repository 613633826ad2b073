"""The web page: its static files and the one-time link that opens it."""

from __future__ import annotations

import threading
from importlib import resources

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from uploader.embedded.authn import Identities, cookies_of
from uploader.embedded.endpoint import Endpoint, key_is_genuine
from uploader.embedded.identity import Client

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

_USED = (
    "This link has been used or has expired. Each link opens the page once.\n"
    "Run `nanoferry serve` (with the same --data) to print a fresh one.\n"
)


class PageLinks:
    """Lets each one-time key in once."""

    def __init__(self, endpoint: Endpoint, identities: Identities, owner: Client) -> None:
        self._endpoint = endpoint
        self._identities = identities
        self._owner = owner
        self._used: set[str] = set()
        self._lock = threading.Lock()

    async def open(self, request: Request) -> Response:
        """Turn a fresh key into a page session and go to the page."""
        key = request.query_params.get("key", "")
        to_page = RedirectResponse(
            "/", 303, headers={"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
        )
        if self._spend(key):
            secret = self._identities.open_page(self._owner)
            to_page.set_cookie(
                self._identities.page_cookie, secret, httponly=True, samesite="strict", path="/"
            )
            return to_page
        if request.state.client is not None and cookies_of(request.headers):
            return to_page  # the same browser clicked twice
        return Response(_USED, 403, media_type="text/plain")

    def _spend(self, key: str) -> bool:
        if not key_is_genuine(key, self._endpoint.token, self._endpoint.run):
            return False
        with self._lock:
            fresh = key not in self._used
            self._used.add(key)
        return fresh


def page_routes() -> list[Route]:
    """Routes of the page's own files, each read once."""
    folder = resources.files("uploader.embedded") / "web"
    routes = []
    for file in folder.iterdir():
        _, _, suffix = file.name.rpartition(".")
        if suffix not in _TYPES:
            continue
        path = "/" if file.name == "index.html" else f"/web/{file.name}"
        routes.append(_static(path, file.read_bytes(), _TYPES[suffix]))
    return routes


def _static(path: str, content: bytes, media_type: str) -> Route:
    async def answer(request: Request) -> Response:
        del request
        return Response(content, headers={**_HEADERS, "Content-Type": media_type})

    return Route(path, answer, methods=["GET", "HEAD"])
