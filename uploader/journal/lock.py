"""One engine per dropped folder: who holds which root, by locks that the operating system releases."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from uploader.journal import oslock
from uploader.model.errors import JournalError, JournalLocked
from uploader.model.files import Root

_FOLDER = "locks"
_GATE = "gate"
"""Held while the lock files are looked through, so that two engines never decide at the same time."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The engine that holds a root."""

    pid: int
    host: str
    since: str
    """RFC 3339, UTC."""
    path: str
    """The root as it was given to that engine."""
    volume_id: str
    inside: str
    """Place of the root inside its volume, links resolved."""

    def overlaps(self, other: Holder) -> bool:
        """Whether one root is the other or lies in it."""
        if self.volume_id != other.volume_id:
            # Other disks may be mounted below a root, so the paths as given count as well.
            return _nested(self.path, other.path)
        return _nested(self.inside, other.inside) or _nested(self.path, other.path)

    def holds(self, path: Path) -> bool:
        """Whether this path, as it was given to an engine, is the root or lies in it."""
        return PurePosixPath(path.as_posix()).is_relative_to(self.path)


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def hold_root(folder: Path, root: Root, *, now: Callable[[], str] = _utc_now) -> Iterator[Holder]:
    """Hold a dropped root for this engine; `folder` is the state folder.

    Raises JournalLocked, naming who has it, when another engine holds this root, one above or one below it. The
    operating system lets go of the lock when the process ends, whatever ends it.
    """
    ours = _holder(root, now())
    path = _lock_path(folder, root)
    with _in_our_words(folder):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with oslock.held(path.with_name(_GATE)):
            for other in _holders(path.parent):
                if other.overlaps(ours):
                    raise _locked(other, ours)
            descriptor = _taken(path, ours)
    try:
        yield ours
    finally:
        # The file stays: taking it away could race with an engine that is just opening it.
        # The next one that looks through the folder removes it behind the gate.
        oslock.unlock(descriptor)
        os.close(descriptor)


def _taken(path: Path, ours: Holder) -> int:
    descriptor = oslock.open_lock_file(path)
    try:
        if not oslock.try_lock(descriptor):
            raise _locked(None, ours)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(asdict(ours)).encode("ascii"))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def holder_of(folder: Path, root: Root) -> Holder | None:
    """The engine that holds this root, one above or one below it; None when it is free."""
    locks = _lock_path(folder, root).parent
    if not locks.is_dir():
        return None
    ours = _holder(root, "")
    with _in_our_words(folder), oslock.held(locks / _GATE):
        return next((other for other in _holders(locks) if other.overlaps(ours)), None)


def holders(folder: Path) -> list[Holder]:
    """Everyone who holds a root now; `folder` is the state folder."""
    locks = folder / _FOLDER
    if not locks.is_dir():
        return []
    with _in_our_words(folder), oslock.held(locks / _GATE):
        return _holders(locks)


def _holders(locks: Path) -> list[Holder]:
    """Everyone who holds a root now; what dead engines left behind is swept away. Call it behind the gate."""
    found: list[Holder] = []
    for path in sorted(locks.glob("*.lock")):
        descriptor = oslock.open_lock_file(path)
        try:
            if oslock.try_lock(descriptor):
                oslock.unlock(descriptor)
                is_free = True
            else:
                is_free = False
                held = _parsed(path)
                if held is not None:
                    found.append(held)
        finally:
            os.close(descriptor)
        if is_free:
            path.unlink(missing_ok=True)
    return found


def _parsed(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        return None


def _holder(root: Root, since: str) -> Holder:
    return Holder(
        pid=os.getpid(),
        host=socket.gethostname(),
        since=since,
        path=root.path.as_posix(),
        volume_id=root.volume_id,
        inside=root.inside or Path(os.path.realpath(root.path)).as_posix(),
    )


def _lock_path(folder: Path, root: Root) -> Path:
    name = hashlib.sha256(root.key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return folder / _FOLDER / f"{name}.lock"


def _nested(one: str, other: str) -> bool:
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first.is_relative_to(second) or second.is_relative_to(first)


def _locked(holder: Holder | None, ours: Holder) -> JournalLocked:
    if holder is not None and (holder.pid, holder.host) == (ours.pid, ours.host):
        return JournalLocked(
            f"{ours.path} and {holder.path} are the same folder or lie in each other, and this run takes both.",
            detail="Nothing was read or sent.",
            remedy="Name the outer folder alone: it brings everything in it.",
            path=ours.path,
        )
    who = f"process {holder.pid} on {holder.host} since {holder.since}" if holder else "another engine"
    where = holder.path if holder else ours.path
    return JournalLocked(
        f"{where} is held by {who}.",
        detail=f"{ours.path} would take the same files, so nothing of it was read or sent.",
        remedy="Wait until that run has ended, or end it, and run again.",
        path=ours.path,
    )


@contextmanager
def _in_our_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalError(
            f"The locks in {folder} cannot be used: {error.strerror or error}.",
            detail="Nothing was read or sent.",
            remedy="Give this account the right to write there, or set NANOFERRY_STATE_DIR to a local folder.",
            path=str(folder),
        ) from error
