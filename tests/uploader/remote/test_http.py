"""The connection: what it sends, what it never sends, and what broken lines and strange hosts become."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from loopback_server import Answer, Asked, LoopbackServer, page, text

from uploader.model.errors import (
    BadReply,
    BadRequest,
    NotSignedIn,
    RemoteError,
    Retry,
    SettingsError,
    Unreachable,
    Untrusted,
)
from uploader.remote.credentials import Credentials
from uploader.remote.failures import failure
from uploader.remote.http import Connection
from uploader.remote.session import require_session, session

Serve = Callable[[Callable[[Asked], Answer]], LoopbackServer]
Connect = Callable[..., Connection]


def ok(_: Asked) -> Answer:
    return Answer(200, b"[]", {"Content-Type": "application/json", "Set-Cookie": "webauthn=planted; Path=/"})


# what is sent ----------------------------------------------------------------------------------


def test_requests_are_signed_and_say_who_we_are(serve: Serve) -> None:
    server = serve(ok)
    connection = Connection(
        server.url, Credentials(token="geheim"), client_context={"action": "upload", "catalog": "1"}
    )
    connection.json("/ermrest/catalog/1/schema", query="limit=1")
    connection.close()
    asked = server.asked[0]
    assert asked.target == "/ermrest/catalog/1/schema?limit=1"
    assert asked.headers["authorization"] == "Bearer geheim"
    assert asked.headers["user-agent"].startswith("nanoferry/")
    context = urllib.parse.unquote(asked.headers["deriva-client-context"])
    assert '"action":"upload"' in context
    assert '"cid":"nanoferry/' in context


def test_planted_cookies_and_netrc_never_change_the_login(
    serve: Serve, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", "utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(ok)
    connection = connect(server.url)
    for _ in range(2):
        connection.json("/x")
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer secret"] * 2
    assert not any("cookie" in asked.headers for asked in server.asked)


def test_this_machine_is_reached_without_a_proxy_others_through_it(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(lambda asked: text(403, "no"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server = serve(ok)
    connect(server.url).json("/x")
    assert proxy.asked == []
    with pytest.raises(Unreachable, match="proxy"):
        connect("https://catalog.example.org").json("/x")
    assert proxy.lines() == ["CONNECT catalog.example.org:443"]
    # The tunnel is asked for without the login: that is for the server inside it.
    assert "authorization" not in proxy.asked[0].headers


def test_a_missing_ca_bundle_is_said_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with pytest.raises(SettingsError, match="REQUESTS_CA_BUNDLE"):
        Connection("https://catalog.example.org", Credentials())


def test_tokens_stay_out_of_logs_and_messages(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(lambda asked: text(401, "Authentication required"))
    with caplog.at_level(logging.DEBUG), pytest.raises(NotSignedIn) as caught:
        connect(server.url, token="geheim").json("/x")
    assert "geheim" not in caplog.text
    assert "geheim" not in str(caught.value)


def test_a_redirect_to_another_host_gets_nothing(serve: Serve, connect: Connect) -> None:
    other = serve(ok)
    server = serve(lambda asked: Answer(302, headers={"Location": f"{other.url}/x"}))
    with pytest.raises(BadRequest, match="sends us to"):
        connect(server.url).json("/x")
    assert other.asked == []


def test_bodies_have_a_length_and_many_threads_share_the_connection(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: Answer(200, asked.body, {"Content-Type": "text/plain"}))
    connection = connect(server.url, pool_size=4)
    replies: dict[int, bytes] = {}

    def send(number: int) -> None:
        for _ in range(20):
            body = bytes([number]) * 100_000
            replies[number] = connection.request("PUT", f"/{number}", body=body, repeatable=True).body

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == {number: bytes([number]) * 100_000 for number in range(4)}
    assert len({asked.connection for asked in server.asked}) <= 4


# lines that break ------------------------------------------------------------------------------


def test_a_repeatable_request_is_repeated_once_at_once(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: Answer(silent=True))
    with pytest.raises(Unreachable) as caught:
        connect(server.url).request("PUT", "/x", body=b"b", repeatable=True)
    assert server.lines() == ["PUT /x", "PUT /x"]
    assert caught.value.in_doubt


def test_a_download_survives_a_closed_idle_connection(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: Answer(200, b"0123456789", closes=True))
    connection = connect(server.url)
    assert [b"".join(connection.stream("/x")) for _ in range(3)] == [b"0123456789"] * 3


def test_another_request_is_sent_once(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: Answer(silent=True))
    with pytest.raises(Unreachable, match="is not known"):
        connect(server.url).request("POST", "/x", body=b"b", repeatable=False)
    assert server.lines() == ["POST /x"]


def test_a_torn_answer_is_a_bad_reply_in_doubt(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: Answer(200, b"[1, 2, 3]", body_sent_bytes=4))
    with pytest.raises(BadReply, match="ended before its end") as caught:
        connect(server.url).request("POST", "/x", repeatable=False)
    assert caught.value.in_doubt
    assert len(server.asked) == 1


def test_a_silent_server_is_given_up_after_the_time_out(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: Answer(delay_s=0.5))
    with pytest.raises(Unreachable, match="no answer within") as caught:
        connect(server.url, read_timeout_s=0.05).request("GET", "/x", repeatable=True)
    assert caught.value.in_doubt
    assert len(server.asked) == 1


def test_nobody_listening_is_not_in_doubt(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Unreachable, match="Nothing listens") as caught:
        connect(f"http://127.0.0.1:{port}").json("/x")
    assert not caught.value.in_doubt
    assert "nanoferry serve" in caught.value.remedy


def test_an_unknown_name_is_said_as_such(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match=r"catalog\.example\.org is not known") as caught:
        connect("https://catalog.example.org").json("/x")
    assert not caught.value.in_doubt


def test_a_sign_in_page_of_the_network_is_not_data(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: page(200, "Welcome to the guest network", "Please accept the terms."))
    with pytest.raises(BadReply, match="guest network"):
        connect(server.url).json("/x")


# TLS -------------------------------------------------------------------------------------------


def test_a_port_without_tls_is_named(serve: Serve, connect: Connect) -> None:
    server = serve(ok)
    with pytest.raises(Untrusted, match="does not speak TLS") as caught:
        connect(f"https://127.0.0.1:{server.port}").json("/x")
    assert caught.value.retry is Retry.AFTER_FIX
    assert server.asked == []


def test_a_self_signed_certificate_is_refused_unless_the_bundle_names_it(
    tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-keyout", key, "-out", certificate, "-days", "1", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        heard: list[bytes] = []
        thread = threading.Thread(target=_answer_over_tls, args=(listener, context, heard, 3))
        thread.start()
        with pytest.raises(Untrusted, match="REQUESTS_CA_BUNDLE"):
            connect(f"https://localhost:{port}").json("/x")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert connect(f"https://localhost:{port}").json("/x") == []
        with pytest.raises(Untrusted, match="issued for"):
            connect(f"https://127.0.0.1:{port}").json("/x")
        thread.join(timeout=10)
    assert len(heard) == 1


def _answer_over_tls(
    listener: socket.socket, context: ssl.SSLContext, heard: list[bytes], count: int
) -> None:
    for _ in range(count):
        line, _ = listener.accept()
        try:
            with context.wrap_socket(line, server_side=True) as secure:
                heard.append(secure.recv(4096))
                secure.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]")
        except OSError:
            line.close()


# identity and session --------------------------------------------------------------------------

SERVER_ID = "0d2c8ad6-3b7e-4a1f-9a4e-0f6c5d1e2b3a"


def test_an_embedded_server_is_known_by_its_uuid_whatever_its_port(serve: Serve, connect: Connect) -> None:
    answer = text(404, "No existing login session found.", Nanoferry_Server_Id=SERVER_ID)
    assert connect(serve(lambda asked: answer).url).identity == SERVER_ID
    assert connect(serve(lambda asked: answer).url).identity == SERVER_ID


def test_without_an_id_the_host_is_the_identity(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: text(404, "none", Nanoferry_Server_Id="not-a-uuid"))
    connection = connect(server.url)
    assert connection.identity == f"127.0.0.1:{server.port}"
    assert connection.identity == f"127.0.0.1:{server.port}"
    assert len(server.asked) == 1
    assert connect("https://Catalog.example.org").identity == "catalog.example.org"


def test_the_session_says_who_and_until_when(serve: Serve, connect: Connect) -> None:
    body = (
        b'{"client": {"id": "me", "display_name": "Me"}, "expires": "2027-11-20 22:21:23.140332+00:00", '
        b'"seconds_remaining": 86151}'
    )
    server = serve(lambda asked: Answer(200, body, {"Content-Type": "application/json"}))
    found = require_session(connect(server.url))
    assert (found.client_id, found.display_name) == ("me", "Me")
    assert found.expires is not None
    assert found.expires.year == 2027


@pytest.mark.parametrize("status", [401, 404])
def test_a_dead_login_is_anonymous_and_can_be_insisted_on(
    status: int, serve: Serve, connect: Connect
) -> None:
    server = serve(lambda asked: text(status, "No existing login session found."))
    assert session(connect(server.url)) is None
    with pytest.raises(NotSignedIn, match="does not know this login"):
        require_session(connect(server.url))
    with pytest.raises(NotSignedIn, match="No login was given"):
        require_session(connect(server.url, token=""))


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"client": 1}', b'{"client": {"id": "x"}, "expires": 5}'])
def test_an_odd_session_document_never_crashes(body: bytes, serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: Answer(200, body, {"Content-Type": "application/json"}))
    try:
        found = session(connect(server.url))
    except BadReply:
        return
    assert found is not None
    assert found.expires is None


def test_any_exception_of_the_client_becomes_an_error_with_words() -> None:
    for error in (requests.exceptions.RequestException("odd"), OSError(5, "I/O error"), ValueError("x")):
        found: Any = failure(error, method="GET", path="/x", host="h", timeout_s=1)
        assert isinstance(found, RemoteError)
        assert found.summary


def test_an_answer_without_end_is_given_up_before_it_fills_the_memory(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uploader.remote.reply.LARGEST_REPLY_BYTES", 2 << 20)
    server = serve(lambda _: Answer(200, b" " * (4 << 20), {"Content-Type": "application/json"}))
    with pytest.raises(BadReply, match="does not end within 2 MiB") as caught:
        connect(server.url).json("/rows")
    assert caught.value.in_doubt
