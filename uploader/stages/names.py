"""What is wrong with a file's name before any spec is asked: clashes, length, encoding."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from validation.codes import issue
from validation.model import Issue
from validation.spec.objects import LONGEST_SEGMENT_BYTES


def name_issues(path: str) -> Iterator[Issue]:
    """Findings about the name of a file (`path` is below the root)."""
    if path.isascii() and len(path) <= LONGEST_SEGMENT_BYTES:
        return
    if not _is_text(path):
        yield issue(
            "source.name_undecodable", f"{path!a} holds bytes that are no UTF-8", path=path, origin="scan"
        )
    name = path.rpartition("/")[2]
    length = len(_encoded(name))
    if length > LONGEST_SEGMENT_BYTES:
        yield issue(
            "source.name_too_long",
            f"{name[:40]!r}… has {length} bytes; the object store keeps at most {LONGEST_SEGMENT_BYTES}",
            path=path,
            origin="scan",
        )


def case_clashes(names: Sequence[str]) -> Mapping[str, str]:
    """Name -> the name before it in the list that is the same but for case or Unicode form."""
    first: dict[str, str] = {}
    clashes: dict[str, str] = {}
    for name in names:
        known = first.setdefault(folded(name), name)
        if known is not name:
            clashes[name] = known
    return clashes


def folded(name: str) -> str:
    """The name as file systems that ignore case and Unicode form compare it."""
    if name.isascii():
        return name.lower()
    # Folding may break up what NFD would have ordered, hence both forms around it (Unicode, section 3.13).
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encoded(name: str) -> bytes:
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # Windows lets half a surrogate pair into a name
        return name.encode("utf-8", "surrogatepass")
