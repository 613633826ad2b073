"""An embedded server that came back at another port, and a login that was renewed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from loopback_server import Answer, Asked, LoopbackServer, text

from uploader.model.errors import NotSignedIn, SettingsError, Unreachable
from uploader.remote.credentials import Credentials
from uploader.remote.http import Connection

Serve = Callable[..., LoopbackServer]
Connect = Callable[..., Connection]
OURS = "0d2c8ad6-3b7e-4a1f-9a4e-0f6c5d1e2b3a"
ANOTHER = "99999999-3b7e-4a1f-9a4e-0f6c5d1e2b3a"


def embedded(server_id: str) -> Callable[[Asked], Answer]:
    return lambda asked: text(200, "ok", Nanoferry_Server_Id=server_id)


def test_requests_go_on_at_the_new_address_with_the_new_login(serve: Serve, connect: Connect) -> None:
    before, after = serve(embedded(OURS)), serve(embedded(OURS))
    connection = connect(before.url)
    assert connection.identity == OURS
    connection.rebind(after.url, Credentials(token="new"))
    connection.request("PUT", "/x", body=b"b", repeatable=False)
    assert connection.base_url == after.url
    assert connection.identity == OURS
    assert after.lines() == ["GET /authn/session", "PUT /x"]
    assert after.asked[1].headers["authorization"] == "Bearer new"
    assert after.asked[1].headers["host"] == connection.host
    assert len(before.asked) == 1


@pytest.mark.parametrize("stranger", [ANOTHER, "", "not-a-uuid"])
def test_another_server_at_the_new_address_is_refused(stranger: str, serve: Serve, connect: Connect) -> None:
    ours, other = serve(embedded(OURS)), serve(embedded(stranger))
    connection = connect(ours.url)
    assert connection.identity == OURS
    with pytest.raises(SettingsError, match="Another server answers"):
        connection.rebind(other.url, Credentials(token="new"))
    connection.request("GET", "/x", repeatable=True)
    assert ours.lines()[-1] == "GET /x"
    assert ours.asked[-1].headers["authorization"] == "Bearer secret"


def test_while_nothing_answers_there_all_stays_as_it_was(serve: Serve, connect: Connect) -> None:
    ours, gone = serve(embedded(OURS)), serve(embedded(OURS))
    gone.close()
    connection = connect(ours.url)
    assert connection.identity == OURS
    with pytest.raises(Unreachable, match="Nothing listens"):
        connection.rebind(gone.url, Credentials())
    assert connection.base_url == ours.url
    assert not connection.is_anonymous


def test_a_connection_that_was_never_used_may_be_sent_anywhere(serve: Serve, connect: Connect) -> None:
    server = serve(embedded(OURS))
    connection = connect("http://127.0.0.1:1")
    connection.rebind(server.url, Credentials())
    assert connection.identity == OURS
    assert len(server.asked) == 1


def test_a_request_under_way_ends_where_it_began(serve: Serve, connect: Connect) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(asked: Asked) -> Answer:
        if asked.path == "/slow":
            begun.set()
            go_on.wait(10)
        return embedded(OURS)(asked)

    before, after = serve(wait), serve(embedded(OURS))
    connection = connect(before.url)
    assert connection.identity == OURS
    statuses: list[int] = []
    thread = threading.Thread(
        target=lambda: statuses.append(connection.request("GET", "/slow", repeatable=True).status)
    )
    thread.start()
    begun.wait(10)
    connection.rebind(after.url, Credentials())
    go_on.set()
    thread.join(timeout=10)
    assert statuses == [200]
    connection.request("GET", "/x", repeatable=True)
    assert after.lines()[-1] == "GET /x"


def test_a_renewed_login_signs_from_then_on_and_keeps_the_line(serve: Serve, connect: Connect) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(200) if asked.headers.get("cookie") == "webauthn=new" else text(401, "Authentication")

    server = serve(answer)
    connection = connect(server.url)
    with pytest.raises(NotSignedIn):
        connection.request("PUT", "/x", repeatable=False)
    connection.refresh_credentials(Credentials(cookie="new"))
    assert connection.request("PUT", "/x", repeatable=False).status == 200
    assert "authorization" not in server.asked[1].headers
    assert len({asked.connection for asked in server.asked}) == 1
