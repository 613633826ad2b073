"""Reads `nanoferry.yaml`, what people type about their data, and merges the ones on the way to a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from validation.codes import issue
from validation.model import Issue
from validation.sidecar.keys import normalise
from validation.sidecar.plain_yaml import SidecarFault, load

SIDECAR_NAME = "nanoferry.yaml"
MOST_BYTES = 1 << 20
"""A sidecar is typed by hand; anything larger is something else and is not parsed."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Metadata that people typed, in one form whatever shorthand they used, and where each value came from."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """By sidecar key; `sample: X` has become `{"sample": {"name": "X"}}`."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """JSON pointer into `values` -> name of the level (the sidecar's path, or `form`) that gave it."""

    def get(self, *keys: str) -> Any:
        """The value under nested keys, or None."""
        found: Any = self.values
        for key in keys:
            if not isinstance(found, Mapping):
                return None
            found = found.get(key)
        return found

    def source(self, *keys: str) -> str:
        """The level that gave the value under nested keys; empty when there is none."""
        for length in range(len(keys), 0, -1):
            if found := self.sources.get(pointer(*keys[:length])):
                return found
        below = pointer(*keys) + "/"
        return next((name for place, name in self.sources.items() if place.startswith(below)), "")


def pointer(*keys: str | int) -> str:
    """The JSON pointer (RFC 6901) of nested keys."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def read(path: Path) -> tuple[Mapping[str, Any], tuple[Issue, ...]]:
    """The values of one sidecar in normal form and what is wrong with it; never raises for bad content.

    Findings carry line and column, no path: the caller knows which path to show.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MOST_BYTES:
            return {}, (
                issue(
                    "sidecar.unreadable",
                    f"the file has {size_bytes:,} bytes; a sidecar may have at most {MOST_BYTES:,}",
                    remedy="Keep typed metadata only in nanoferry.yaml; move data to a file of another name.",
                    origin="sidecar",
                ),
            )
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        return {}, (
            issue(
                "sidecar.unreadable",
                f"the file cannot be read: {error.strerror or error}",
                remedy="Give this account the right to read it; nothing in it was used.",
                origin="sidecar",
            ),
        )
    try:
        loaded, lines = load(data)
    except SidecarFault as fault:
        return {}, (
            issue("sidecar.unreadable", str(fault), line=fault.line, column=fault.column, origin="sidecar"),
        )
    return normalise(loaded, lines)


def merge(levels: Sequence[tuple[str, Mapping[str, Any]]]) -> Typed:
    """One view of several sidecars, given from the root to the leaf: the nearest wins field by field.

    Mappings merge key by key; a list or a plain value replaces what a farther level said.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, level in levels:
        ready, _ = normalise(level, {})
        _lay_over(values, ready, sources, name, ())
    return Typed(values, sources)


def _lay_over(
    below: dict[str, Any],
    above: Mapping[str, Any],
    sources: dict[str, str],
    name: str,
    place: tuple[str, ...],
) -> None:
    for key, value in above.items():
        here = (*place, key)
        held = below.get(key)
        if isinstance(value, Mapping):
            if not isinstance(held, dict):
                _forget(sources, here)
                held = below[key] = {}
            _lay_over(held, value, sources, name, here)
        else:
            _forget(sources, here)
            below[key] = value
            sources[pointer(*here)] = name


def _forget(sources: dict[str, str], place: tuple[str, ...]) -> None:
    """Drop the sources of a value that a nearer level replaces."""
    gone = pointer(*place)
    for known in [known for known in sources if known == gone or known.startswith(gone + "/")]:
        del sources[known]
