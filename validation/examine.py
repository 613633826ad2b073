"""Checks whatever a person names: folders, instrument files, metadata documents, specs, sidecars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from validation.check import CheckedFile, Depth, check_file
from validation.codes import issue
from validation.documents import SUFFIXES, Kind, read_document
from validation.errors import SpecError
from validation.folder import NO_SPEC, check_folder
from validation.instruments.read import read_header
from validation.model import Issue, Report, Severity
from validation.schema import LEVELS, check_document, reached_level
from validation.sidecar import Typed, read
from validation.spec.load import load
from validation.spec.model import NoMatch, Spec

NOT_RUN_WITHOUT_SPEC = "names and completeness (no spec was given)"
NOT_RUN_WITHOUT_CATALOG = "catalog records, columns and rights (no server was asked)"


def examine(
    paths: Sequence[Path],
    *,
    now: datetime,
    spec: Spec | None = None,
    level: str = "",
    depth: Depth = Depth.HEADERS,
) -> Report:
    """One report about all of the paths; raises FileNotFoundError for one that does not exist.

    `level` is what metadata documents are checked at; empty: what each claims.
    """
    issues: list[Issue] = []
    files = 0
    not_run: list[str] = []
    for path in paths:
        if path.is_dir():
            found = check_folder(path, spec, depth, now)
            issues += _prefixed(found.issues, path, len(paths))
            files += found.files
            not_run += [NOT_RUN_WITHOUT_CATALOG] if spec else [NOT_RUN_WITHOUT_SPEC, NOT_RUN_WITHOUT_CATALOG]
        else:
            path.stat()
            issues += [
                replace(one, location=replace(one.location, path=str(path)))
                for one in _file(path, level, now)
            ]
            files += 1
    return Report(
        issues=tuple(issues),
        files_checked=files,
        checks_not_run=tuple(dict.fromkeys(not_run)),
        subject=", ".join(str(path) for path in paths),
    )


def _prefixed(issues: Sequence[Issue], folder: Path, subjects: int) -> Iterator[Issue]:
    """Paths stay relative to the folder unless several things were named."""
    for one in issues:
        if subjects == 1:
            yield one
        else:
            place = (folder / one.location.path).as_posix() if one.location.path else str(folder)
            yield replace(one, location=replace(one.location, path=place))


def _file(path: Path, level: str, now: datetime) -> tuple[Issue, ...]:
    if path.suffix.lower() not in SUFFIXES:
        stat = path.stat()
        file = CheckedFile(
            path.name, stat.st_size, stat.st_mtime_ns, NoMatch(), None, read_header(path), Typed()
        )
        return check_file(file, NO_SPEC, Depth.HEADERS, now)
    kind, content, issues = read_document(path)
    match kind:
        case Kind.SIDECAR:
            return read(path)[1]
        case Kind.SPEC:
            try:
                return load(path).issues
            except SpecError as error:
                return error.issues
        case Kind.METADATA:
            return _metadata(content, level)
        case Kind.OTHER:
            return issues or (
                issue(
                    "metadata.unreadable",
                    "the file is neither a metadata document (profile, schemaVersion) nor a spec",
                    remedy="Name a metadata document, a spec, a nanoferry.yaml or an instrument file.",
                    origin="examine",
                ),
            )


def _metadata(content: object, level: str) -> tuple[Issue, ...]:
    """Findings about a document by itself: it must keep the level it claims, so all of them are errors."""
    document = content if isinstance(content, dict) else {}
    profile = document.get("profile")
    claimed = profile.get("level") if isinstance(profile, dict) else None
    asked = level or (claimed if claimed in LEVELS else LEVELS[0])
    found = tuple(one.graded(Severity.ERROR) for one in check_document(document, asked))
    reached = reached_level(document)
    if reached != asked:
        words = f"it reaches {reached}" if reached else "it reaches none yet"
        found += (issue("metadata.level", f"checked at level {asked}; {words}", origin="examine"),)
    return found
