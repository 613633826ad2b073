"""Lines are made by the environment: its proxies, its certificate authorities, and never without verification."""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback_server import Answer, Asked, LoopbackServer, text

from uploader.model.errors import SettingsError, Unreachable, Untrusted
from uploader.remote.credentials import Credentials
from uploader.remote.dialing import route_to
from uploader.remote.http import Connection

Serve = Callable[..., LoopbackServer]
HOST = "catalog.example.org"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, *BUNDLE_VARIABLES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Key and self-signed certificate of catalog.example.org."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    key, made = folder / "key.pem", folder / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj"
    names = ["/CN=test", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run([*command.split(), *names, "-keyout", key, "-out", made], check=True, capture_output=True)
    return key, made


class Tunnel:
    """A proxy that opens a tunnel to one TLS server of its own, whatever host is asked for."""

    def __init__(self, key: Path, certificate: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.asked: list[bytes] = []
        self.inside: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            line, _ = self._listener.accept()
            with line:
                self._tunnel(line)

    def _tunnel(self, line: socket.socket) -> None:
        self.asked.append(line.recv(65536))
        line.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with self.context.wrap_socket(line, server_side=True) as secure:
            self.inside.append(secure.recv(65536))
            secure.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n[]")

    def close(self) -> None:
        with socket.socket() as knock:
            knock.connect_ex(("127.0.0.1", self.port))
        self._thread.join(timeout=10)
        self._listener.close()


@pytest.fixture
def tunnel(certificate: tuple[Path, Path]) -> Iterator[Tunnel]:
    made = Tunnel(*certificate)
    yield made
    made.close()


def ask(url: str = f"https://{HOST}") -> object:
    connection = Connection(url, Credentials(token="secret"))
    try:
        return connection.json("/x")
    finally:
        connection.close()


# proxies ---------------------------------------------------------------------------------------


def test_a_proxy_is_asked_for_a_tunnel_and_the_certificate_is_the_server_s(
    tunnel: Tunnel, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@127.0.0.1:{tunnel.port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    assert ask() == []
    login = base64.b64encode(b"me:p@ss")
    assert tunnel.asked[0].startswith(f"CONNECT {HOST}:443 HTTP/1".encode())
    assert b"Proxy-Authorization: Basic " + login in tunnel.asked[0]
    assert b"secret" not in tunnel.asked[0]  # our login is for the server inside the tunnel
    assert b"Authorization: Bearer secret" in tunnel.inside[0]
    assert login not in tunnel.inside[0]


def test_a_certificate_inside_a_tunnel_is_verified_too(
    tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{tunnel.port}")
    with pytest.raises(Untrusted, match=HOST):
        ask()
    assert tunnel.inside == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(407, "asks for a login"), (403, "does not let us through"), (502, "can't reach")],
)
def test_what_a_proxy_refuses_is_said(
    status: int, words: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(lambda asked: text(status, "no"))
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:hidden@127.0.0.1:{proxy.port}")
    with pytest.raises(Unreachable, match=words) as caught:
        ask()
    assert not caught.value.in_doubt
    assert "hidden" not in str(caught.value)
    assert f"127.0.0.1:{proxy.port}" in caught.value.summary


def test_a_proxy_that_is_not_there_is_told_apart_from_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises(Unreachable, match=f"Nothing listens at the proxy 127.0.0.1:{port}") as caught:
        ask()
    assert "NO_PROXY" in caught.value.remedy


def test_no_proxy_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example.org:3128")
    assert route_to(f"https://{HOST}").proxy is not None
    monkeypatch.setenv("NO_PROXY", "elsewhere.org, .example.org")
    assert route_to(f"https://{HOST}").proxy is None


@pytest.mark.parametrize(
    "address", ["socks5://proxy:1080", "http://:3128", "http://proxy:port", "ftp://proxy:21"]
)
def test_a_proxy_that_we_can_t_use_is_refused_before_anything_is_sent(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(SettingsError, match="proxy of this environment"):
        route_to(f"https://{HOST}")


# certificate authorities -----------------------------------------------------------------------


@pytest.mark.parametrize("variable", BUNDLE_VARIABLES)
def test_each_variable_names_a_bundle(
    variable: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(certificate[1]))
    context = route_to(f"https://{HOST}").tls
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


def test_the_first_variable_counts(
    certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    assert route_to(f"https://{HOST}").tls is not None


def test_a_bundle_without_certificates_is_said_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("no certificates here", "utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "notes.txt"))
    with pytest.raises(SettingsError, match=r"SSL_CERT_FILE names .* holds no certificates"):
        route_to(f"https://{HOST}")


def test_this_machine_needs_no_bundle_and_gets_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example.org:3128")
    route = route_to("http://127.0.0.1:8080")
    assert (route.host, route.port, route.tls, route.proxy) == ("127.0.0.1", 8080, None, None)
    assert route_to("https://[::1]").port == 443


# bodies over TLS -------------------------------------------------------------------------------


@pytest.mark.parametrize("size_bytes", [0, 100, 1 << 20])
def test_bodies_of_every_size_arrive_over_tls(
    size_bytes: int, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tunnel's other end stands in for a server on another machine."""
    body = bytes(range(256)) * (size_bytes // 256) + bytes(size_bytes % 256)
    taking = Taking(*certificate)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{taking.port}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))
    connection = Connection(f"https://{HOST}", Credentials())
    reply = connection.request("PUT", "/x", body=memoryview(body), repeatable=False)
    connection.close()
    taking.close()
    assert reply.status == 200
    assert taking.inside[0].endswith(b"\r\n\r\n" + body)


def test_a_proxy_may_itself_be_reached_over_tls(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS inside TLS; the proxy's certificate is verified like the server's."""
    inner = Taking(*certificate, asks_for_tunnel=False)
    outer = OverTls(*certificate, inner.port)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))
    monkeypatch.setattr(socket, "getaddrinfo", only_this_machine)
    monkeypatch.setenv("HTTPS_PROXY", f"https://{HOST}:{outer.port}")
    connection = Connection(f"https://{HOST}", Credentials())
    try:
        body = bytes(range(256)) * 2000
        assert connection.request("PUT", "/x", body=body, repeatable=False).status == 200
        assert inner.inside[0].endswith(b"\r\n\r\n" + body)
    finally:
        connection.close()
        outer.close()
        inner.close()
    assert outer.asked[0].startswith(f"CONNECT {HOST}:443".encode())


def only_this_machine(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


class OverTls(Tunnel):
    """A proxy that speaks TLS and passes on what it reads to a port of this machine."""

    def __init__(self, key: Path, certificate: Path, target: int) -> None:
        self._target = target
        super().__init__(key, certificate)

    def _tunnel(self, line: socket.socket) -> None:
        with (
            self.context.wrap_socket(line, server_side=True) as ours,
            socket.create_connection(("127.0.0.1", self._target)) as theirs,
        ):
            self.asked.append(ours.recv(65536))
            ours.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ours.settimeout(0.02)
            theirs.settimeout(0.02)
            while self._passed_on(ours, theirs) and self._passed_on(theirs, ours):
                pass

    @staticmethod
    def _passed_on(source: socket.socket, target: socket.socket) -> bool:
        try:
            block = source.recv(65536)
        except TimeoutError:
            return True
        target.settimeout(5)
        target.sendall(block)
        target.settimeout(0.02)
        return bool(block)


class Taking(Tunnel):
    """Reads the whole body before it answers."""

    def __init__(self, key: Path, certificate: Path, *, asks_for_tunnel: bool = True) -> None:
        self._asks_for_tunnel = asks_for_tunnel
        super().__init__(key, certificate)

    def _tunnel(self, line: socket.socket) -> None:
        if self._asks_for_tunnel:
            self.asked.append(line.recv(65536))
            line.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with self.context.wrap_socket(line, server_side=True) as secure:
            taken = secure.recv(65536)
            while b"\r\n\r\n" not in taken:
                taken += secure.recv(65536)
            head, _, body = taken.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            while len(body) < length:
                body += secure.recv(65536)
            self.inside.append(head + b"\r\n\r\n" + body)
            secure.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n[]")


def test_plain_answers_on_a_tls_port_are_named(serve: Serve) -> None:
    def ok(_: Asked) -> Answer:
        return Answer(200, b"[]")

    with pytest.raises(Untrusted, match="does not speak TLS"):
        ask(f"https://127.0.0.1:{serve(ok).port}")
