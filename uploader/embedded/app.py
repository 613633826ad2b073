"""Puts the embedded catalog together: Hatrac, ERMrest, sign-in and page behind one gate."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from uploader.embedded.announce import announcing
from uploader.embedded.authn import Identities, preauth_resource, session_resource
from uploader.embedded.gate import gate
from uploader.embedded.hatrac.app import hatrac_app
from uploader.embedded.hatrac.rights import Rights
from uploader.embedded.hatrac.store import HatracStore
from uploader.embedded.page import PageLinks, page_routes


def embedded_app(
    *,
    store: HatracStore,
    rights: Rights,
    identities: Identities,
    links: PageLinks,
    ermrest: Sequence[BaseRoute],
    port: int,
    server_id: str,
) -> ASGIApp:
    """The whole server as one ASGI application."""
    routes: list[BaseRoute] = [
        Route("/authn/session", session_resource, methods=["GET", "PUT", "POST", "DELETE"]),
        Route("/authn/preauth", preauth_resource, methods=["GET"]),
        Route("/open", links.open, methods=["GET"]),
        *page_routes(),
        Mount("/ermrest", routes=list(ermrest)),
    ]
    rest = Starlette(routes=routes)
    rest.state.identities = identities
    app = gate(
        hatrac=hatrac_app(store, rights),
        rest=rest,
        identities=identities,
        port=port,
        public_read=rights.public_read,
    )
    return announcing(app, server_id)
