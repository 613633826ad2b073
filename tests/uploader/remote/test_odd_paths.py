"""Paths come out of receipts, rows and answers too: none may lead to another host."""

from __future__ import annotations

import pytest

from uploader.model.errors import BadRequest
from uploader.remote.credentials import Credentials
from uploader.remote.http import Connection


@pytest.mark.parametrize(
    "path",
    [
        "@elsewhere.example/x",
        ".elsewhere.example/x",
        ":80@elsewhere.example/",
        "",
        "/a b",
        "/a\r\nX: y",
        "/\u00e9",
    ],
)
def test_a_path_that_could_go_on_with_the_host_is_never_sent(path: str) -> None:
    connection = Connection("http://127.0.0.1:1", Credentials(token="secret"))
    with pytest.raises(BadRequest, match="is no address on a server") as caught:
        connection.request("GET", path, repeatable=True)
    assert "secret" not in str(caught.value)
    with pytest.raises(BadRequest):
        next(connection.stream(path))
