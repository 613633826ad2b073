"""Vendor INI text as plain dictionaries, forgiving as the vendors are careless."""

from __future__ import annotations

SECTION_LIMIT = 10_000


def ini_tree(text: str) -> dict[str, dict[str, str]]:
    """`{section: {key: value}}`; lines before the first section belong to section ``''`` and are rare.

    The standard library's parser is not used: it refuses repeated sections and keys, and folds case.
    The first value of a repeated key wins, as it does in the vendors' own programs.
    """
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = sections.setdefault("", {})
    for line in text.splitlines():
        stripped = line.strip("\0 \t")
        if stripped.startswith("[") and stripped.endswith("]"):
            if len(sections) >= SECTION_LIMIT:
                break
            current = sections.setdefault(stripped[1:-1].strip(), {})
        elif "=" in stripped:
            key, _, value = stripped.partition("=")
            current.setdefault(key.strip(), value.strip())
    if not sections[""]:
        del sections[""]
    return sections
