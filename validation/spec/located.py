"""Reads YAML or JSON text into plain values that remember line and column; never makes a Python object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from validation.codes import issue
from validation.errors import SpecError
from validation.model import Issue
from validation.spec.json_places import JsonPlaces, Place

MAX_CHARS = 1_000_000
"""A spec of this size is a mistake or an attack: refused before it is parsed."""
MAX_NODES = 50_000
MAX_DEPTH = 40


_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
# Dates, merge keys and the like are written as text in a spec: `version: 2024-01-01` is a text.
_TEXT_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("timestamp", "binary", "merge", "value")}


@dataclass(frozen=True, slots=True)
class Located:
    """A document's value and where each part of it stands."""

    value: Any
    source: str
    places: Mapping[Place, tuple[int, int]] = field(default_factory=dict)
    """Line and column (from 1) of each value."""
    keys: Mapping[Place, tuple[int, int]] = field(default_factory=dict)
    """Line and column of each key, by the place of its value."""

    def position(self, place: Place, *, key: bool = False) -> tuple[int | None, int | None]:
        """Line and column of the value (or its key), or of the nearest part around it."""
        for size in range(len(place), -1, -1):
            part = place[:size]
            found = (self.keys.get(part) if key else None) or self.places.get(part) or self.keys.get(part)
            if found:
                return found
        return (None, None)


def read_text(text: str, source: str) -> Located:
    """The document in the text, JSON when it begins with a brace, else YAML; SpecError with all faults."""
    if len(text) > MAX_CHARS:
        raise SpecError(
            source,
            [
                issue(
                    "spec.syntax",
                    f"the spec has {len(text):,} characters; {MAX_CHARS:,} is the most",
                    path=source,
                )
            ],
        )
    reader = _Reader(source)
    text = text.removeprefix("\ufeff")
    value = reader.json(text) if text.lstrip().startswith("{") else reader.yaml(text)
    if reader.faults:
        raise SpecError(source, reader.faults)
    return Located(value, source, reader.places, reader.keys)


def read_document(document: Mapping[str, Any], source: str) -> Located:
    """A document that came as values (a catalog annotation), with the lines of its JSON text."""
    try:
        text = json.dumps(document, indent=2, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(
            source, [issue("spec.syntax", f"the document is no JSON: {error}", path=source)]
        ) from error
    return read_text(text, source)


class _Reader:
    """One reading: gathers places and faults on the way."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.places: dict[Place, tuple[int, int]] = {}
        self.keys: dict[Place, tuple[int, int]] = {}
        self.faults: list[Issue] = []

    def fault(self, message: str, line: int | None, column: int | None, remedy: str = "") -> None:
        self.faults.append(
            issue("spec.syntax", message, path=self.source, line=line, column=column, remedy=remedy)
        )

    # YAML ---------------------------------------------------------------------------------------

    def yaml(self, text: str) -> Any:
        try:
            self._refuse_bombs(text)
            node = None if self.faults else yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
            self.fault(error.problem or "this is not YAML", line, column)
            return None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            self.fault(f"this is not YAML: {str(error).splitlines()[0]}", None, None)
            return None
        return None if node is None else self._value(node, ())

    def _refuse_bombs(self, text: str) -> None:
        """Aliases, depth and number of nodes are judged on the event stream, before anything is built."""
        depth = 0
        for nodes, event in enumerate(yaml.parse(text, Loader=_Loader)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            problem = ""
            if isinstance(event, yaml.AliasEvent):
                problem = f"the alias *{event.anchor} is not allowed"
            elif depth > MAX_DEPTH:
                problem = f"the spec is nested more than {MAX_DEPTH} deep"
            elif nodes > MAX_NODES:
                problem = f"the spec has more than {MAX_NODES:,} entries"
            if problem:
                mark = event.start_mark
                line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
                self.fault(problem, line, column, "Write the value out where it is needed.")
                return

    def _value(self, node: Node, place: Place) -> Any:
        position = (node.start_mark.line + 1, node.start_mark.column + 1)
        self.places[place] = position
        if node.tag not in _PLAIN_TAGS and node.tag not in _TEXT_TAGS:
            self.fault(
                f"the tag {node.tag} is not allowed",
                *position,
                "A spec is data: remove the tag (the ! entry).",
            )
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, place)
        if isinstance(node, SequenceNode):
            return [self._value(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if not isinstance(key_node, ScalarNode):
                self.fault("a key is not plain text", line, column, "Put quotes around a text with { or [.")
                continue
            key = str(key_node.value)
            if key in found:
                self.fault(f"the key {key} stands twice", line, column, "Remove one of the two.")
                continue
            self.keys[(*place, key)] = (line, column)
            found[key] = self._value(value_node, (*place, key))
        return found

    @staticmethod
    def _scalar(node: ScalarNode) -> Any:
        text = str(node.value)
        kind = node.tag.rpartition(":")[2]
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in {"true", "yes", "on"}
        if kind in {"int", "float"}:
            with suppress(ValueError):
                return (int if kind == "int" else float)(text.replace("_", ""))
        # 0x10, 1:30 (sexagesimal) and other spellings of numbers mean what is written.
        return text

    # JSON ---------------------------------------------------------------------------------------

    def json(self, text: str) -> Any:
        try:
            value = json.loads(text, object_pairs_hook=_Pairs)
        except json.JSONDecodeError as error:
            self.fault(error.msg, error.lineno, error.colno)
            return None
        except RecursionError:
            self.fault(f"the spec is nested more than {MAX_DEPTH} deep", None, None)
            return None
        walk = JsonPlaces(text, MAX_DEPTH, self.fault)
        walk.run()
        self.places, self.keys = walk.places, walk.keys
        try:
            return _plain(value)
        except RecursionError:
            # Newer Pythons parse deeper than they recurse; the walk has told the fault.
            return None


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object as written."""


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {key: _plain(part) for key, part in value}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value
