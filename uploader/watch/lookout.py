"""Looks at the watched folders: scans them in small bites, applies the settle rule, and says when a run is due."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final

from uploader.engine.control.lookout import Outlook
from uploader.model.errors import SettingsError, UploaderError
from uploader.model.files import FileResult, Root, SourceFile
from uploader.model.ports import Clock
from uploader.stages.ignore import IgnoreRules
from uploader.stages.roots import make_root
from uploader.stages.scan import scan
from uploader.watch.observers import Hints
from uploader.watch.settle import EXAMPLES, Settling, opens
from validation.model import Issue
from validation.sidecar import SIDECAR_NAME

SETTLE_S: Final = 10.0
RESCAN_S: Final = 60.0

BITE_S: Final = 0.1
"""A look takes about so long, so that commands are answered while a large folder is scanned."""

REST_PER_SCAN: Final = 10.0
"""A scan is followed by a rest of so many times its own length, whatever hints come: it is not what a PC is for."""

LEAST_REST_S: Final = 0.5

REST_PER_SURVEY: Final = 4.0
"""A run is followed by a rest of so many times what its survey took: in a folder of a million files a file that
comes every minute must not keep a PC busy."""

AGAIN_S: Final = 600.0
"""Files that were held or failed are tried again after this time, then after twice as long, and so on."""

AGAIN_MOST_S: Final = 3600.0

BROKEN_OFF_S: Final = 60.0
"""After a run that broke off the next one begins so much later, then after twice as long, and so on."""


@dataclass(slots=True)
class _Folder:
    root: Root
    settling: Settling
    is_away: bool = False
    has_unsettled_sidecars: frozenset[str] = frozenset()
    """Folders whose typed metadata is being written: what lies in them waits for it."""


class FolderLookout:
    """The engine's lookout between runs and its choice of files in them; calls come one after another."""

    def __init__(
        self,
        roots: Sequence[Root],
        clock: Clock,
        hints: Hints,
        *,
        settle_s: float = SETTLE_S,
        rescan_s: float = RESCAN_S,
        can_open: Callable[[Root, SourceFile], bool] = lambda root, source: opens(root.path / source.path),
    ) -> None:
        self._clock, self._hints = clock, hints
        self._settle_s, self._rescan_s = settle_s, rescan_s
        self._folders = {root: _folder(root, settle_s, can_open) for root in roots}
        self._scan: Generator[None, None, None] | None = None
        self._next_s = self._earliest_s = -math.inf
        self._wants_run = self._is_listening = False
        self._rested_s = -math.inf
        self._again_s, self._again_after_s = math.inf, AGAIN_S
        self._broken_off, self._broken_off_after_s = "", BROKEN_OFF_S
        self._trouble = ""
        self._has_scanned = False
        self._cancelled: set[tuple[str, str, int, int]] = set()
        """Folder, path, size and time of files that a person has cancelled: not sent by the next run after all."""

    def close(self) -> None:
        """Listen no longer."""
        self._hints.close()

    # between runs ---------------------------------------------------------------------------

    def look(self, *, at_once: bool) -> Outlook:
        """Go on with the scan, or begin one when it is time."""
        now_s = self._clock.monotonic()
        self._wants_run = self._wants_run or at_once
        if not self._is_listening:
            # Before the first scan: what comes while it goes on must not be missed.
            self._listen()
        if self._scan is None and (at_once or self._is_due(now_s)):
            self._scan = self._scanned()
        if self._scan is not None:
            if self._bite(self._scan, now_s):
                return self._outlook(has_work=False)
            self._scan, self._has_scanned = None, True
            if self._wants_run:
                return self._outlook(has_work=True)
        if self._again_s <= now_s:
            return self._outlook(has_work=True)
        is_rested = now_s >= self._rested_s
        return self._outlook(has_work=is_rested and any(one.settling.ripe for one in self._there()))

    def _is_due(self, now_s: float) -> bool:
        if now_s >= self._earliest_s and self._hints.take():
            return True
        return now_s >= self._next_s

    def _bite(self, scan: Generator[None, None, None], now_s: float) -> bool:
        """Scan for a moment; whether something is left."""
        return any(self._clock.monotonic() - now_s >= BITE_S for _ in scan)

    def _scanned(self) -> Generator[None, None, None]:
        """One scan of all folders, pausing after every file."""
        began_s = self._clock.monotonic()
        has_come_back = False
        for folder in self._folders.values():
            was_away, folder.is_away = folder.is_away, not is_there(folder.root)
            has_come_back = has_come_back or (was_away and not folder.is_away)
            if not folder.is_away:
                yield from self._scanned_one(folder)
        if has_come_back:
            # What a run could not read when the folder went is tried again, and hints of before are void.
            self._wants_run = True
            self._listen()
        ended_s = self._clock.monotonic()
        self._earliest_s = ended_s + max(
            LEAST_REST_S, self._settle_s / 4, REST_PER_SCAN * (ended_s - began_s)
        )
        settles_s = min((one.settling.next_s(ended_s) for one in self._there()), default=math.inf)
        self._next_s = max(self._earliest_s, min(ended_s + self._rescan_s, settles_s))

    def _scanned_one(self, folder: _Folder) -> Generator[None, None, None]:
        settling, root = folder.settling, folder.root
        sidecars: set[str] = set()
        settling.begin(self._clock.monotonic())
        for found in scan(root, ignore=IgnoreRules()):
            if isinstance(found, Issue):
                continue
            is_settled = settling.see(found)
            place, _, name = found.path.rpartition("/")
            if name == SIDECAR_NAME and not is_settled:
                sidecars.add(place)
            yield
        if not is_there(root):
            # It went while it was scanned: what was not met is not gone.
            folder.is_away = True
            return
        settling.end(self._clock.monotonic())
        folder.has_unsettled_sidecars = frozenset(sidecars)

    def _there(self) -> list[_Folder]:
        return [folder for folder in self._folders.values() if not folder.is_away]

    def _listen(self) -> None:
        self._is_listening = True
        trouble = self._hints.follow([folder.root.path for folder in self._there() if is_there(folder.root)])
        self._trouble = trouble and f"{trouble}; looking every {self._rescan_s:g} s instead"

    def _outlook(self, *, has_work: bool) -> Outlook:
        there = self._there()
        examples = [path for folder in there for path in folder.settling.examples]
        return Outlook(
            has_work=has_work,
            settling=sum(folder.settling.waiting for folder in there),
            examples=tuple(examples[:EXAMPLES]),
            away=tuple(str(one.root.path) for one in self._folders.values() if one.is_away),
            note="; ".join(part for part in self._notes() if part),
        )

    def _notes(self) -> tuple[str, ...]:
        first = "" if self._has_scanned else "looking through the folders for the first time"
        return first, self._broken_off, self._trouble

    # runs -----------------------------------------------------------------------------------

    def set_out(self) -> None:
        """A run begins: what has settled is its to take."""
        self._wants_run, self._again_s = False, math.inf
        for folder in self._folders.values():
            folder.settling.offer()

    def has(self, root: Root) -> bool:
        """Whether the folder is there, and is the one it was."""
        folder = self._folders[root]
        folder.is_away = folder.is_away or not is_there(root)
        return not folder.is_away

    def takes(self, root: Root, source: SourceFile) -> bool:
        """Whether the file has settled, is as it was then, and waits for no typed metadata."""
        folder = self._folders[root]
        if not folder.settling.is_offered(source) or self._is_cancelled(root, source):
            return False
        return not folder.has_unsettled_sidecars or folder.has_unsettled_sidecars.isdisjoint(
            _folders_above(source.path)
        )

    def cancelled(self, result: FileResult) -> None:
        """A person wants this file left out; until it changes."""
        self._cancelled.add((result.root, result.path, result.size_bytes, result.mtime_ns))

    def _is_cancelled(self, root: Root, source: SourceFile) -> bool:
        if not self._cancelled:
            return False
        return (str(root.path), source.path, source.size_bytes, source.mtime_ns) in self._cancelled

    def came_home(self, *, survey_s: float, has_moved: bool, has_left_over: bool) -> None:
        """A run has ended: files were sent, or some were held or failed and are to be tried again."""
        self._rested_s = self._clock.monotonic() + REST_PER_SURVEY * survey_s
        self._broken_off, self._broken_off_after_s = "", BROKEN_OFF_S
        if has_moved:
            self._again_after_s = AGAIN_S
        if has_left_over:
            self._again_s = self._clock.monotonic() + self._again_after_s
            self._again_after_s = min(AGAIN_MOST_S, 2 * self._again_after_s)

    def broke_off(self, error: UploaderError) -> float:
        """A run could not go on: another one begins after these seconds."""
        wait_s = self._broken_off_after_s
        self._broken_off = f"the last run broke off and is begun again: {error.summary}"
        self._again_s = self._clock.monotonic() + wait_s
        self._broken_off_after_s = min(AGAIN_MOST_S, 2 * wait_s)
        return wait_s


def is_there(root: Root) -> bool:
    """Whether the folder is there with its own disk: an empty mount point is another folder."""
    try:
        return make_root(root.path).key == root.key
    except SettingsError:
        return False


def _folder(root: Root, settle_s: float, can_open: Callable[[Root, SourceFile], bool]) -> _Folder:
    return _Folder(root, Settling(settle_s, lambda source: can_open(root, source)))


def _folders_above(path: str) -> list[str]:
    """The folders a file lies in, from the root ("") down."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]
