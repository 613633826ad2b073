"""Which of the files below its folders a run takes; the rest it leaves out, as if they had not come yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from uploader.model.files import Root, SourceFile


class Choice(Protocol):
    """What is left out is neither gone nor unmatched: the run says and records nothing of it."""

    def has(self, root: Root) -> bool:
        """Whether the folder is there to be surveyed; one that is away has lost no files."""

    def takes(self, root: Root, source: SourceFile) -> bool:
        """Whether the run takes this file, as the scan sees it now."""


@dataclass(frozen=True, slots=True)
class Everything:
    """A run of its own takes all that lies there."""

    def has(self, root: Root) -> bool:
        """Every folder that was named."""
        return True

    def takes(self, root: Root, source: SourceFile) -> bool:
        """Every file."""
        return True
