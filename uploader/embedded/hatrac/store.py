"""The embedded Hatrac's state: index, files, room and workers, opened together and closed together."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from uploader.embedded.hatrac import changes, queries
from uploader.embedded.hatrac.folder import Folder
from uploader.embedded.hatrac.following import Following
from uploader.embedded.hatrac.index import Index
from uploader.embedded.hatrac.space import Space, full_disk_is_507

T = TypeVar("T")

MAX_BODY_BYTES = 128 << 20
"""Largest body of one request, as on a real server."""

WORKERS = 8


class HatracStore:
    """Opens the store below a folder and removes what a killed server left there."""

    def __init__(self, root: Path, *, max_bytes: int | None = None) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.index = Index(root / "index.sqlite")
        self.folder = Folder(root)
        self.workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="hatrac-file")
        self.following = Following()
        self._remove_garbage()
        self.swept_files = self.folder.sweep(
            lambda files: self.index.read(lambda found: queries.known_files(found, files))
        )
        self.space = Space(max_bytes, self.index.read(queries.used_bytes))

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """A short look-up in the index."""
        return self.index.read(query)

    async def change(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Change the index; on return the change is on disk."""
        with full_disk_is_507():
            return await asyncio.wrap_future(self.index.write(change))

    async def in_worker(self, job: Callable[[], T]) -> T:
        """Run something that waits for the disk."""
        with full_disk_is_507():
            return await asyncio.get_running_loop().run_in_executor(self.workers, job)

    async def remove_garbage(self) -> None:
        """Remove the files that the last change let go of."""
        await self.in_worker(self._remove_garbage)

    def close(self) -> None:
        """Finish what was accepted and close everything."""
        self.workers.shutdown()
        self.following.close()
        self.index.close()

    def _remove_garbage(self) -> None:
        files = self.index.read(changes.take_garbage)
        if files:
            self.folder.remove(files)
            self.index.write(lambda connection: changes.forget_garbage(connection, files)).result()
