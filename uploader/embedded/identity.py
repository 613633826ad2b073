"""Who calls: the client that a request acts for, as every part of the embedded catalog sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who is signed in. None stands for nobody (anonymous) wherever a client is expected."""

    id: str
    """What RCB and RMB hold."""
    display_name: str
    attributes: tuple[str, ...] = ()
    """Ids of the groups the client is in; the client's own id counts as one without being listed."""
    is_admin: bool = False
    """May do everything, whatever the access lists say; may create catalogs."""

    @property
    def roles(self) -> frozenset[str]:
        """Everything that an access list may name to mean this client."""
        return frozenset((self.id, *self.attributes))
