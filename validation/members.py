"""The files of a dataset while they pass by: what the checks of the whole need of them, never the files themselves.

A dataset may have a million files in one folder. What is kept grows with series, folders and companion sets that
are not whole yet, and by some twenty bytes a file.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from validation.compact import HashTable
from validation.companion_sets import CompanionSets
from validation.number_series import NumberSeries
from validation.spec.model import Spec
from validation.subjects import Member


class Members:
    """What the files of one dataset say together; give it each once."""

    def __init__(self, spec: Spec, members: Iterable[Member] = ()) -> None:
        self.files = 0
        self.size_bytes = 0
        self.rules: set[str] = set()
        """Ids of the rules that took them."""
        self.primaries: Counter[str] = Counter()
        """Rule -> primary files."""
        self.sets = CompanionSets(spec)
        self.series = NumberSeries(spec)
        self._targets = _Targets()
        self._common: dict[str, Any] = {}
        self._differing: set[str] = set()
        for member in members:
            self.add(member)

    def add(self, member: Member) -> str:
        """Take in one more file; returns the path of an earlier one with the same object path, or nothing."""
        self.files += 1
        self.size_bytes += member.size_bytes
        self.rules.add(member.rule)
        if member.role == "primary":
            self.primaries[member.rule] += 1
            self.series.add(member)
        if member.set_key:
            self.sets.add(member)
        common, differing = self._common, self._differing
        for name, value in member.captures.items():
            if value is None or name in differing:
                continue
            if common.setdefault(name, value) != value:
                differing.add(name)
        return self._targets.claim(member) if member.object_path else ""

    @property
    def common_captures(self) -> Mapping[str, Any]:
        """The named path parts on which all that have them agree."""
        return {
            name: value for name, value in self._common.items() if name not in self._differing and value != ""
        }


class _Targets:
    """Which object paths are claimed: a hash of each, and the folder that it is claimed from."""

    __slots__ = ("_claims", "_folders")

    def __init__(self) -> None:
        self._claims = HashTable()
        self._folders: dict[str, int] = {}

    def claim(self, member: Member) -> str:
        """The path of the file that has claimed the member's object path before, or nothing."""
        path, wanted = member.path, member.object_path
        if not path.endswith(wanted):
            # The spec's Unicode form may differ from the disk's.
            path = unicodedata.normalize("NFC", path)
        # What stands before the object path; the whole path behind a NUL where there is no such part.
        folder = path[: -len(wanted)] if path.endswith(wanted) else f"\0{member.path}"
        number = self._folders.setdefault(folder, len(self._folders))
        held = self._claims.claim(hash(wanted), number)
        if held is None:
            return ""
        before = next(name for name, known in self._folders.items() if known == held)
        holder = before[1:] if before.startswith("\0") else before + wanted
        return "" if holder == path else holder
