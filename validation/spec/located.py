"""Reads YAML or JSON text into plain values that remember line and column; never makes a Python object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from validation.codes import issue
from validation.errors import SpecError
from validation.model import Issue

MAX_CHARS = 1_000_000
"""A spec of this size is a mistake or an attack: refused before it is parsed."""
MAX_NODES = 50_000
MAX_DEPTH = 40

Place: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of a document to a value."""

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
        self._line_starts: list[int] = []

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
        depth = nodes = 0
        for event in yaml.parse(text, Loader=_Loader):
            mark = event.start_mark
            nodes += 1
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
                self.fault(problem, mark.line + 1, mark.column + 1, "Write the value out where it is needed.")
                return

    def _value(self, node: yaml.Node, place: Place) -> Any:
        position = (node.start_mark.line + 1, node.start_mark.column + 1)
        self.places[place] = position
        if node.tag not in _PLAIN_TAGS and node.tag not in _TEXT_TAGS:
            self.fault(
                f"the tag {node.tag} is not allowed",
                *position,
                "A spec is data: remove the tag (the ! entry).",
            )
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.fault("a key is not plain text", line, column, "Put quotes around a text with { or [.")
                continue
            key = str(key_node.value)
            if key in found:
                self.fault(f"the key {key} stands twice", line, column, "Remove one of the two.")
                continue
            self.keys[(*place, key)] = (line, column)
            found[key] = self._value(value_node, (*place, key))
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        match node.tag.rpartition(":")[2]:
            case "null":
                return None
            case "bool":
                return text.lower() in {"true", "yes", "on"}
            case "int":
                try:
                    return int(text.replace("_", ""))
                except ValueError:
                    return text  # 0x10, 0o7, 1:30 (sexagesimal) and other spellings mean what is written
            case "float":
                try:
                    return float(text.replace("_", ""))
                except ValueError:
                    return text
            case _:
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
        walk = _JsonPlaces(text)
        walk.run(self)
        return _plain(value)


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object as written."""


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {key: _plain(part) for key, part in value}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


class _JsonPlaces:
    """Walks well-formed JSON text and notes where keys and values stand."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(index + 1 for index, char in enumerate(text) if char == "\n")]
        self.line = 0

    def run(self, reader: _Reader) -> None:
        scan = json.decoder.scanstring
        text, at = self.text, 0
        # One entry per open container: its place, and the pending key or the next index.
        stack: list[tuple[Place, dict[str, None] | None, list[Any]]] = []
        expect_key = False
        while at < len(text):
            char = text[at]
            if char in " \t\r\n:":
                at += 1
            elif char in "}]":
                stack.pop()
                expect_key = False
                at += 1
            elif char == ",":
                _, seen, slot = stack[-1]
                if seen is None:
                    slot[0] += 1
                expect_key = seen is not None
                at += 1
            elif expect_key:
                place, seen, slot = stack[-1]
                key, end = scan(text, at + 1)
                position = self.position(at)
                if seen is not None and key in seen:
                    reader.fault(f"the key {key} stands twice", *position, "Remove one of the two.")
                elif seen is not None:
                    seen[key] = None
                reader.keys[(*place, key)] = position
                slot[0] = key
                expect_key = False
                at = end
            else:
                place = (*stack[-1][0], stack[-1][2][0]) if stack else ()
                reader.places[place] = self.position(at)
                if char in "{[":
                    if len(stack) >= MAX_DEPTH:
                        reader.fault(f"the spec is nested more than {MAX_DEPTH} deep", *self.position(at))
                        return
                    stack.append((place, {} if char == "{" else None, [0]))
                    expect_key = char == "{"
                    at += 1
                elif char == '"':
                    at = scan(text, at + 1)[1]
                else:
                    while at < len(text) and text[at] not in ",]} \t\r\n":
                        at += 1

    def position(self, at: int) -> tuple[int, int]:
        while self.line + 1 < len(self.starts) and self.starts[self.line + 1] <= at:
            self.line += 1
        return (self.line + 1, at - self.starts[self.line] + 1)
