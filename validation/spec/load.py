"""Loads a spec of either form, from a file, a text or a catalog's annotation; every fault at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.codes import issue
from validation.errors import SpecError
from validation.spec import deriva_form, yaml_form
from validation.spec.faults import Faults
from validation.spec.located import MAX_CHARS, Located, read_document, read_text
from validation.spec.model import Spec
from validation.specset import data_dir

_SUFFIXES = (".yaml", ".yml", ".json")


def load(path: Path) -> Spec:
    """The spec in the file; raises SpecError with all faults."""
    try:
        size_bytes = path.stat().st_size
        content = path.read_bytes() if size_bytes <= 4 * MAX_CHARS else b""
    except OSError as error:
        raise _not_found(str(path), f"cannot be read: {error.strerror or error}") from error
    if size_bytes > 4 * MAX_CHARS:
        raise SpecError(
            str(path),
            [issue("spec.syntax", f"the spec has {size_bytes:,} bytes; that is no spec", path=str(path))],
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(
            str(path),
            [issue("spec.syntax", f"the spec is not UTF-8 at byte {error.start}", path=str(path))],
        ) from error
    return load_text(text, str(path))


def load_text(text: str, source: str) -> Spec:
    """The spec in the text; `source` names it in messages. Raises SpecError with all faults."""
    return _build(read_text(text, source), hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def load_document(document: Mapping[str, Any], source: str) -> Spec:
    """The spec in values that came without a text, such as a catalog annotation. Raises SpecError."""
    located = read_document(document, source)
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return _build(located, hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest())


def _build(document: Located, digest: str) -> Spec:
    faults = Faults(document)
    value = document.value
    if not isinstance(value, Mapping):
        faults.add("spec.syntax", (), "a spec is a mapping at its top", remedy="Begin with `nanoferry: 1`.")
        spec = None
    elif "asset_mappings" in value and "nanoferry" not in value:
        spec = deriva_form.build(faults, digest)
    else:
        spec = yaml_form.build(faults, digest)
    if spec is None:
        raise SpecError(document.source, faults.errors)
    return spec


def shipped() -> Mapping[str, Path]:
    """The specs that come with Nanoferry, by name."""
    return {
        path.stem: path
        for path in sorted((data_dir() / "layouts").iterdir())
        if path.suffix in _SUFFIXES and path.is_file()
    }


def find(name_or_path: str) -> Path:
    """The file of a spec: a path that exists, else a shipped spec of that name. Raises SpecError for neither."""
    path = Path(name_or_path)
    known = shipped()
    try:
        if path.is_file():
            return path
        if name_or_path in known:
            return known[name_or_path]
        what = "is a folder" if path.is_dir() else "is neither a file nor a shipped spec"
    except OSError as error:
        what = f"cannot be looked at: {error.strerror or error}"
    raise _not_found(name_or_path, what)


def _not_found(name_or_path: str, what: str) -> SpecError:
    remedy = f"Give the path of a spec file, or one of: {', '.join(shipped())}."
    return SpecError(
        name_or_path,
        [issue("spec.not_found", f"{name_or_path} {what}", path=name_or_path, remedy=remedy)],
    )
