"""The Starlette face of the embedded ERMrest: routes to be mounted at /ermrest."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from uploader.embedded.ermrest.errors import Refusal
from uploader.embedded.ermrest.exchange import Answer, Request, refusal_answer
from uploader.embedded.ermrest.service import answer
from uploader.embedded.ermrest.store import CatalogStore

MAX_BODY_BYTES = 64 << 20
_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]
_NO_BODY = frozenset({204, 304})


def routes(store: CatalogStore) -> list[BaseRoute]:
    """The routes of the service.

    The caller is `request.state.client` (a Client, or None for nobody), which the surrounding application sets.
    """

    async def endpoint(http: HttpRequest) -> Response:
        try:
            body = await _body(http)
        except Refusal as refusal:
            return _response(refusal_answer(refusal), http.method)
        prefix = http.scope.get("root_path", "")
        raw = http.scope.get("raw_path") or http.scope["path"].encode()
        request = Request(
            http.method,
            raw.split(b"?", 1)[0].decode("latin-1"),
            http.scope.get("query_string", b"").decode("latin-1"),
            {name.lower(): value for name, value in http.headers.items()},
            body,
            getattr(http.state, "client", None),
        )
        return _response(await run_in_threadpool(answer, store, request, prefix), http.method)

    return [Route("/{rest:path}", endpoint, methods=_METHODS)]


async def _body(http: HttpRequest) -> bytes:
    """The whole body; raises Refusal (413) before more than the limit is in memory."""
    parts = bytearray()
    async for part in http.stream():
        parts += part
        if len(parts) > MAX_BODY_BYTES:
            raise Refusal(413, f"a body may have at most {MAX_BODY_BYTES} bytes; send fewer rows at a time")
    return bytes(parts)


def _response(given: Answer, method: str) -> Response:
    headers = dict(given.headers)
    if given.media:
        headers["Content-Type"] = given.media
    if given.status in _NO_BODY:
        return Response(status_code=given.status, headers=headers)
    if method == "HEAD":
        headers["Content-Length"] = str(sum(len(part) for part in given.body))
        return Response(status_code=given.status, headers=headers)
    if "Content-Length" in headers:
        return StreamingResponse(iter(given.body), status_code=given.status, headers=headers)
    return Response(b"".join(given.body), status_code=given.status, headers=headers)
