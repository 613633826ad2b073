"""How an engine finds out whether its server is back, and whether it still knows the same person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from uploader.embedded.lifecycle import ensure_running
from uploader.model.errors import NotSignedIn, RemoteError, Retry, SettingsError, Unreachable
from uploader.remote.credentials import Credentials
from uploader.remote.http import Connection
from uploader.remote.session import require_session

PROBE_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class ServerProbe:
    """Asks the services that a run needs, each by its cheapest request."""

    connection: Connection
    catalog_id: str
    revive: Callable[[], None] = lambda: None
    """Starts an embedded server that has died."""

    def __call__(self) -> None:
        """Raises while one of them does not answer for itself.

        A login service that answers proves nothing of a store behind the same gateway, so both are asked.
        """
        self.revive()
        for path in ("/hatrac", f"/ermrest/catalog/{quote(self.catalog_id, safe='')}"):
            try:
                self.connection.request("GET", path, repeatable=True, read_timeout_s=PROBE_TIMEOUT_S)
            except RemoteError as error:
                # A refusal is an answer; what the login may do is for others to ask.
                if error.retry in (Retry.LATER, Retry.AFTER_FIX):
                    raise


@dataclass(frozen=True, slots=True)
class Revival:
    """Starts the embedded server of a folder when it has died, and follows it to its new port."""

    connection: Connection
    data_dir: Path

    def __call__(self, stop: Callable[[], bool]) -> None:
        """Raises Unreachable when it does not start or another one answers, Cancelled when stopped meanwhile."""
        try:
            found = ensure_running(self.data_dir, stop_waiting=stop)
            if found.url != self.connection.base_url:
                self.connection.rebind(found.url, Credentials(token=found.token))
        except SettingsError as error:
            # A full disk or a changed folder may be mended while the run waits: no reason to end it.
            raise Unreachable(error.summary, detail=error.detail, remedy=error.remedy) from error


@dataclass(frozen=True, slots=True)
class SignInProbe:
    """Asks the session who we are."""

    connection: Connection
    client_id: str
    """Who began the run."""
    display_name: str = ""

    def __call__(self) -> None:
        """Raises NotSignedIn when the server knows nobody, or somebody else than began the run."""
        found = require_session(self.connection)
        if found.client_id != self.client_id:
            raise NotSignedIn(
                f"Somebody else has signed in: {found.display_name}.",
                detail="Nothing is sent in another person's name.",
                remedy=f"Sign in as {self.display_name or self.client_id}, or end this run and begin another.",
                path="/authn/session",
            )
