"""A single file with the identity that a scan of its folder would give it: its digest may be known already."""

from __future__ import annotations

import os
from pathlib import Path

from uploader.model.files import SourceFile
from uploader.model.mounts import volume_of


def source_of(path: Path) -> SourceFile:
    """The regular file at this path, named by its absolute path; raises OSError when it cannot be looked at."""
    real = Path(os.path.realpath(path))
    state = real.stat()
    volume = volume_of(real.parent)
    inside = f"{volume.inside.rstrip('/')}/{real.name}"
    file_id = str(state.st_ino) if volume.has_file_ids else f"path:{inside}"
    return SourceFile(str(real), state.st_size, state.st_mtime_ns, volume.volume_id, file_id)
