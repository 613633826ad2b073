"""What a run was asked to do, and how its events are stamped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from uploader.engine.choice import Choice, Everything
from uploader.model.events import Event
from uploader.model.files import Root
from uploader.model.ports import Clock
from uploader.stages.match import Sidecars
from uploader.stages.parents import Known
from validation.check import Depth
from validation.spec.matching import Matcher
from validation.spec.model import Spec

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class DroppedRoot:
    """One dropped folder with its number in the journal and the spec bound to it."""

    root: Root
    root_id: int
    matcher: Matcher
    sidecars: Sidecars
    """Typed metadata found on the way; the first pass fills it."""


@dataclass(frozen=True, slots=True)
class Task:
    """A run: which folders, by which spec, how deep, for which target."""

    run: str
    target: int
    """Number of the target in the journal."""
    roots: tuple[DroppedRoot, ...]
    spec: Spec
    depth: Depth
    offline: bool
    """No catalog is asked; what needs one reports itself as not run."""
    identity: Mapping[str, str]
    """Who is signed in (`id`, `display_name`), for specs that write it into rows; empty when nobody was asked."""
    clock: Clock
    stopped: Callable[[], bool]
    """Whether somebody asked the run to end."""
    known_parents: Known = field(default_factory=dict)
    """The parents of each dataset, worked out once in a run."""
    choice: Choice = field(default_factory=Everything)
    """Which files it takes; what it leaves out is not gone."""

    def event(self, kind: type[E], **parts: Any) -> E:
        """An event of this run, stamped with the time."""
        return kind(run=self.run, time=self.clock.now(), **parts)
