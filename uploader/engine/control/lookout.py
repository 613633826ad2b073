"""What an engine asks, between two runs, of whoever watches the folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outlook:
    """How things stand in the folders."""

    has_work: bool = False
    """A run should begin now."""
    settling: int = 0
    """Files that have not been still for long enough, or cannot be opened yet."""
    examples: tuple[str, ...] = ()
    """Some of them."""
    away: tuple[str, ...] = ()
    """Folders that are not there now."""
    note: str = ""
    """What else a person should know."""

    @property
    def words(self) -> str:
        """What is waited for; empty: for new files."""
        parts = []
        if self.away:
            parts.append(f"{', '.join(self.away)} is not there")
        if self.settling:
            files = "1 file that is" if self.settling == 1 else f"{self.settling:,} files that are"
            parts.append(f"waiting for {files} not still yet ({_some(self.examples, self.settling)})")
        if self.note:
            parts.append(self.note)
        return "; ".join(parts)


class Lookout(Protocol):
    """For the conductor's thread."""

    def look(self, *, at_once: bool) -> Outlook:
        """Look for a moment (a fraction of a second); `at_once`: a person wants a run now."""


def _some(examples: tuple[str, ...], of: int) -> str:
    return ", ".join(examples) + (", …" if of > len(examples) else "")
