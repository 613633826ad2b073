"""Who this login is to the server: dead logins read as anonymous, so only the session itself can tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from uploader.model.errors import BadReply, NotSignedIn
from uploader.remote.answers import SIGN_IN_REMEDY
from uploader.remote.http import Connection


@dataclass(frozen=True, slots=True)
class Session:
    """A live login session."""

    client_id: str
    display_name: str
    expires: datetime | None
    """In UTC; None when the server does not say."""


def session(connection: Connection) -> Session | None:
    """The login session of this connection; None when the server takes us for anonymous."""
    reply = connection.request("GET", "/authn/session", accepted=(200, 401, 404), repeatable=True)
    if reply.status != 200:
        return None
    document = reply.json()
    client = document.get("client") if isinstance(document, dict) else None
    if not isinstance(client, dict):
        raise BadReply("The server's login session can't be read.", status=200, path="/authn/session")
    client_id = str(client.get("id", ""))
    return Session(client_id, str(client.get("display_name") or client_id), _moment(document.get("expires")))


def require_session(connection: Connection) -> Session:
    """The login session of this connection; raises NotSignedIn when there is none."""
    found = session(connection)
    if found is None:
        summary = (
            "No login was given."
            if connection.is_anonymous
            else "The server does not know this login (any more)."
        )
        raise NotSignedIn(summary, detail="Nothing was sent.", remedy=SIGN_IN_REMEDY, path="/authn/session")
    return found


def _moment(value: Any) -> datetime | None:
    # `seconds_remaining` wraps at one day on real servers; `expires` is right, with a space in place of the T.
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
