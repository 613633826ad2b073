"""Notes of one kind that a run keeps in the journal, out of memory, until it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uploader.model.ports import Journal


@dataclass(frozen=True, slots=True)
class RunNotes:
    """The scratch paper for one kind of thing."""

    journal: Journal
    run: str
    kind: str

    def note(self, notes_by_key: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep values (plain JSON) under their keys; a key may have several."""
        self.journal.note(self.run, self.kind, notes_by_key)

    def noted(self, keys: Sequence[str]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Key -> the values kept under it, in the order they came; keys without any are not in it."""
        return self.journal.noted(self.run, self.kind, keys)

    def drop(self) -> None:
        """Forget all of them."""
        self.journal.drop_notes(self.run, self.kind)
