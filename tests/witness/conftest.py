"""An embedded server on loopback, and the independent client that works against it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from peer_environment import Peer, RegistryUnreachable, peer_bin

from uploader.embedded.server import in_thread
from uploader.remote.credentials import Credentials
from uploader.remote.http import Connection


@dataclass(frozen=True, slots=True)
class Server:
    """Where the embedded server is, and the owner's token."""

    url: str
    host: str
    """`localhost:PORT`: the peer sends its cookie only to a name without dots."""
    token: str


@pytest.fixture(scope="session")
def peer_commands() -> Path:
    """The folder of the peer's commands; the tests are skipped where it cannot be had, never in CI."""
    try:
        return peer_bin()
    except RegistryUnreachable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def peer(peer_commands: Path, tmp_path: Path) -> Peer:
    """deriva-py with an empty home folder."""
    home = tmp_path / "home"
    home.mkdir()
    return Peer(peer_commands, home)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An embedded server with an empty catalog 1."""
    with in_thread(tmp_path / "server") as endpoint:
        port = endpoint.url.rpartition(":")[2]
        yield Server(endpoint.url, f"localhost:{port}", endpoint.token)


@pytest.fixture
def connection(server: Server) -> Iterator[Connection]:
    """Our own client, to look at what the peer has done."""
    connection = Connection(server.url, Credentials(token=server.token))
    yield connection
    connection.close()
