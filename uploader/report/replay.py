"""Reads events back from their JSON: another process follows a run through the journal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from uploader.model import events
from uploader.model.events import Event, FileFinished
from uploader.model.files import FileResult
from validation.model import Issue

_KINDS: Final[Mapping[str, type[Event]]] = {
    kind.kind: kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind.kind
}


def _issues(found: Any) -> tuple[Issue, ...]:
    return tuple(Issue.from_json(each) for each in found)


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "issue": Issue.from_json,
    "issues": _issues,
    "roots": tuple,
    "examples": tuple,
    "away": tuple,
}
"""Keys whose values are more than plain JSON."""


def event_from_json(text: str | Mapping[str, Any]) -> Event | None:
    """The event that `to_json` wrote; None for a kind or shape that this program does not know."""
    try:
        document = json.loads(text) if isinstance(text, str) else text
        kind = _KINDS[document["kind"]]
        if kind is FileFinished:
            return FileFinished(document["run"], document["time"], FileResult.from_json(document))
        known = {part.name for part in dataclasses.fields(kind)}
        parts = {
            key: _READ[key](value) if key in _READ else value
            for key, value in document.items()
            if key in known
        }
        return kind(**parts)
    except (KeyError, TypeError, ValueError, AttributeError):
        # Within one version of the schema kinds and keys may be added: what we do not know is skipped.
        return None
