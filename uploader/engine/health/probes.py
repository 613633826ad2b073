"""How an engine finds out whether its server is back, and whether it still knows the same person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from uploader.model.errors import NotSignedIn, RemoteError, Retry
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
