"""Every reply names the server by the UUID of its data folder, so that a new port is no new server."""

from __future__ import annotations

import uuid
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/authn/session"),
        ("GET", "/hatrac/none"),
        ("HEAD", "/hatrac/none"),
        ("GET", "/ermrest/catalog/1"),
        ("GET", "/nowhere"),
    ],
)
def test_every_reply_names_the_server(call: Any, method: str, path: str) -> None:
    answer = call(method, path)
    assert answer.headers["Nanoferry-Server-Id"] == call.endpoint.server_id
    assert uuid.UUID(call.endpoint.server_id)
