"""Where a running embedded server is and how to open it: the port/token file and one-time page links."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ENDPOINT_FILE = "endpoint.json"
IDENTITY_FILE = "identity"
LOCK_FILE = "server.lock"
LOG_FILE = "server.log"
STOP_FILE = "stop-request"

LINK_LIFE_S = 24 * 3600
"""A demo prints its link and the reader may come back to it after lunch; a day is enough."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running server as a client needs it."""

    url: str
    """`http://127.0.0.1:PORT`, no slash at the end."""
    token: str
    """For `Authorization: Bearer TOKEN` or the cookie `webauthn=TOKEN`."""
    server_id: str
    """UUID of the data folder: the identity of the server, whatever its port."""
    pid: int
    run: str
    """Random id of this start of the server; links and stop requests name it, so they never hit a later one."""

    @property
    def page_link(self) -> str:
        """A fresh link that opens the page once, within a day, while this server runs."""
        return f"{self.url}/open?key={mint_key(self.token, self.run)}"


def mint_key(token: str, run: str, *, now_s: float | None = None) -> str:
    """A signed one-time key; who can read the token may mint one without asking the server."""
    expires = int((time.time() if now_s is None else now_s) + LINK_LIFE_S)
    claim = f"{expires}.{secrets.token_urlsafe(12)}"
    return f"{claim}.{_signature(token, run, claim)}"


def key_is_genuine(key: str, token: str, run: str, *, now_s: float | None = None) -> bool:
    """True when the key was minted with this token for this run and has not expired."""
    claim, _, signature = key.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(token, run, claim).encode()):
        return False
    # Signed by us, so the part before the dot is an integer.
    return int(claim.partition(".")[0]) > (time.time() if now_s is None else now_s)


def _signature(token: str, run: str, claim: str) -> str:
    return hmac.new(token.encode(), f"page {run} {claim}".encode(), hashlib.sha256).hexdigest()


def write_endpoint(folder: Path, endpoint: Endpoint) -> None:
    """Publish the endpoint, readable by the owner alone and never half-written."""
    write_private(folder / ENDPOINT_FILE, json.dumps(asdict(endpoint)))


def read_endpoint(folder: Path) -> Endpoint | None:
    """The endpoint as last published; None when there is none or it is not ours."""
    try:
        return Endpoint(**json.loads((folder / ENDPOINT_FILE).read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_private(path: Path, text: str) -> None:
    """Write a small file (mode 0600) atomically and durably."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def identity_of(data_dir: Path) -> str:
    """UUID of the server of this folder, running or not; empty for a folder that never had one."""
    try:
        return (data_dir / IDENTITY_FILE).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def read_or_make(path: Path, fresh: str) -> str:
    """The text of a private file, which is made with `fresh` when it is not there."""
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        write_private(path, fresh)
        return fresh
