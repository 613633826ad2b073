"""How values look inside the journal: names as bytes, findings, headers, results and rows as JSON."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from uploader.model.files import FileResult, Outcome, Proof
from validation.instruments.model import FieldValue, Header
from validation.model import Issue


def to_blob(text: str) -> bytes:
    """Any string, lone surrogates of undecodable names among them, in an order equal to the string's."""
    return text.encode("utf-8", "surrogatepass")


def from_blob(blob: bytes) -> str:
    """The string that `to_blob` was given."""
    return blob.decode("utf-8", "surrogatepass")


def to_json(value: Any) -> str:
    """Compact ASCII JSON; anything JSON has no word for becomes its text."""
    return json.dumps(value, separators=(",", ":"), default=str)


def mapping_from_json(text: str | None) -> Mapping[str, Any]:
    """The mapping that was written; empty for None."""
    if not text:
        return {}
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def issues_to_json(issues: Sequence[Issue]) -> str | None:
    """The findings, or None when there are none, which is the common case."""
    return to_json([issue.to_json() for issue in issues]) if issues else None


def issues_from_json(text: str | None) -> tuple[Issue, ...]:
    """The findings that were written."""
    return _issues(json.loads(text)) if text else ()


def header_to_blob(header: Header) -> bytes:
    """A header, packed: vendor tags are long and repeat themselves."""
    document = {
        "format": header.format,
        "reader": header.reader,
        "fields": {name: [found.value, found.source] for name, found in header.fields.items()},
        "raw": header.raw,
        "issues": [issue.to_json() for issue in header.issues],
    }
    return zlib.compress(to_json(document).encode("ascii"), 1)


def header_from_blob(blob: bytes) -> Header:
    """The header that was written; sequences among the raw tags come back as lists."""
    document = json.loads(zlib.decompress(blob))
    return Header(
        format=document["format"],
        reader=document["reader"],
        fields={
            name: FieldValue(tuple(value) if isinstance(value, list) else value, source)
            for name, (value, source) in document["fields"].items()
        },
        raw=document["raw"],
        issues=_issues(document["issues"]),
    )


def result_to_json(result: FileResult) -> str:
    """What became of a file."""
    return to_json(result.to_json())


def result_from_json(text: str) -> FileResult:
    """The result that was written."""
    document = json.loads(text)
    document["outcome"] = Outcome(document["outcome"])
    document["proof"] = Proof(document["proof"])
    document["issues"] = _issues(document["issues"])
    return FileResult(**document)


def _issues(documents: Iterable[Mapping[str, Any]]) -> tuple[Issue, ...]:
    return tuple(Issue.from_json(document) for document in documents)
