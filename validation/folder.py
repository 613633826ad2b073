"""Checks a folder by itself, without a catalog: names against a spec, headers, sidecars, datasets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from validation.check import (
    CheckedFile,
    DatasetFiles,
    Depth,
    Member,
    Members,
    check_dataset,
    check_file,
    check_member,
)
from validation.codes import issue
from validation.instruments.read import read_header
from validation.model import Issue
from validation.sidecar import SIDECAR_NAME, Typed, merge, read
from validation.spec.matching import Matcher
from validation.spec.model import Match, NoMatch, Spec, SpecForm, UnmatchedPolicy

NO_SPEC = Spec(
    id="none",
    version="0",
    form=SpecForm.NANOFERRY,
    source="",
    digest="",
    rules=(),
    unmatched=UnmatchedPolicy.IGNORE,
)
"""What a folder is checked against when none was named: headers and sidecars only."""

JUNK = frozenset({"Thumbs.db", "desktop.ini"})
"""Left by the operating system, with names that begin with `.` or `~$`; never data."""


@dataclass(slots=True)
class FolderFindings:
    """What the check of a folder found."""

    issues: list[Issue] = field(default_factory=list)
    files: int = 0


def check_folder(root: Path, spec: Spec | None, depth: Depth, now: datetime) -> FolderFindings:
    """Every finding about the files below the folder, which is only read."""
    against = spec or NO_SPEC
    matcher = None if spec is None else Matcher(spec, root.absolute().as_posix())
    found = FolderFindings()
    sidecars: dict[str, Mapping[str, Any]] = {}
    typed_of: dict[str, Typed] = {}
    datasets: dict[str, DatasetFiles] = {}
    for folder, path in _files(root, found.issues):
        if folder not in typed_of:
            typed_of[folder] = _typed(root, folder, sidecars, found.issues)
        name = path.rpartition("/")[2]
        if name == SIDECAR_NAME:
            continue
        try:
            stat = (root / path).stat()
        except OSError as error:  # it went away, or its folder may be listed and not entered
            words = error.strerror or str(error)
            found.issues.append(issue("source.unreadable", words, path=path, origin="folder"))
            continue
        match = NoMatch() if matcher is None else matcher.match(path)
        header = None if depth is Depth.NAMES else read_header(root / path)
        rule = against.rule(match.rule) if isinstance(match, Match) else None
        file = CheckedFile(path, stat.st_size, stat.st_mtime_ns, match, rule, header, typed_of[folder])
        found.issues += check_file(file, against, depth, now)
        found.files += 1
        if isinstance(match, Match) and match.dataset:
            dataset = datasets.get(match.dataset)
            if dataset is None:
                dataset = DatasetFiles(
                    match.dataset, _above(path, match.path), Members(against), typed_of[folder]
                )
                datasets[match.dataset] = dataset
            member = Member(
                path, match.rule, match.role, match.set_key, stat.st_size, file.captures, match.path
            )
            found.issues += check_member(dataset, member, against)
            if header is not None:
                dataset.headers_seen.add(header)
    for dataset in datasets.values():
        found.issues += check_dataset(dataset, against, depth)
    return found


def _files(root: Path, issues: list[Issue]) -> Iterator[tuple[str, str]]:
    """(folder, path) of every regular file, both relative, in a stable order; links are not followed."""

    def unreadable(error: OSError) -> None:
        where = Path(error.filename or root)
        shown = where.relative_to(root).as_posix() if where.is_relative_to(root) else str(where)
        issues.append(
            issue("source.folder_unreadable", error.strerror or str(error), path=shown, origin="folder")
        )

    for here, folders, names in os.walk(root, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not _is_junk(name))
        folder = Path(here).relative_to(root).as_posix()
        folder = "" if folder == "." else folder
        for name in sorted(names):
            path = Path(here) / name
            if not _is_junk(name) and path.is_file() and not path.is_symlink():
                yield folder, f"{folder}/{name}".lstrip("/")


def _typed(root: Path, folder: str, sidecars: dict[str, Mapping[str, Any]], issues: list[Issue]) -> Typed:
    """What the sidecars from the root down to the folder say together; each is read once."""
    parts = folder.split("/") if folder else []
    levels = []
    for count in range(len(parts) + 1):
        level = "/".join(parts[:count])
        shown = f"{level}/{SIDECAR_NAME}".lstrip("/")
        if level not in sidecars:
            sidecars[level] = {}
            if (root / shown).is_file():
                sidecars[level], faults = read(root / shown)
                issues += [
                    replace(fault, group=f"folder:{level}", location=replace(fault.location, path=shown))
                    for fault in faults
                ]
        if sidecars[level]:
            levels.append((shown, sidecars[level]))
    return merge(levels)


def _above(path: str, object_path: str) -> str:
    """The dataset's folder: what lies above the object path."""
    return path[: -len(object_path)].rstrip("/") if object_path and path.endswith(object_path) else ""


def _is_junk(name: str) -> bool:
    return name.startswith((".", "~$")) or name in JUNK
