"""Files that travel together: which sets of a dataset are whole, and what the others lack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from validation.compact import HashTable
from validation.spec.model import Spec
from validation.subjects import Member


@dataclass(slots=True)
class OpenSet:
    """A companion set that is not whole."""

    set_key: str
    rule: str
    primary: str = ""
    """Path of its first primary; empty: there is none."""
    primaries: int = 0
    partner: str = ""
    """Path of its first companion."""
    absent: list[str] = field(default_factory=list)
    """Companion templates that no member stands for."""


class CompanionSets:
    """The sets of one dataset. Of those that are whole only a number is kept."""

    def __init__(self, spec: Spec) -> None:
        self._companions = {rule.id: tuple(rule.companions) for rule in spec.rules}
        self._whole = HashTable()
        self._open: dict[str, OpenSet] = {}

    def add(self, member: Member) -> None:
        """Take in one more member of a set."""
        key = hash(member.set_key)
        if key in self._whole:
            return
        found = self._open.get(member.set_key)
        if found is None:
            found = OpenSet(member.set_key, member.rule, absent=list(self._companions.get(member.rule, ())))
            self._open[member.set_key] = found
        if member.role == "primary":
            found.primary = found.primary or member.path
            found.primaries += 1
        elif member.role == "companion":
            found.partner = found.partner or member.path
            folded = member.path.casefold()
            found.absent = [one for one in found.absent if not folded.endswith(_tail(one))]
        if found.primary and not found.absent:
            self._whole.claim(key)
            del self._open[member.set_key]

    def unfinished(self) -> Iterator[OpenSet]:
        """The sets that lack a companion or the primary, in the order of their first members."""
        yield from self._open.values()


def _tail(template: str) -> str:
    """How the name of a companion ends: that tells the templates of a rule apart."""
    return template.rpartition("}")[2].casefold()
