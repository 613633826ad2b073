"""Runs the embedded server of a data folder: in this process until stopped, or in a thread beside other work."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import os
import secrets
import signal
import socket
import sqlite3
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn

from uploader.embedded.app import embedded_app
from uploader.embedded.authn import Identities
from uploader.embedded.endpoint import (
    ENDPOINT_FILE,
    IDENTITY_FILE,
    LOCK_FILE,
    STOP_FILE,
    Endpoint,
    read_or_make,
    write_endpoint,
)
from uploader.embedded.ermrest.app import routes
from uploader.embedded.ermrest.store import CatalogStore
from uploader.embedded.hatrac.index import IndexTooNew
from uploader.embedded.hatrac.rights import Rights
from uploader.embedded.hatrac.store import HatracStore
from uploader.embedded.identity import Client
from uploader.embedded.lock import held
from uploader.embedded.ownership import refuse_foreign
from uploader.embedded.page import PageLinks
from uploader.embedded.protocol import StrictHttp
from uploader.model.errors import SettingsError

__all__ = ["Settings", "in_thread", "serve"]

HOST = "127.0.0.1"
FIRST_CATALOG = "1"
STOP_POLL_S = 0.2
GRACE_S = 10
MOST_CONNECTIONS = 500
"""Beyond them 503: any account of this machine may connect, and files still have to be opened."""
START_DEADLINE_S = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server behaves."""

    port: int = 0
    """0 takes any free one."""
    public_read: bool = False
    max_bytes: int | None = None
    """Room for objects; None leaves it to the disk."""
    identities: Mapping[str, Client] = field(default_factory=dict)
    """Further tokens, for tests with several people; the folder's own token is always the owner."""
    writers: frozenset[str] = frozenset()
    """Roles that may write objects; empty means everyone who is signed in."""


def serve(
    data_dir: Path,
    *,
    port: int = 0,
    public_read: bool = False,
    max_bytes: int | None = None,
    on_ready: Callable[[Endpoint], None] | None = None,
) -> None:
    """Serve the folder on 127.0.0.1 until stopped (Ctrl-C, SIGTERM or `lifecycle.stop`).

    Raises LockHeld when another process serves the folder.
    """
    settings = Settings(port=port, public_read=public_read, max_bytes=max_bytes)
    with _prepared(data_dir, settings) as running, _stopping_on_signals(running):
        asyncio.run(running.main(on_ready))


@contextmanager
def in_thread(data_dir: Path, settings: Settings | None = None) -> Iterator[Endpoint]:
    """Serve the folder from a thread of this process while the block runs."""
    ready: list[Endpoint] = []
    signalled = threading.Event()

    def note(endpoint: Endpoint) -> None:
        ready.append(endpoint)
        signalled.set()

    def work() -> None:
        try:
            asyncio.run(running.main(note))
        finally:
            signalled.set()

    with _prepared(data_dir, settings or Settings()) as running:
        thread = threading.Thread(target=work, name="embedded-server")
        thread.start()
        try:
            signalled.wait(START_DEADLINE_S)
            if not ready:
                raise SettingsError(f"The embedded catalog of {data_dir} did not start.")
            yield ready[0]
        finally:
            running.end()
            thread.join()


class _Uvicorn(uvicorn.Server):
    """Leaves signals alone: a re-raised SIGTERM would end the process before the folder is tidy."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class _Running:
    data_dir: Path
    endpoint: Endpoint
    listening: socket.socket
    server: _Uvicorn

    async def main(self, on_ready: Callable[[Endpoint], None] | None) -> None:
        serving = asyncio.create_task(self.server.serve(sockets=[self.listening]))
        while not self.server.started and not serving.done():
            await asyncio.sleep(0.005)
        if self.server.started:
            write_endpoint(self.data_dir, self.endpoint)
            if on_ready is not None:
                on_ready(self.endpoint)
        while not serving.done():
            await asyncio.wait({serving}, timeout=STOP_POLL_S)
            if self._stop_is_requested():
                self.end()
        await serving

    def end(self) -> None:
        """Stop taking connections; nobody who looks for a server finds this one any more."""
        (self.data_dir / ENDPOINT_FILE).unlink(missing_ok=True)
        self.server.should_exit = True

    def _stop_is_requested(self) -> bool:
        try:
            return (self.data_dir / STOP_FILE).read_text("utf-8") == self.endpoint.run
        except FileNotFoundError:
            return False


@contextmanager
def _prepared(data_dir: Path, settings: Settings) -> Iterator[_Running]:
    """Everything open and the lock held; closed and tidied at the end."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"The embedded catalog cannot use the folder {data_dir}: {error.strerror}.",
            remedy="Choose a writable folder on a local disk (`serve --data DIR`).",
        ) from error
    refuse_foreign(data_dir)
    with contextlib.ExitStack() as stack:
        stack.enter_context(held(data_dir / LOCK_FILE))
        # Whoever finds the lock held trusts the endpoint file, so an earlier server's one goes first.
        (data_dir / ENDPOINT_FILE).unlink(missing_ok=True)
        listening = stack.enter_context(_listen(settings.port))
        try:
            store = HatracStore(data_dir / "hatrac", max_bytes=settings.max_bytes)
            objects = stack.enter_context(contextlib.closing(store))
            catalog = stack.enter_context(contextlib.closing(CatalogStore(data_dir / "ermrest")))
        except (OSError, sqlite3.Error, IndexTooNew) as error:
            raise SettingsError(
                f"The data in {data_dir} cannot be opened: {error}.",
                detail="Nothing in it was changed.",
                remedy="Choose another folder (`serve --data DIR`), or restore this one from a backup.",
            ) from error
        if objects.swept_files:
            _log.info("removed %d files that an interrupted server left behind", objects.swept_files)
        port = listening.getsockname()[1]
        endpoint = Endpoint(
            url=f"http://{HOST}:{port}",
            token=read_or_make(data_dir / "token", secrets.token_urlsafe(32)),
            server_id=read_or_make(data_dir / IDENTITY_FILE, str(uuid.uuid4())),
            pid=os.getpid(),
            run=secrets.token_hex(8),
        )
        owner = _owner()
        if not catalog.ids():
            # Everybody who gets past the gate may look: only with public_read is that somebody without a token.
            catalog.create(owner, catalog_id=FIRST_CATALOG, acls={"enumerate": ["*"], "select": ["*"]})
        identities = Identities(page_cookie=f"nanoferry-{endpoint.server_id[:8]}")
        identities.add({**settings.identities, endpoint.token: owner})
        app = embedded_app(
            store=objects,
            rights=Rights(public_read=settings.public_read, writers=settings.writers),
            identities=identities,
            links=PageLinks(endpoint, identities, owner),
            ermrest=routes(catalog),
            port=port,
            server_id=endpoint.server_id,
        )
        try:
            yield _Running(data_dir, endpoint, listening, _uvicorn(app))
        finally:
            # The lock is let go of last: the next server finds the folder closed and tidy.
            (data_dir / ENDPOINT_FILE).unlink(missing_ok=True)
            (data_dir / STOP_FILE).unlink(missing_ok=True)


def _uvicorn(app: object) -> _Uvicorn:
    return _Uvicorn(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            loop="asyncio",
            http=StrictHttp,
            ws="none",
            lifespan="off",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=GRACE_S,
            limit_concurrency=MOST_CONNECTIONS,
        )
    )


def _owner() -> Client:
    """The person whose machine this is."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = "owner"  # a container whose user id has no name
    return Client(id=name, display_name=name, is_admin=True)


@contextmanager
def _listen(port: int) -> Iterator[socket.socket]:
    # With the protocol named, asyncio sends small answers at once; else each waits 40 ms for the peer's ACK.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        if os.name != "nt":  # there the option would let two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} of {HOST} cannot be used: {error.strerror}.",
                detail="Nothing was started.",
                remedy="Choose another port, or none: any free one will do.",
            ) from error
        yield listening


@contextmanager
def _stopping_on_signals(running: _Running) -> Iterator[None]:
    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        running.end()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    if sys.platform == "win32":
        before[signal.SIGBREAK] = signal.signal(signal.SIGBREAK, on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
