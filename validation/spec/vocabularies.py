"""Vocabularies that a path field may be bound to: the shipped ones and those a spec brings along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from validation.specset import data_dir, plain_yaml


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Terms by every way of writing them, and what else is known of a term."""

    terms: Mapping[str, str]
    """Written form (the term or an alias) -> term."""
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Term -> its further entries, reached in templates as `{field.entry}`."""

    @property
    def entries(self) -> frozenset[str]:
        """The further entries that any term has."""
        return frozenset(name for entry in self.details.values() for name in entry)


def vocabulary(terms: Any) -> Vocabulary:
    """The vocabulary of a `terms:` list (texts, or mappings with `code` and `aliases`) or term -> aliases."""
    written: dict[str, str] = {}
    details: dict[str, Mapping[str, Any]] = {}
    if isinstance(terms, Mapping):
        terms = [{"code": code, "aliases": aliases} for code, aliases in terms.items()]
    for entry in terms:
        known = entry if isinstance(entry, Mapping) and "code" in entry else {"code": entry}
        code = _spelling(known)
        written[code] = code
        aliases = known.get("aliases")
        # A spec whose form is at fault is still read for its other faults.
        for alias in aliases if isinstance(aliases, list) else ():
            written.setdefault(str(alias), code)
        more = {
            name: value
            for name, value in known.items()
            if name not in {"code", "aliases"} and isinstance(value, str | int | float)
        }
        if more:
            details[code] = more
    return Vocabulary(written, details)


def _spelling(entry: Mapping[str, Any]) -> str:
    """The code, spelt as the catalog's term where they differ in case only: SEM rather than sem."""
    code, listed = str(entry["code"]), str(entry.get("catalog", ""))
    return listed if listed.casefold() == code.casefold() else code


@cache
def shipped_vocabularies() -> Mapping[str, Vocabulary]:
    """The vocabularies in `specs/vocabularies` that have a list of terms, by file name."""
    found: dict[str, Vocabulary] = {}
    for path in sorted((data_dir() / "vocabularies").glob("*.yaml")):
        document = plain_yaml(path.read_text("utf-8"))
        if isinstance(document, Mapping) and isinstance(document.get("terms"), list):
            found[path.stem] = vocabulary(document["terms"])
    return found
