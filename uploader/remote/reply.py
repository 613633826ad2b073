"""A complete answer, taken whole within bounds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from uploader.model.errors import BadReply
from uploader.remote.wording import is_web_page, summary_of

LARGEST_REPLY_BYTES = 128 * 1024 * 1024
"""Of an answer that is taken whole, unpacked; objects are streamed. Pages of rows and models stay far below."""


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


def whole(blocks: Iterable[bytes], *, status: int, path: str, host: str) -> bytes:
    """The body in one piece; raises BadReply instead of filling the memory with what a server makes up."""
    taken: list[bytes] = []
    size_bytes = 0
    for block in blocks:
        taken.append(block)
        size_bytes += len(block)
        if size_bytes > LARGEST_REPLY_BYTES:
            error = BadReply(
                f"The answer of {host} does not end within {LARGEST_REPLY_BYTES >> 20} MiB.",
                status=status,
                detail="It was not read further. Everything that was acknowledged is kept.",
                remedy="Check the address in --server; if it is right, tell the server's owner.",
                path=path,
            )
            error.in_doubt = True
            raise error
    return b"".join(taken)


def refuse_web_page(method: str, reply: Reply) -> None:
    """Raise BadReply for a success that is a web page: the sign-in page of some network answers for the server.

    An object may be a page itself, but HEAD of one says where it lies; a 204 may name HTML and hold nothing.
    """
    if method == "HEAD":
        is_page = is_web_page(reply.headers, b"") and "Content-Location" not in reply.headers
    else:
        is_page = bool(reply.body) and is_web_page(reply.headers, reply.body)
    if is_page:
        raise _page_instead(reply)


def _page_instead(reply: Reply) -> BadReply:
    error = BadReply(
        "A web page came where data was expected.",
        status=reply.status,
        detail=f"{reply.path}: {summary_of(reply.headers, reply.body)}",
        remedy="A sign-in page of the network or a proxy may stand between: open any site in a browser first.",
        path=reply.path,
    )
    error.in_doubt = True
    return error


def _not_json(reply: Reply) -> BadReply:
    if is_web_page(reply.headers, reply.body):
        return _page_instead(reply)
    error = BadReply(
        "The server's answer can't be read as JSON.",
        status=reply.status,
        detail=f"{reply.path}: {summary_of(reply.headers, reply.body)}",
        path=reply.path,
    )
    error.in_doubt = True
    return error
