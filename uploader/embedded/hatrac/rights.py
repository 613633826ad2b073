"""Who may do what: a signed-in client may read; it may write unless it lacks a group the server asks for."""

from __future__ import annotations

from dataclasses import dataclass

from uploader.embedded.hatrac.refusal import Refusal
from uploader.embedded.identity import Client


@dataclass(frozen=True, slots=True)
class Rights:
    """The rule of one server; `writers` names the roles that may write, empty means every signed-in client."""

    public_read: bool = False
    writers: frozenset[str] = frozenset()

    def may_read(self, client: Client | None, resource: str) -> None:
        """Refuse with 401 a reader who is not signed in, unless everybody may read."""
        if client is None and not self.public_read:
            raise not_signed_in(resource)

    def must_write(self, client: Client | None, resource: str) -> Client:
        """The client, if it may write; 401 or 403 name the resource."""
        if client is None:
            raise not_signed_in(resource)
        if self.writers and not client.is_admin and not self.writers & client.roles:
            raise forbidden(resource)
        return client


def not_signed_in(resource: str) -> Refusal:
    """401."""
    return Refusal(401, f"Authentication required for access to {resource}")


def forbidden(resource: str) -> Refusal:
    """403."""
    return Refusal(403, f"Access to {resource} forbidden.")
