"""Lists one folder in the order of its names; that of a million files is held as packed text, not as objects."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol, TypeAlias

from uploader.stages.names import case_clashes, folded

MOST_ENTRIES = 10_000
"""Entries of a folder held as the system gives them; beyond that their names are packed."""


class FolderEntry(Protocol):
    """What an `os.DirEntry` can tell."""

    @property
    def name(self) -> str:
        """Its name in the folder."""

    @property
    def path(self) -> str:
        """Its whole path."""

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """What the system says of it."""

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a folder."""

    def inode(self) -> int:
        """Its number on the volume."""


@dataclass(frozen=True, slots=True)
class _Named:
    """An entry of which only the name was kept: whatever else is asked, the system is asked again."""

    name: str
    path: str

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return os.stat(self.path, follow_symlinks=follow_symlinks)  # noqa: PTH116 - hot and str

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        if not follow_symlinks and os.path.islink(self.path):  # noqa: PTH114 - hot and str
            return False
        return os.path.isdir(self.path)  # noqa: PTH112 - hot and str

    def inode(self) -> int:
        return self.stat(follow_symlinks=False).st_ino


class PackedNames:
    """Names as sorted runs of bytes: some twenty bytes each where a string takes seventy."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._runs: list[bytes] = []
        self._waiting: list[str] = []
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Put a name in; it holds no NUL."""
        self._waiting.append(name)
        if len(self._waiting) >= MOST_ENTRIES:
            self._pack()

    def __iter__(self) -> Iterator[str]:
        """All names in order, unpacked one by one."""
        self._pack()
        return heapq.merge(*map(_unpacked, self._runs))

    def holds(self, name: str) -> bool:
        """Whether the name is among them."""
        self._pack()
        wanted = name.encode("utf-8", "surrogatepass") + b"\0"
        return any(run.startswith(wanted) or b"\0" + wanted in run for run in self._runs)

    def _pack(self) -> None:
        if self._waiting:
            self._waiting.sort()
            text = "\0".join(self._waiting) + "\0"
            self._runs.append(text.encode("utf-8", "surrogatepass"))
            self._waiting = []


def _unpacked(run: bytes) -> Iterator[str]:
    start = 0
    while (end := run.find(b"\0", start)) >= 0:
        yield run[start:end].decode("utf-8", "surrogatepass")
        start = end + 1


_Entries: TypeAlias = "list[FolderEntry] | PackedNames"


@dataclass(slots=True)
class Listing:
    """One folder's entries by name."""

    full: str
    failure: OSError | None = None
    """What cut the listing short."""
    _entries: _Entries = field(default_factory=list)

    def __iter__(self) -> Iterator[FolderEntry]:
        if isinstance(self._entries, list):
            return iter(self._entries)
        return (_Named(name, os.path.join(self.full, name)) for name in self._entries)  # noqa: PTH118

    def holds(self, name: str) -> bool:
        """Whether there is an entry of this name."""
        if isinstance(self._entries, list):
            return any(entry.name == name for entry in self._entries)
        return self._entries.holds(name)

    def keep(self, wanted: Iterable[FolderEntry]) -> None:
        """Go on with these entries only; they come in order."""
        if isinstance(self._entries, list):
            self._entries = list(wanted)
        else:
            self._entries = PackedNames(entry.name for entry in wanted)

    def clashes(self) -> Mapping[str, str]:
        """Name -> the name before it that is the same but for case or Unicode form."""
        if isinstance(self._entries, list):
            return case_clashes([entry.name for entry in self._entries])
        # A name holds no slash, so what folds alike stands together.
        alike = groupby(
            (pair.split("/") for pair in PackedNames(f"{folded(name)}/{name}" for name in self._entries)),
            key=lambda pair: pair[0],
        )
        found: dict[str, str] = {}
        for _, pairs in alike:
            first, *others = (name for _, name in pairs)
            found.update(dict.fromkeys(others, first))
        return found


def listed(full: str) -> Listing:
    """The entries of the folder at this path, in the order of their names."""
    found: list[FolderEntry] = []
    packed: PackedNames | None = None
    failure: OSError | None = None
    try:
        with os.scandir(full) as entries:
            for entry in entries:
                if packed is not None:
                    packed.add(entry.name)
                    continue
                found.append(entry)
                if len(found) > MOST_ENTRIES:
                    packed, found = PackedNames(each.name for each in found), []
    except OSError as error:
        failure = error
    found.sort(key=lambda entry: entry.name)
    return Listing(full, failure, found if packed is None else packed)
