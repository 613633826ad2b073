"""Walks a dropped folder: every regular file in a stable order, and what stood in the way as findings.

It only lists and looks (scandir, lstat); it opens no data file and writes nothing. It holds one folder's names
at a time for each level it is deep, never the tree; of a very large folder, packed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uploader.model.files import Root, SourceFile
from uploader.model.mounts import volume_of
from uploader.stages.ignore import IgnoreLayers, IgnoreRules, load_ignore_file, parse_rules
from uploader.stages.listing import FolderEntry, listed
from uploader.stages.names import name_issues
from validation.codes import issue
from validation.model import Issue


@dataclass(slots=True)
class ScanTally:
    """Counts that a scan keeps up to date for whoever watches it."""

    folders: int = 0
    files: int = 0
    junk: int = 0
    """Litter of operating systems, and ignore files."""
    ignored: int = 0
    """Files and folders that an ignore rule left out; what lies in such a folder is not counted."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder on the way down."""

    full: str
    path: str
    """Below the root; empty for the root."""
    layers: IgnoreLayers
    ids: frozenset[tuple[int, int]]
    """(device, inode) of the folder and of all above it: meeting one again is a loop."""
    volume_id: str
    has_file_ids: bool
    device: int
    inside: str
    """Path inside the volume, to know a file by where inode numbers cannot be trusted."""


def scan(root: Root, *, ignore: IgnoreRules, tally: ScanTally | None = None) -> Iterator[SourceFile | Issue]:
    """Every file below the root, by name and depth first, between findings about what was met.

    A finding about a file that is taken comes just before it and bears its path. Nothing raises for the state
    of the disk: folders that cannot be listed or went away are findings, and the scan goes on.
    """
    counts = tally if tally is not None else ScanTally()
    extra = parse_rules(ignore.patterns, "(settings)")
    yield from extra.issues
    try:
        start = _root_folder(root, IgnoreLayers().within("", extra.spec))
    except OSError as error:
        yield _folder_unreadable("", str(root.path), error)
        return
    stack: list[Iterator[_Folder | SourceFile | Issue]] = [_listed(start, root, ignore, counts)]
    while stack:
        met = next(stack[-1], None)
        if met is None:
            stack.pop()
        elif isinstance(met, _Folder):
            stack.append(_listed(met, root, ignore, counts))
        else:
            yield met


def _root_folder(root: Root, layers: IgnoreLayers) -> _Folder:
    volume = volume_of(root.path)
    state = root.path.stat()
    return _Folder(
        full=str(root.path),
        path="",
        layers=layers,
        ids=frozenset({(state.st_dev, state.st_ino)}),
        volume_id=root.volume_id or volume.volume_id,
        has_file_ids=volume.has_file_ids,
        device=state.st_dev,
        inside=volume.inside,
    )


def _listed(
    folder: _Folder, root: Root, ignore: IgnoreRules, tally: ScanTally
) -> Iterator[_Folder | SourceFile | Issue]:
    """What one folder holds, by name; subfolders are handed up to be entered."""
    tally.folders += 1
    found = listed(folder.full)
    if found.failure is not None:
        yield _listing_failed(folder, found.failure)
    layers = folder.layers
    if ignore.file_name and found.holds(ignore.file_name):
        loaded = load_ignore_file(Path(folder.full, ignore.file_name), _joined(folder.path, ignore.file_name))
        yield from loaded.issues
        layers = layers.within(folder.path, loaded.spec)
    found.keep(entry for entry in found if _is_wanted(entry, folder, layers, ignore, tally))
    clashes = found.clashes()
    for entry in found:
        path = _joined(folder.path, entry.name)
        if entry.name in clashes:
            yield issue(
                "source.case_clash",
                f"{path} and {clashes[entry.name]} in the same folder differ only in case or Unicode form",
                path=path,
                origin="scan",
            )
        yield from _looked_at(entry, path, folder, layers, root, tally)


def _is_wanted(
    entry: FolderEntry, folder: _Folder, layers: IgnoreLayers, ignore: IgnoreRules, tally: ScanTally
) -> bool:
    if ignore.is_junk(entry.name):
        tally.junk += 1
        return False
    if layers.layers and layers.ignores(_joined(folder.path, entry.name), is_folder=_is_folder(entry)):
        tally.ignored += 1
        return False
    return True


def _looked_at(
    entry: FolderEntry, path: str, folder: _Folder, layers: IgnoreLayers, root: Root, tally: ScanTally
) -> Iterator[_Folder | SourceFile | Issue]:
    try:
        state = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        yield _vanished(path)
        return
    except OSError as error:
        yield issue(
            "source.unreadable",
            f"{path} cannot be looked at: {error.strerror or error}",
            path=path,
            origin="scan",
        )
        return
    if stat.S_ISLNK(state.st_mode):
        yield _link_issue(entry.path, path, root)
    elif stat.S_ISDIR(state.st_mode):
        yield _subfolder(entry, path, folder, layers, state)
    elif stat.S_ISREG(state.st_mode):
        tally.files += 1
        yield from name_issues(path)
        yield _source(entry, path, folder, state)
    else:
        kind = _special_kind(state.st_mode)
        yield issue("source.special", f"{path} is a {kind}, not a file", path=path, origin="scan")


def _source(entry: FolderEntry, path: str, folder: _Folder, state: os.stat_result) -> SourceFile:
    if folder.has_file_ids:
        # On Windows the listing knows no file index and inode() has to ask for it.
        file_id = str(state.st_ino or entry.inode())
    else:
        file_id = f"path:{_joined(folder.inside, entry.name)}"
    return SourceFile(path, state.st_size, state.st_mtime_ns, folder.volume_id, file_id)


def _subfolder(
    entry: FolderEntry, path: str, above: _Folder, layers: IgnoreLayers, state: os.stat_result
) -> _Folder | Issue:
    device = state.st_dev or above.device
    own_id = (device, state.st_ino or entry.inode())
    if own_id in above.ids:
        return issue("source.link_loop", f"{path} is one of the folders above it", path=path, origin="scan")
    volume_id, has_file_ids = above.volume_id, above.has_file_ids
    inside = _joined(above.inside, entry.name)
    if device != above.device:
        # Another disk is mounted here: its inode numbers are its own.
        try:
            volume = volume_of(Path(entry.path))
        except OSError as error:
            return _folder_unreadable(path, path, error)
        volume_id, has_file_ids, inside = volume.volume_id, volume.has_file_ids, volume.inside
    return _Folder(
        full=entry.path,
        path=path,
        layers=layers,
        ids=above.ids | {own_id},
        volume_id=volume_id,
        has_file_ids=has_file_ids,
        device=device,
        inside=inside,
    )


def _link_issue(full: str, path: str, root: Root) -> Issue:
    """Links are never followed: what lies inside is taken at its own place, what lies outside was not dropped."""
    try:
        target = os.path.realpath(full, strict=True)
    except FileNotFoundError:
        return issue("source.link_broken", f"{path} is a link to nothing", path=path, origin="scan")
    except OSError as error:
        code = "source.link_loop" if error.errno == errno.ELOOP else "source.link_broken"
        return issue(code, f"{path} is a link that leads nowhere: {error.strerror}", path=path, origin="scan")
    base = os.path.realpath(root.path)
    own = os.path.join(os.path.realpath(os.path.dirname(full)), "")  # noqa: PTH118, PTH120 - hot and str
    if own.startswith(os.path.join(target, "")):  # noqa: PTH118
        return issue("source.link_loop", f"{path} is a link to a folder it lies in", path=path, origin="scan")
    if target.startswith(os.path.join(base, "")):  # noqa: PTH118
        below = os.path.relpath(target, base).replace(os.sep, "/")
        return issue("source.link_inside", f"{path} is a link to {below}", path=path, origin="scan")
    return issue("source.link_outside", f"{path} is a link to {target}", path=path, origin="scan")


def _listing_failed(folder: _Folder, error: OSError) -> Issue:
    if folder.path and isinstance(error, FileNotFoundError | NotADirectoryError):
        return _vanished(folder.path)
    return _folder_unreadable(folder.path, folder.path or folder.full, error)


def _folder_unreadable(path: str, name: str, error: OSError) -> Issue:
    remedy = ""
    if error.errno == errno.ENAMETOOLONG:
        remedy = "The path is longer than the system allows: drop a folder further down, or shorten names."
    return issue(
        "source.folder_unreadable",
        f"{name} cannot be listed: {error.strerror or error}",
        path=path,
        origin="scan",
        remedy=remedy,
    )


def _vanished(path: str) -> Issue:
    return issue(
        "source.vanished", f"{path} went away while the folder was scanned", path=path, origin="scan"
    )


def _is_folder(entry: FolderEntry) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _special_kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFBLK: "device", stat.S_IFCHR: "device"}
    return kinds.get(stat.S_IFMT(mode), "special file")


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
