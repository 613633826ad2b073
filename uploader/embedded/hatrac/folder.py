"""The files of the store: where they lie, how they are written durably, and the sweep of leftovers.

    incoming/         bodies that are being received; emptied at every start
    data/000012/ID    complete contents and the files of open jobs, a thousand to a folder
    sides/            repeated chunks that wait for their job to be finished

A file is visible only through the index, never by being there.
"""

from __future__ import annotations

import base64
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

FILES_PER_SHARD = 1000
COPY_BYTES = 1 << 20
SWEEP_BATCH = 200


def new_id() -> str:
    """A random id in the form of a real server: 26 characters of base32."""
    return base64.b32encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")


class Folder:
    """Names and places of files below the store's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        for name in ("incoming", "data", "sides"):
            (root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._shard, self._in_shard = self._last_shard()

    def path(self, file: str) -> Path:
        """Absolute path of a stored file."""
        return self.root / file

    def incoming(self) -> Path:
        """A path for a body to be received."""
        return self.root / "incoming" / new_id()

    def side(self) -> str:
        """A place for a repeated chunk."""
        return f"sides/{new_id()}"

    def place(self, file_id: str) -> str:
        """The place of a new content; its folder exists on return."""
        with self._lock:
            if self._in_shard >= FILES_PER_SHARD:
                self._shard, self._in_shard = self._shard + 1, 0
            shard = self.root / "data" / f"{self._shard:06d}"
            if self._in_shard == 0:
                shard.mkdir(mode=0o700, exist_ok=True)
                sync_folder(shard.parent)
            self._in_shard += 1
            return f"data/{shard.name}/{file_id}"

    def remove(self, files: Iterable[str]) -> None:
        """Remove files; one that has gone already is fine."""
        for file in files:
            self.path(file).unlink(missing_ok=True)

    def sweep(self, known: Callable[[list[str]], set[str]]) -> int:
        """Remove what a killed server left behind; returns how many files.

        A content without an entry in the index can only lie in the folders that were filled last.
        """
        removed = 0
        for path in (self.root / "incoming").iterdir():
            path.unlink()
            removed += 1
        shards = sorted((self.root / "data").iterdir())[-2:]
        for folder in [self.root / "sides", *shards]:
            files = [str(path.relative_to(self.root).as_posix()) for path in folder.iterdir()]
            for start in range(0, len(files), SWEEP_BATCH):
                batch = files[start : start + SWEEP_BATCH]
                orphans = set(batch) - known(batch)
                self.remove(orphans)
                removed += len(orphans)
        return removed

    def _last_shard(self) -> tuple[int, int]:
        shards = sorted((self.root / "data").iterdir())
        if not shards:
            return 0, 0
        return int(shards[-1].name), len(list(shards[-1].iterdir()))


def sync_folder(path: Path) -> None:
    """Put a folder's entries on disk (nothing to do where folders cannot be opened)."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def copy_into(source: Path, target: Path, offset: int) -> None:
    """Copy a file into another one at an offset and put it on disk."""
    with source.open("rb") as reader, target.open("r+b") as writer:
        writer.seek(offset)
        shutil.copyfileobj(reader, writer, COPY_BYTES)
        writer.flush()
        os.fsync(writer.fileno())
