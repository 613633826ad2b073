"""Static access lists: who may do what with a catalog, a schema, a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from uploader.embedded.ermrest.errors import Refusal, malformed, not_implemented
from uploader.embedded.ermrest.model import Acls, Model, Schema, Table
from uploader.embedded.identity import Client

RIGHTS = ("owner", "create", "enumerate", "select", "insert", "update", "delete", "write")
EVERYBODY = "*"

# What else grants a right: one may select what one may update or delete, and sees what one may do anything with.
_GRANTED_BY = {
    "owner": ("owner",),
    "create": ("owner", "create"),
    "write": ("owner", "write"),
    "insert": ("owner", "write", "insert"),
    "update": ("owner", "write", "update"),
    "delete": ("owner", "write", "delete"),
    "select": ("owner", "write", "update", "delete", "select"),
    "enumerate": RIGHTS,
}


def levels(model: Model, schema: Schema | None = None, table: Table | None = None) -> list[Acls]:
    """The access lists that speak of a resource, the nearest first."""
    if table is not None:
        schema = model.schemas[table.schema]
    return [part.acls for part in (table, schema, model) if part is not None]


def may(client: Client | None, right: str, lists: Sequence[Acls]) -> bool:
    """Whether the client has the right; an absent list is inherited, and owners never lose theirs."""
    if client is not None and client.is_admin:
        return True
    roles = {EVERYBODY} if client is None else {EVERYBODY, *client.roles}
    for granting in _GRANTED_BY[right]:
        named = [acls[granting] for acls in lists if granting in acls]
        if granting != "owner":
            named = named[:1]
        if any(roles.intersection(members) for members in named):
            return True
    return False


def demand(client: Client | None, right: str, lists: Sequence[Acls], label: str) -> None:
    """Raises Refusal 403, or 401 for somebody who is not signed in, unless the client has the right."""
    if not may(client, right, lists):
        raise denied(client, f"{right} access on {label}")


def denied(client: Client | None, detail: str) -> Refusal:
    """403, or 401 for somebody who is not signed in."""
    return Refusal(401 if client is None else 403, detail)


def demand_table(client: Client | None, right: str, model: Model, table: Table) -> None:
    """Raises Refusal unless the client has the right on the table."""
    demand(client, right, levels(model, table=table), table.label)


def from_document(document: Any, allowed: Sequence[str] = RIGHTS) -> Acls:
    """Access lists out of a JSON document; raises Refusal (400, 409)."""
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise malformed("Access lists must be a JSON object.")
    return {name: members(name, value, allowed) for name, value in document.items() if value is not None}


def members(name: str, value: Any, allowed: Sequence[str] = RIGHTS) -> tuple[str, ...]:
    """One access list; raises Refusal (400, 409)."""
    if name not in allowed:
        raise Refusal(409, f"ACL name {name} is not supported on this resource.")
    if not isinstance(value, list) or not all(isinstance(member, str) for member in value):
        raise malformed(f"ACL {name} must be a list of role names or null.")
    return tuple(value)


def refuse_unless_open(document: Any, feature: str) -> None:
    """Lists on columns and foreign keys would narrow access: 501 unless they are empty or open to everybody."""
    if not document:
        return
    if not isinstance(document, dict) or any(value not in (None, [EVERYBODY]) for value in document.values()):
        raise not_implemented(feature)
