"""The metadata documents of datasets between survey and ferry: packed, there may be many thousands of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from uploader.stages.rows import canonical


class Documents(Mapping[str, Mapping[str, Any]]):
    """Dataset name -> its document, unpacked anew whenever it is asked for."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep a document; a later one of the same dataset replaces it."""
        self._packed[name] = zlib.compress(canonical(document).encode("utf-8", "surrogatepass"), 6)

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        text = zlib.decompress(self._packed[name]).decode("utf-8", "surrogatepass")
        document: dict[str, Any] = json.loads(text)
        return document

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)
