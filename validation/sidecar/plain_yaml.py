"""Loads YAML that people type: bounded, without aliases, without surprise types, with the line of every key."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

DEEPEST = 20
MOST_NODES = 20_000


class SidecarFault(Exception):
    """The text cannot be used; line and column count from 1 and are None where the parser knows neither."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class _PlainLoader(yaml.SafeLoader):
    """Scalars are text, numbers, true/false and null as in YAML 1.2.

    A date stays the text that was typed, `no` is a word, `0042` is a sample's name and `12:30` a time of day.
    """


_PlainLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
):
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))

_TYPES = {f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null", "str", "map", "seq")}


def load(
    data: bytes, *, most_nodes: int = MOST_NODES
) -> tuple[Mapping[str, Any], Mapping[tuple[str | int, ...], tuple[int, int]]]:
    """The mapping that the text holds, and line and column of each key; raises SidecarFault."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SidecarFault("the file is not UTF-8 text", line) from None
    loader = None
    try:
        loader = _PlainLoader(text)
        _refuse_aliases_and_bulk(text, most_nodes)
        root = loader.get_single_node()
        if root is None:
            return {}, {}
        if not isinstance(root, yaml.MappingNode):
            raise SidecarFault("the file must hold `key: value` lines", root.start_mark.line + 1, 1)
        lines: dict[tuple[str | int, ...], tuple[int, int]] = {}
        return _plain(loader, root, (), lines), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "the text is not YAML"
        raise SidecarFault(
            f"not valid YAML: {problem}",
            None if mark is None else mark.line + 1,
            None if mark is None else mark.column + 1,
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SidecarFault(f"not valid YAML: {error.reason}", line) from None
    finally:
        if loader is not None:
            loader.dispose()


def _refuse_aliases_and_bulk(text: str, most_nodes: int) -> None:
    """Look at the event stream first: an alias bomb or a deep nest is refused before a node is built."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_PlainLoader)):
        place = (event.start_mark.line + 1, event.start_mark.column + 1) if event.start_mark else ()
        if isinstance(event, yaml.AliasEvent):
            raise SidecarFault(f"aliases (*{event.anchor}) are not allowed: write the value out", *place)
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise SidecarFault(f"nested deeper than {DEEPEST} levels", *place)
        if count > most_nodes:
            raise SidecarFault(f"more than {most_nodes:,} entries", *place)


def _plain(
    loader: _PlainLoader,
    node: yaml.Node,
    place: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], tuple[int, int]],
) -> Any:
    at = (node.start_mark.line + 1, node.start_mark.column + 1)
    lines.setdefault(place, at)
    if node.tag not in _TYPES:
        raise SidecarFault(f"the tag {node.tag} is not allowed: write plain text or a number", *at)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key_at = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                raise SidecarFault("a key must be plain text", *key_at)
            key = str(key_node.value)
            if key in found:
                raise SidecarFault(f"the key `{key}` stands here a second time", *key_at)
            lines[(*place, key)] = key_at
            found[key] = _plain(loader, value_node, (*place, key), lines)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*place, index), lines) for index, item in enumerate(node.value)]
    return _scalar(loader, node)


def _scalar(loader: _PlainLoader, node: yaml.Node) -> str | int | float | bool | None:
    at = (node.start_mark.line + 1, node.start_mark.column + 1)
    try:
        value: str | int | float | bool | None = loader.construct_object(node)
    except (ValueError, KeyError) as error:
        # `!!int abc`, or a number too long to convert
        raise SidecarFault(f"not a value of its type: {error}", *at) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise SidecarFault("not a finite number", *at)
    return value
