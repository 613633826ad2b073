"""Which file system a path lies on, as the kernel tells it: type, stable identity, place inside the volume.

Here, and not in the journal or the scan, because both need it and neither may import the other.
Only Linux tells (/proc/self/mountinfo, proc(5)); elsewhere the type stays empty and the identity is st_dev.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MOUNTINFO = Path("/proc/self/mountinfo")
DISKS_BY_UUID = Path("/dev/disk/by-uuid")

NETWORK_TYPES = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "coda", "davfs", "gfs2", "glusterfs"),
        *("gpfs", "beegfs", "lustre", "ncpfs", "ocfs2", "orangefs", "pvfs2", "panfs", "prl_fs", "vboxsf"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.davfs2"),
        "fuse.vmhgfs-fuse",
    }
)  # fmt: skip

# These make up inode numbers as they go: after a re-mount the same number may be another file.
_MADE_UP_FILE_IDS = frozenset({"vfat", "msdos", "exfat", "cifs", "smb3", "smbfs", "9p", "davfs", "vboxsf"})


@dataclass(frozen=True, slots=True)
class Volume:
    """The volume that a folder lies on."""

    volume_id: str
    """`uuid:…` for disks, `net:…` for shares, else `dev:MAJOR:MINOR`, which a restart may change."""
    inside: str
    """Path of the folder inside the volume, links resolved; the absolute path where it is not known."""
    fs_type: str = ""
    """The kernel's name of the type; empty where the system does not tell."""
    has_file_ids: bool = True
    """Whether inode numbers stay with their file."""

    @property
    def is_network(self) -> bool:
        """Whether another machine holds the data."""
        return self.fs_type in NETWORK_TYPES


@dataclass(frozen=True, slots=True)
class _Mount:
    point: str
    inside: str
    fs_type: str
    source: str


def volume_of(folder: Path, *, mountinfo: Path = MOUNTINFO, disks: Path = DISKS_BY_UUID) -> Volume:
    """The volume of an existing folder; raises OSError when the folder cannot be looked at."""
    real = folder.resolve()
    device = real.stat().st_dev
    device_id = f"dev:{os.major(device)}:{os.minor(device)}" if hasattr(os, "major") else f"dev:{device}"
    mount = _mount_of(real.as_posix(), mountinfo)
    if mount is None:
        return Volume(device_id, real.as_posix())
    below = PurePosixPath(real.as_posix()).relative_to(mount.point)
    return Volume(
        volume_id=_volume_id(mount, device_id, disks),
        inside=str(PurePosixPath(mount.inside) / below),
        fs_type=mount.fs_type,
        has_file_ids=mount.fs_type not in _MADE_UP_FILE_IDS and not mount.fs_type.startswith("fuse"),
    )


def _volume_id(mount: _Mount, device_id: str, disks: Path) -> str:
    if mount.fs_type in NETWORK_TYPES:
        return f"net:{mount.source}"
    uuid = _uuid_of(mount.source, disks)
    if not uuid:
        return device_id
    if mount.fs_type == "btrfs":
        # Each subvolume numbers its own inodes. A subvolume that is no mount of its own keeps the disk's
        # mount here, so its place in the tree cannot tell it apart; its device number can.
        return f"uuid:{uuid}/{device_id}"
    return f"uuid:{uuid}"


def _uuid_of(source: str, disks: Path) -> str:
    if not source.startswith("/"):
        return ""
    try:
        wanted = os.path.realpath(source)
        return next((link.name for link in sorted(disks.iterdir()) if os.path.realpath(link) == wanted), "")
    except OSError:
        return ""


def _mount_of(real: str, mountinfo: Path) -> _Mount | None:
    try:
        lines = mountinfo.read_bytes().decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    best: _Mount | None = None
    for line in lines:
        mount = _parsed(line)
        if mount is None or not _is_below(real, mount.point):
            continue
        # A later mount on the same point covers the earlier one.
        if best is None or len(mount.point) >= len(best.point):
            best = mount
    return best


def _parsed(line: str) -> _Mount | None:
    parts = line.split(" ")
    try:
        dash = parts.index("-", 6)
        return _Mount(
            point=_unescaped(parts[4]),
            inside=_unescaped(parts[3]),
            fs_type=parts[dash + 1],
            source=_unescaped(parts[dash + 2]),
        )
    except (ValueError, IndexError):
        return None


def _unescaped(text: str) -> str:
    for code, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, plain)
    return text


def _is_below(path: str, point: str) -> bool:
    return point in ("/", path) or path.startswith(point + "/")
