"""Names of objects in the store: rendered, percent-encoded segment by segment, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import regex

from validation.codes import issue
from validation.model import Issue
from validation.spec import placeholders
from validation.spec.model import Rule
from validation.spec.placeholders import Piece, Placeholder
from validation.spec.render import URLENCODED, is_deriva, render, url_encoded

LONGEST_SEGMENT_BYTES = 255 - 27
"""Of a decoded segment: file systems stop at 255, and Hatrac keeps the object as a file `NAME:VERSION`, the
version having 26 characters."""
# What a URL path may hold as it is; ":" and ";" would be read as version and sub-resource.
_LITERAL_SAFE = "/-._~!$&'()*+,=@"
_SANITISED = r"[^a-zA-Z0-9_.-]"
_NOTHING_TO_SANITISE = re.compile(r"[a-zA-Z0-9_.-]*")
# Segments of plain characters, none of them "." or "..", none too long: nothing to decode and look at.
_PLAIN = re.compile(rf"/hatrac(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9_.~-]{{1,{LONGEST_SEGMENT_BYTES}}})+")
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_.~/-]+")
_DISPOSITION = regex.compile(r"filename\*?=['\"]?(?:UTF-8'')?([^;\r\n\"']*)['\"]?;?", regex.IGNORECASE)


def object_name(rule: Rule, values: Mapping[str, Any]) -> str | Issue:
    """The percent-encoded name of the file's object, or the finding that says why there is none.

    Only `{path}` (and, under DERIVA JSON, any value) may bring `/` with it.
    """
    if rule.object is None:
        return _refused(rule, values, "the rule names no object")
    out: list[str] = []
    for piece in _pieces(rule.object.name):
        if isinstance(piece, str):
            out.append(piece)
            continue
        text = _inserted(rule, piece, values)
        if isinstance(text, Issue):
            return text
        out.append(text)
    name = "".join(out)
    if is_deriva(rule):
        try:
            name = _sanitised(rule, name)
        except (TimeoutError, regex.error) as error:
            return _refused(rule, values, f"sanitize_filenames_pattern cannot be used: {error}")
    return _checked(rule, name, values)


@lru_cache(maxsize=1024)
def _pieces(template: str) -> tuple[Piece, ...]:
    """The template's pieces, its own text encoded: escapes that the author wrote are kept."""
    return tuple(
        quote(piece, safe=_LITERAL_SAFE + "%") if isinstance(piece, str) else piece
        for piece in placeholders.parse(template)
    )


def _inserted(rule: Rule, piece: Placeholder, values: Mapping[str, Any]) -> str | Issue:
    plain = piece.name.removesuffix(URLENCODED)
    if is_deriva(rule) and values.get(plain, "") is None:
        # A group that did not take part stands for nothing there; a name nobody knows is still a fault.
        return ""
    text = placeholders.written(values.get(plain), piece.format)
    if text is None:
        return _refused(rule, values, f"{{{piece.name}}} has no value")
    if piece.name.endswith(URLENCODED):
        return url_encoded(text, rule.safe_characters.get(plain, ""))
    if _PLAIN_TEXT.fullmatch(text) and (piece.name == "path" or "/" not in text):
        return text
    if "/" in text and piece.name != "path" and not is_deriva(rule):
        return _refused(rule, values, f"the value of {{{piece.name}}}, {text!r}, holds a /")
    return url_encoded(text, "/")


def _sanitised(rule: Rule, name: str) -> str:
    """The last segment with awkward characters replaced, unless the spec switches that off."""
    options = rule.extras.get("hatrac_options", {})
    if not options.get("sanitize_filenames", True) or rule.extras.get("content_disposition"):
        return name
    folder, slash, last = name.rpartition("/")
    plain = unquote_to_bytes(last).decode("utf-8", "surrogateescape")
    return folder + slash + url_encoded(_clean(rule, plain))


def _clean(rule: Rule, text: str) -> str:
    pattern = rule.extras.get("hatrac_options", {}).get("sanitize_filenames_pattern") or _SANITISED
    if pattern == _SANITISED and _NOTHING_TO_SANITISE.fullmatch(text):
        return text
    return str(regex.sub(pattern, "_", text, timeout=1.0))


def _checked(rule: Rule, name: str, values: Mapping[str, Any]) -> str | Issue:
    if _PLAIN.fullmatch(name):
        return name
    segments = name.split("/")
    if not name.startswith("/") or "" in segments[1:]:
        return _refused(rule, values, f"{name!r} has an empty part or does not begin with /")
    if not name.startswith("/hatrac/"):
        # A spec may come from a catalog: it names objects, never another service of the server.
        return _refused(rule, values, f"{name!r} does not lie in /hatrac/")
    for segment in segments[1:]:
        decoded = unquote_to_bytes(segment)
        if decoded in (b".", b".."):
            return _refused(rule, values, f"{name!r} leads out of its folder")
        if len(decoded) > LONGEST_SEGMENT_BYTES:
            return issue(
                "source.name_too_long",
                f"a part of the object's name has {len(decoded)} bytes, more than {LONGEST_SEGMENT_BYTES}",
                path=str(values.get("source_path", "")),
                origin=f"rule {rule.id}",
            )
    return name


def _refused(rule: Rule, values: Mapping[str, Any], why: str) -> Issue:
    return issue(
        "path.object_name",
        f"rule {rule.id} gives no object name: {why}",
        path=str(values.get("source_path", "")),
        origin=f"rule {rule.id}",
    )


def download_name(rule: Rule, values: Mapping[str, Any]) -> str:
    """The file name a download gets (for Content-Disposition), not encoded."""
    fallback = str(values.get("file_name", ""))
    if rule.object is None:
        return fallback
    rendered = render(rule.object.filename, values, safe=rule.safe_characters) or fallback
    if not is_deriva(rule):
        return rendered
    found = _DISPOSITION.match(rendered)
    plain = unquote_to_bytes(found.group(1)).decode("utf-8", "replace") if found else rendered
    options = rule.extras.get("hatrac_options", {})
    try:
        return _clean(rule, plain) if options.get("sanitize_filenames", True) else plain
    except (TimeoutError, regex.error):
        return plain  # object_name has refused the file for this, or will
