"""A running embedded server and requests to it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from uploader.embedded.endpoint import Endpoint
from uploader.embedded.identity import Client
from uploader.embedded.server import Settings, in_thread

READER = Client("reader", "A reader", ("readers",))
WRITER = Client("writer", "A writer", ("writers",))
ADMIN = Client("admin", "The admin", (), is_admin=True)


@dataclass
class Caller:
    """Requests as one person; `call("PUT", "/hatrac/a", …)`."""

    endpoint: Endpoint
    token: str | None
    session: requests.Session = field(default_factory=requests.Session)

    def __call__(self, method: str, path: str, data: Any = None, **options: Any) -> requests.Response:
        headers = {k.replace("_", "-"): v for k, v in options.pop("headers", {}).items()}
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return self.session.request(
            method, self.endpoint.url + path, data=data, headers=headers, timeout=30, **options
        )

    def namespace(self, path: str) -> None:
        answer = self(
            "PUT", f"{path}?parents=true", headers={"Content-Type": "application/x-hatrac-namespace"}
        )
        assert answer.status_code == 201, answer.text

    def put(self, path: str, body: bytes, **headers: str) -> requests.Response:
        return self("PUT", path, data=body, headers=headers)

    def job(self, path: str, size_bytes: int, chunk_bytes: int, **more: object) -> str:
        document = {"chunk-length": chunk_bytes, "content-length": size_bytes, **more}
        answer = self("POST", f"{path};upload?parents=true", json=document)
        assert answer.status_code == 201, answer.text
        return answer.text.strip()


@pytest.fixture
def md5() -> Callable[[bytes], str]:
    """Base64 MD5, as Content-MD5 wants it."""
    return lambda body: base64.b64encode(hashlib.md5(body).digest()).decode()


@pytest.fixture
def settings() -> Settings:
    """How the server under test behaves; a test overrides it by its own fixture or parameter."""
    return Settings(
        identities={"t-reader": READER, "t-writer": WRITER, "t-admin": ADMIN}, writers=frozenset({"writers"})
    )


@pytest.fixture
def endpoint(tmp_path: Path, settings: Settings) -> Iterator[Endpoint]:
    """A server in a thread of this process."""
    with in_thread(tmp_path / "data", settings) as running:
        yield running


@pytest.fixture
def call(endpoint: Endpoint) -> Iterator[Caller]:
    """Requests of the owner."""
    with requests.Session() as session:
        yield Caller(endpoint, endpoint.token, session)


@pytest.fixture
def call_as(endpoint: Endpoint) -> Iterator[Callable[[str | None], Caller]]:
    """Requests with another token, or with none."""
    sessions: list[requests.Session] = []

    def caller(token: str | None) -> Caller:
        sessions.append(requests.Session())
        return Caller(endpoint, token, sessions[-1])

    yield caller
    for session in sessions:
        session.close()
