"""What a scan leaves out: operating-system litter, and what `.nanoferryignore` files name by gitignore rules."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pathspec import GitIgnoreSpec

from validation.codes import issue
from validation.model import Issue

IGNORE_FILE = ".nanoferryignore"

# Only names that no instrument writes data under: what is left out here is never asked about again, so
# unfinished copies (`*.tmp`, `*.part`) are not in it. They show up as unmatched files instead.
JUNK: tuple[str, ...] = (
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$RECYCLE.BIN",
    "System Volume Information",
    ".DS_Store",
    "._*",  # AppleDouble: Finder's notes about the file of the same name
    ".Spotlight-V100",
    ".Trashes",
    ".Trash-*",
    ".fseventsd",
    ".TemporaryItems",
    ".apdisk",
    "~$*",  # Office holds a document open
    ".~lock.*#",  # LibreOffice does
    ".nfs*",  # NFS keeps a deleted file that is still open
    ".fuse_hidden*",
    "@eaDir",  # Synology's thumbnails
    "lost+found",
    ".deriva-upload-state-*.json",  # what DERIVA's own upload client notes about its transfers
)

_MOST_BYTES = 1024 * 1024
"""An ignore file longer than this is not one."""


@dataclass(frozen=True)
class IgnoreRules:
    """Which names a scan leaves out without a word (it only counts them)."""

    junk: tuple[str, ...] = JUNK
    """Shell patterns against the bare name, ignoring case."""
    patterns: tuple[str, ...] = ()
    """Further gitignore lines that apply from the root, as if they stood above the root's own ignore file."""
    file_name: str = IGNORE_FILE
    """Name of the ignore files; empty: none are read."""

    @cached_property
    def _junk(self) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, self.junk)) or r"(?!)", re.IGNORECASE)

    def is_junk(self, name: str) -> bool:
        """Whether a bare name is litter or an ignore file itself."""
        return self._junk.match(name) is not None or (bool(self.file_name) and name == self.file_name)


@dataclass(frozen=True, slots=True)
class IgnoreLayers:
    """The gitignore rules in force in one folder: its own, then those of the folders above."""

    layers: tuple[tuple[int, GitIgnoreSpec], ...] = ()
    """(length of the path of the folder whose file it is, rules), nearest first."""

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Whether the path below the root is left out; the nearest file that has an opinion decides."""
        for length, spec in self.layers:
            below = path[length + 1 :] if length else path
            verdict = _verdict(spec, f"{below}/" if is_folder else below)
            if verdict is not None:
                return verdict
        return False

    def within(self, folder: str, spec: GitIgnoreSpec | None) -> IgnoreLayers:
        """The rules in force in a folder that has rules of its own."""
        return self if spec is None else IgnoreLayers(((len(folder), spec), *self.layers))


def _verdict(spec: GitIgnoreSpec, path: str) -> bool | None:
    """Whether the last pattern that names this very entry leaves it out; None when none names it.

    Git asks level by level, as the scan does. pathspec would also take a pattern that names a folder above, and so
    let `!*.log` bring back what another rule leaves out inside of `old.log/`.
    """
    for pattern in reversed(spec.patterns):
        # `*` and `**` become an expression that is content with one character.
        named = pattern.regex
        if named is not None and (named.pattern == "." or named.fullmatch(path) is not None):
            return pattern.include
    return None


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """What an ignore file says, and what is wrong with it."""

    spec: GitIgnoreSpec | None
    issues: tuple[Issue, ...] = field(default=())


def load_ignore_file(file: Path, path: str) -> LoadedRules:
    """The rules of an ignore file; `path` is what findings call it."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        return LoadedRules(None, (_unreadable(path, error.strerror or str(error)),))
    if len(content) > _MOST_BYTES:
        return LoadedRules(None, (_unreadable(path, "it is longer than 1 MiB"),))
    # Decoded as the names are, so that a rule can name an undecodable file.
    return parse_rules(content.decode("utf-8", "surrogateescape").removeprefix("\ufeff").splitlines(), path)


def parse_rules(lines: Sequence[str], path: str) -> LoadedRules:
    """The rules of these gitignore lines; a line that is no pattern is skipped and reported."""
    good: list[str] = []
    issues: list[Issue] = []
    for number, written in enumerate(lines, start=1):
        line = _inside_only(written)
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            message = f"{path}, line {number}: {written!r} is not a gitignore pattern"
            issues.append(
                issue(
                    "source.ignore_pattern",
                    message,
                    path=path,
                    line=number,
                    group=_group(path),
                    origin="scan",
                )
            )
        else:
            good.append(line)
    spec = GitIgnoreSpec.from_lines(good)
    return LoadedRules(spec if any(one.include is not None for one in spec.patterns) else None, tuple(issues))


def _inside_only(line: str) -> str:
    """`a/**` means what is inside `a`; pathspec takes `a/` itself for it, which no rule below could undo."""
    return f"{line.rstrip()}/*" if line.rstrip().endswith("/**") and not line.startswith("#") else line


def _unreadable(path: str, why: str) -> Issue:
    message = f"{path} cannot be read: {why}"
    return issue("source.ignore_unreadable", message, path=path, group=_group(path), origin="scan")


def _group(path: str) -> str:
    """The folder that an ignore file speaks for, everything below it included."""
    return f"folder:{path.rpartition('/')[0]}"
