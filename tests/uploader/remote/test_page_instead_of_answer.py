"""A sign-in page of some network answers 200 to everything: no such page acknowledges a chunk or names an object."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from loopback_server import Answer, LoopbackServer, page

from uploader.bootstrap import SystemClock
from uploader.model.errors import BadReply, Retry
from uploader.remote.credentials import Credentials
from uploader.remote.hatrac import HatracStore
from uploader.remote.http import Connection

PAGE = page(200, "Welcome", "Please accept the terms.")


@contextmanager
def opened(server: LoopbackServer) -> Iterator[HatracStore]:
    with closing(Connection(server.url, Credentials(token="secret"))) as connection:
        yield HatracStore(connection, clock=SystemClock())


def test_a_page_acknowledges_no_chunk_and_is_no_namespace() -> None:
    with LoopbackServer(lambda _: PAGE) as portal, opened(portal) as store:
        with pytest.raises(BadReply, match="web page") as caught:
            store.put_chunk("/hatrac/o;upload/J", 0, b"part", hashlib.md5(b"part").digest())
        assert (caught.value.retry, caught.value.in_doubt) == (Retry.LATER, True)
        with pytest.raises(BadReply, match="web page"):
            store.head("/hatrac/o")


def test_an_object_may_be_a_page_and_an_empty_answer_may_name_one() -> None:
    held = {"Content-Type": "text/html", "Content-Location": "/hatrac/o.html:V", "Content-Length": "9"}
    with (
        LoopbackServer(lambda asked: Answer(204 if asked.method == "PUT" else 200, b"", held)) as server,
        opened(server) as store,
    ):
        found = store.head("/hatrac/o.html")
        assert found is not None
        assert found.url == "/hatrac/o.html:V"
        store.put_chunk("/hatrac/o;upload/J", 0, b"part", hashlib.md5(b"part").digest())
