"""Vendor XML as plain dictionaries. Document types and entities are refused, so bombs and includes cannot start."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat  # DTDs are refused below and the size is bounded

from validation.instruments.source import Malformed

SIZE_LIMIT_BYTES = 16 << 20
DEPTH_LIMIT = 64
ELEMENT_LIMIT = 200_000


def xml_tree(data: bytes | str) -> dict[str, Any]:
    """`{root: …}` with attributes as `@name`, text beside them as `#text`, repeated elements as lists.

    Namespace prefixes are dropped. Raises Malformed for anything that is not plain well-formed XML.
    """
    document = data.encode("utf-8") if isinstance(data, str) else data
    # The TIFF tag is NUL-terminated and some writers leave blanks in front.
    document = document.strip(b"\0 \t\r\n")
    if len(document) > SIZE_LIMIT_BYTES:
        raise Malformed(f"an XML header of {len(document) >> 20} MiB is not read")
    builder = _Builder()
    # Text was decoded already, whatever the declaration in it says.
    parser = expat.ParserCreate("utf-8" if isinstance(data, str) else None)
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(document, True)  # noqa: FBT003  # expat takes it by position only
    except expat.ExpatError as error:
        raise Malformed(f"XML header is not well formed: {error}") from None
    except (LookupError, ValueError) as error:
        raise Malformed(f"XML header has an unknown encoding: {error}") from None
    return builder.tree


def _refuse_doctype(*_declaration: object) -> None:
    raise Malformed("XML header declares a document type; such headers are not read")


class _Builder:
    """Builds the dictionaries while expat walks the document."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self._stack: list[tuple[str, dict[str, Any], list[str]]] = [("", self.tree, [])]
        self._elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._stack) > DEPTH_LIMIT or self._elements > ELEMENT_LIMIT:
            raise Malformed("XML header is nested too deeply or has too many elements")
        content: dict[str, Any] = {f"@{_local(key)}": value for key, value in attributes.items()}
        self._stack.append((_local(name), content, []))

    def text(self, data: str) -> None:
        self._stack[-1][2].append(data)

    def end(self, _name: str) -> None:
        name, content, parts = self._stack.pop()
        text = "".join(parts).strip()
        value: Any = content
        if not content:
            value = text
        elif text:
            content["#text"] = text
        parent = self._stack[-1][1]
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]


def _local(name: str) -> str:
    return name.rpartition(":")[2]
