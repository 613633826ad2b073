"""Makes Hatrac namespaces before any object needs them: one thread, each name once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from uploader.model.errors import Conflict, Forbidden, NotFound
from uploader.model.ports import Clock
from uploader.remote.http import Connection
from uploader.remote.retry import RetryPolicy, retrying

_NAMESPACE = {"Content-Type": "application/x-hatrac-namespace"}


class Namespaces:
    """The namespaces known to exist on one server."""

    def __init__(self, connection: Connection, *, clock: Clock, policy: RetryPolicy) -> None:
        self._connection = connection
        self._clock = clock
        self._policy = policy
        self._known: set[str] = set()

    def ensure(self, names: Iterable[str]) -> None:
        """Create what is missing of these namespaces and their parents."""
        wanted = {name.rstrip("/") for name in names} - self._known
        # Parents first: an object in the way of several names is then reported under its own name.
        for name in sorted(wanted, key=lambda name: (name.count("/"), name)):
            if name.count("/") < 2:
                continue  # /hatrac itself
            if not self._exists(name):
                retrying(partial(self._create, name), policy=self._policy, clock=self._clock)
            self._known.add(name)

    def _exists(self, name: str) -> bool:
        """Whether the namespace is seen to exist; one that may not be read counts as unknown.

        Looked at before it is made: on a real server, making a namespace of an object's name gives the object a
        new, empty version.
        """
        try:
            reply = retrying(
                lambda: self._connection.request("HEAD", name, accepted=(200, 409), repeatable=True),
                policy=self._policy,
                clock=self._clock,
            )
        except (NotFound, Forbidden):
            return False
        versioned = ":" in reply.headers.get("Content-Location", "").rpartition("/")[2]
        if reply.status == 409 or versioned:
            raise Conflict(
                f"{name} is an object, so nothing can be stored below it.",
                status=409,
                detail="Nothing was written.",
                remedy="Choose object names in the spec that do not run through it.",
                path=name,
            )
        return True

    def _create(self, name: str) -> None:
        try:
            self._put(name, "")
        except NotFound:
            # Only where a parent is missing: made this way by several clients at once, Hatrac often answers 500.
            self._put(name, "parents=true")

    def _put(self, name: str, query: str) -> None:
        try:
            self._connection.request("PUT", name, query=query, headers=_NAMESPACE, repeatable=True)
        except Conflict as conflict:
            if "already exists" not in conflict.summary:
                raise
