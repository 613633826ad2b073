"""What a hostile page, another account of the machine or a broken client may send; the server shrugs it off."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from uploader.embedded import lifecycle
from uploader.embedded.endpoint import LOCK_FILE, Endpoint, write_endpoint
from uploader.embedded.lock import held
from uploader.embedded.ownership import refuse_foreign
from uploader.embedded.server import in_thread
from uploader.model.errors import SettingsError

CATALOG = "/ermrest/catalog/1"
TABLES = f"{CATALOG}/entity/public:ERMrest_Client"

Reply = tuple[int, Mapping[str, str], bytes]


def ask(
    endpoint: Endpoint,
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    signed: bool = True,
    **headers: str,
) -> Reply:
    """One request whose path and headers are sent exactly as given."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if signed:
        named.setdefault("Authorization", f"Bearer {endpoint.token}")
    connection = http.client.HTTPConnection(endpoint.url.removeprefix("http://"), timeout=30)
    try:
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def raw(endpoint: Endpoint, request: bytes) -> bytes:
    """What comes back for these bytes, until the server closes."""
    host, _, port = endpoint.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(request.replace(b"HOST", f"{host}:{port}".encode()))
        parts = []
        try:
            while part := line.recv(65_536):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "evil@{host}", "{host}.evil.example"])
def test_a_page_under_another_name_is_not_answered(endpoint: Endpoint, host: str) -> None:
    name = host.format(host=endpoint.url.removeprefix("http://"))
    assert ask(endpoint, "GET", f"{CATALOG}/schema", Host=name)[0] == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://{host}"])
def test_a_page_of_another_origin_cannot_write(endpoint: Endpoint, origin: str) -> None:
    given = origin.format(host=endpoint.url.removeprefix("http://"))
    for method, path in (("POST", TABLES), ("PUT", "/hatrac/a"), ("DELETE", "/authn/session")):
        assert ask(endpoint, method, path, b"[]", Origin=given)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        f"{CATALOG}/schema",
        "/%65rmrest/catalog/1/schema",
        "//ermrest/catalog/1/schema",
        "/hatrac/",
        "/hatrac/a",
    ],
)
def test_another_account_of_the_machine_reads_nothing(endpoint: Endpoint, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer \xff\xfe"}, {"Cookie": '=;;\x80; webauthn="'}):
        assert ask(endpoint, "GET", path, None, signed=False, **headers)[0] in (401, 404)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("../../x", 400),
        ("%2e%2e/x", 400),
        ("a/%2E%2e/b", 400),
        ("a%2F..%2Fb", 201),  # one segment, whose bytes happen to be slashes
        ("a%00b", 201),
        ("a\\b", 400),
        ("a//b", 400),
        ("a" * 300, 400),
        ("a:../../x", 405),
        ("a;upload/../../x", 404),
    ],
)
def test_no_object_name_leads_out_of_the_folder(
    endpoint: Endpoint, tmp_path: Path, name: str, status: int
) -> None:
    before = {path for path in tmp_path.rglob("*") if "hatrac" not in path.parts}
    assert ask(endpoint, "PUT", f"/hatrac/{name}?parents=true", b"bytes")[0] == status
    assert {path for path in tmp_path.rglob("*") if "hatrac" not in path.parts} == before


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript"])
def test_an_uploaded_page_cannot_act_as_ours(endpoint: Endpoint, kind: str) -> None:
    assert ask(endpoint, "PUT", "/hatrac/page", b"<script>alert(1)</script>", Content_Type=kind)[0] == 201
    _, headers, _ = ask(endpoint, "GET", "/hatrac/page")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox;")


def test_metadata_cannot_add_headers(endpoint: Endpoint) -> None:
    job = {"chunk-length": 5, "content-length": 5, "content-type": "text/plain\r\nSet-Cookie: a=b"}
    body = json.dumps(job).encode()
    assert ask(endpoint, "POST", "/hatrac/a;upload", body, Content_Type="application/json")[0] == 400
    disposition = "filename*=UTF-8''a%0d%0aSet-Cookie: x"
    assert ask(endpoint, "PUT", "/hatrac/a", b"x", Content_Disposition=disposition)[0] == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("ID=%27%20OR%201%3D1--", 200),
        ("ID=' OR 1=1--".replace(" ", "%20"), 400),
        ("%22ID%22=1", 409),
        ("ID=%ff", 400),
        ("ID=%00", 400),
        ("ID=a%0Ab", 200),
        ("ID=1?limit=%D9%A3", 400),
        ("ID=1?limit=1;2", 400),
        ("ID::regexp::%28a%2B%29%2B%24", 200),
        ("!(" * 500 + "ID=1" + ")" * 500, 400),
        ("ID=" + "9" * 5000, 404),
    ],
)
def test_no_address_reaches_the_database_as_sql(endpoint: Endpoint, path: str, status: int) -> None:
    found, _, body = ask(endpoint, "GET", f"{TABLES}/{path}")
    assert found == status, body
    assert ask(endpoint, "GET", f"{CATALOG}/schema/public/table/ERMrest_Client")[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'[{"ID":' + b"[" * 5000 + b"]" * 5000 + b"}]",
        b'[{"ID":' + b"9" * 6000 + b"}]",
        b'[{"ID":NaN}]',
        b'[{"ID":1e999}]',
        b'[{"ID":"\\ud800"}]',
        b'[{"ID":"\\u0000"}]',
        b'[{"ID":"\xff"}]',
        b"\x1f\x8b",
    ],
)
def test_no_body_makes_the_server_stumble(endpoint: Endpoint, body: bytes) -> None:
    assert ask(endpoint, "POST", TABLES, body, Content_Type="application/json")[0] == 400


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /authn/session HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST /authn/session HTTP/1.1\r\nHost: HOST\r\nContent-Length: +5\r\n\r\nabcde",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: evil\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"a" * 2_000_000,
        b"GET / HTTP/1.1\r\nHost: HOST\r\n" + b"X: a\r\n" * 200_000 + b"\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX : a\r\n\r\n",
        b"POST /authn/session HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(endpoint: Endpoint, request_bytes: bytes) -> None:
    assert raw(endpoint, request_bytes).startswith(b"HTTP/1.1 400 ")


def test_idle_connections_of_others_do_not_use_up_the_files(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del endpoint
    monkeypatch.setattr("uploader.embedded.server.MOST_CONNECTIONS", 5)
    with in_thread(tmp_path / "few") as few:
        host, _, port = few.url.removeprefix("http://").partition(":")
        idle = [socket.create_connection((host, int(port))) for _ in range(8)]
        assert ask(few, "GET", "/authn/session")[0] == 503
        for line in idle:
            line.close()


def test_a_link_opens_the_page_once(endpoint: Endpoint) -> None:
    link = endpoint.page_link.removeprefix(endpoint.url)
    first, headers, _ = ask(endpoint, "GET", link, signed=False)
    assert first == 303
    assert "HttpOnly" in headers["set-cookie"]
    assert "samesite=strict" in headers["set-cookie"].lower()
    assert headers["location"] == "/", "the key leaves the address bar"
    assert ask(endpoint, "GET", link, signed=False)[0] == 403
    assert ask(endpoint, "GET", "/open?key=9999999999.x." + "0" * 64, signed=False)[0] == 403


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_a_folder_that_everybody_may_write_to_is_not_served(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(SettingsError, match="Every user"), in_thread(tmp_path):
        pass
    with pytest.raises(SettingsError, match="Every user"):
        lifecycle.running(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="POSIX owners")
def test_a_folder_of_somebody_else_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_242)
    with pytest.raises(SettingsError, match="another user"):
        refuse_foreign(tmp_path)


def test_a_damaged_catalog_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "ermrest").mkdir()
    (tmp_path / "ermrest" / "1.sqlite").write_bytes(b"no database" * 1000)
    with in_thread(tmp_path) as running:
        status, _, body = ask(running, "GET", f"{CATALOG}/schema")
    assert status == 500
    assert b"is damaged; it was left as it is" in body


def test_a_server_that_cannot_be_asked_to_stop_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_path: Path, _text: str) -> None:
        raise OSError(28, "No space left on device")

    write_endpoint(tmp_path, Endpoint("http://127.0.0.1:1", "t", "id", 4_242, "run"))
    monkeypatch.setattr(lifecycle, "write_private", no_room)
    monkeypatch.setattr(lifecycle, "is_held", lambda _path: True)
    with held(tmp_path / LOCK_FILE), pytest.raises(SettingsError) as caught:
        lifecycle.stop(tmp_path)
    assert "No space left" in caught.value.summary
    assert "4242" in caught.value.remedy
