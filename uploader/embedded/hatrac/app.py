"""Hatrac as an ASGI application; mount it at /hatrac."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Receive, Scope, Send

from uploader.embedded.hatrac.bodies import ClientGone
from uploader.embedded.hatrac.exchange import Exchange, exchange
from uploader.embedded.hatrac.jobs import Jobs
from uploader.embedded.hatrac.metadata import Metadata
from uploader.embedded.hatrac.names import Target, parse
from uploader.embedded.hatrac.objects import Objects
from uploader.embedded.hatrac.refusal import Refusal
from uploader.embedded.hatrac.rights import Rights
from uploader.embedded.hatrac.store import HatracStore

_log = logging.getLogger(__name__)


def hatrac_app(store: HatracStore, rights: Rights) -> ASGIApp:
    """The application over a store."""
    objects, jobs, metadata = Objects(store, rights), Jobs(store, rights), Metadata(store, rights)

    async def dispatch(asked: Exchange) -> None:
        match asked.target.sub:
            case None:
                await objects.handle(asked)
            case "versions":
                await objects.versions(asked)
            case "metadata":
                await metadata.handle(asked)
            case "upload":
                await jobs.handle(asked)
            case _:
                raise Refusal(
                    501,
                    "Access lists (;acl) are not kept by the embedded catalog: its owner has every right.",
                )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked = exchange(scope, receive, send, Target(""))
        try:
            target = parse(scope["raw_path"].decode("latin-1"))
            asked = exchange(scope, receive, send, target)
            await dispatch(asked)
        except Refusal as refusal:
            await asked.answer(
                refusal.status, refusal.text, media_type=refusal.media_type, headers=refusal.headers
            )
        except ClientGone:
            _log.info("a client went away during %s %s", scope["method"], scope["path"])

    return app
