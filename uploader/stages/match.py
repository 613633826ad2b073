"""Takes the files of a scan against the spec, and gathers the sidecars that lie on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from uploader.model.entries import Found
from uploader.model.files import Root, SourceFile
from uploader.stages.ignore import IgnoreRules
from uploader.stages.scan import scan
from validation.check import grade
from validation.codes import issue
from validation.model import Issue
from validation.sidecar import SIDECAR_NAME, Typed, merge, read
from validation.spec.matching import Matcher
from validation.spec.model import Match, NoMatch, Spec, SpecForm, UnmatchedPolicy

LEVELS_ABOVE = 3
"""How many folders above the dropped one are asked for a sidecar: session, sample, project."""

MOST_MERGED = 1000
"""Folders whose merged metadata is kept: files come folder by folder."""


@dataclass(slots=True)
class Sidecars:
    """The typed metadata of a dropped folder, by the folder each sidecar lies in; filled while scanning."""

    levels: dict[str, Mapping[str, object]] = field(default_factory=dict)
    """Folder relative to the root (`..` for one above) -> what its sidecar says."""
    _merged: dict[str, Typed] = field(default_factory=dict)

    def add(self, folder: str, path: Path, shown_as: str) -> tuple[Issue, ...]:
        """Read a sidecar; returns its findings with the path filled in."""
        values, issues = read(path)
        self.levels[folder] = values
        self._merged.clear()
        return tuple(_placed(found, shown_as, folder) for found in issues)

    def typed(self, folder: str) -> Typed:
        """What holds in a folder: every level on the way merged, the nearest winning."""
        if folder not in self._merged:
            if len(self._merged) >= MOST_MERGED:
                self._merged.clear()
            above = sorted((name for name in self.levels if name.startswith("..")), key=len, reverse=True)
            way = ["", *_ancestors(folder)]
            names = [*above, *(name for name in way if name in self.levels)]
            self._merged[folder] = merge(
                [(f"{name}/{SIDECAR_NAME}".lstrip("/"), self.levels[name]) for name in names]
            )
        return self._merged[folder]


def find(
    root: Root,
    spec: Spec,
    matcher: Matcher,
    ignore: IgnoreRules,
    sidecars: Sidecars,
    takes: Callable[[SourceFile], bool] = lambda _: True,
) -> Iterator[Found | Issue]:
    """Every file below the root with the rule that took it, and what the scan itself found wrong.

    Sidecars that no rule takes go into `sidecars` and do not come out as files. Nothing is said of files that
    `takes` leaves out.
    """
    if spec.form is SpecForm.NANOFERRY:
        yield from _sidecars_above(root, sidecars)
    about: list[Issue] = []
    for item in scan(root, ignore=ignore):
        if isinstance(item, Issue):
            about.append(item)
            continue
        # The scan tells what is wrong with a file just before the file itself.
        own = [found for found in about if found.location.path == item.path]
        yield from (found for found in about if found.location.path != item.path)
        about = []
        if not takes(item):
            continue
        match = matcher.match(item.path)
        if (
            isinstance(match, NoMatch)
            and spec.form is SpecForm.NANOFERRY
            and PurePosixPath(item.path).name == SIDECAR_NAME
        ):
            yield from sidecars.add(_folder(item.path), root.path / item.path, item.path)
            continue
        yield _found(item, match, own, spec)
    yield from about


def _found(source: SourceFile, match: Match | NoMatch, own: list[Issue], spec: Spec) -> Found:
    if isinstance(match, NoMatch):
        return Found(source, issues=grade(own, spec))
    issues = grade(own, spec, (spec.rule(match.rule),)) if own else ()
    # What the path gave is kept, so that later passes need not match again; a match with more to say is made anew.
    is_plain = not match.issues and not match.also
    return Found(
        source,
        match.rule,
        match.dataset,
        match.path,
        match.set_key,
        match.role,
        issues,
        match.captures if is_plain else {},
        match.values if is_plain else {},
    )


def held_by_policy(spec: Spec, unmatched: int) -> tuple[Issue, ...]:
    """The finding that holds everything when the spec says `unmatched: hold` and there are such files."""
    if unmatched and spec.unmatched is UnmatchedPolicy.HOLD:
        files = "1 file is" if unmatched == 1 else f"{unmatched} files are"
        return (issue("path.unmatched_held", f"{files} taken by no rule of {spec.id}", origin="match"),)
    return ()


def _sidecars_above(root: Root, sidecars: Sidecars) -> Iterator[Issue]:
    folder = root.path
    name = ".."
    for _ in range(LEVELS_ABOVE):
        if folder.parent == folder:
            return
        folder = folder.parent
        if (folder / SIDECAR_NAME).is_file():
            yield from sidecars.add(name, folder / SIDECAR_NAME, f"{name}/{SIDECAR_NAME}")
        name += "/.."


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _ancestors(folder: str) -> list[str]:
    parts = folder.split("/") if folder else []
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _placed(found: Issue, path: str, folder: str) -> Issue:
    """The finding with its file, holding everything in and below the sidecar's folder if it holds."""
    return replace(found, location=replace(found.location, path=path), group=f"folder:{folder}")
