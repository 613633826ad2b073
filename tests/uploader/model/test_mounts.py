"""Which volume a folder lies on, from what the kernel tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from uploader.model.mounts import Volume, volume_of


@pytest.fixture
def volume(tmp_path: Path) -> object:
    """volume_of for a mountinfo of one line per (type, source, place in the volume) over `tmp_path`."""
    disks = tmp_path / "by-uuid"
    disks.mkdir()
    (tmp_path / "sdb1").touch()
    (disks / "1234-ABCD").symlink_to(tmp_path / "sdb1")

    def of(folder: Path, *mounts: str) -> Volume:
        mountinfo = tmp_path / "mountinfo"
        mountinfo.write_text(
            "".join(f"{line}\n" for line in ("21 1 8:1 / / rw - ext4 /dev/root rw", *mounts))
        )
        return volume_of(folder, mountinfo=mountinfo, disks=disks)

    return of


def line(point: Path, fs_type: str, source: object, inside: str = "/") -> str:
    escaped = str(point).replace("\\", "\\134").replace(" ", "\\040")
    return f"30 21 8:17 {inside} {escaped} rw,relatime shared:1 - {fs_type} {source} rw"


def test_a_disk_with_a_uuid_is_known_wherever_it_is_mounted(tmp_path: Path, volume: object) -> None:
    for name in ("media stick", "mnt"):
        session = tmp_path / name / "DCIM"
        session.mkdir(parents=True)
        found = volume(session, line(tmp_path / name, "vfat", tmp_path / "sdb1"))  # type: ignore[operator]
        assert (found.volume_id, found.inside, found.fs_type) == ("uuid:1234-ABCD", "/DCIM", "vfat")
        assert not found.has_file_ids
        assert not found.is_network


def test_a_part_of_a_volume_mounted_alone_keeps_its_place(tmp_path: Path, volume: object) -> None:
    found = volume(tmp_path, line(tmp_path, "ext4", tmp_path / "sdb1", "/export/lab"))  # type: ignore[operator]

    assert found.inside == "/export/lab"
    assert found.has_file_ids


def test_a_share_is_known_by_its_server(tmp_path: Path, volume: object) -> None:
    found = volume(tmp_path, line(tmp_path, "nfs4", "store:/labs"))  # type: ignore[operator]

    assert (found.volume_id, found.is_network) == ("net:store:/labs", True)


def test_the_innermost_and_latest_mount_counts(tmp_path: Path, volume: object) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "ab").mkdir()
    mounts = (
        line(tmp_path / "a", "tmpfs", "tmpfs"),
        line(tmp_path, "ext4", "/dev/x"),
        line(tmp_path / "a", "nfs", "s:/b"),
    )

    assert volume(tmp_path / "a", *mounts).fs_type == "nfs"  # type: ignore[operator]
    assert volume(tmp_path / "ab", *mounts).fs_type == "ext4"  # type: ignore[operator]


def test_without_a_word_from_the_kernel_the_device_number_must_do(tmp_path: Path) -> None:
    found = volume_of(tmp_path, mountinfo=tmp_path / "none")

    assert found.volume_id.startswith("dev:")
    assert found.inside == tmp_path.resolve().as_posix()
    assert (found.fs_type, found.is_network, found.has_file_ids) == ("", False, True)


def test_lines_it_does_not_understand_are_passed_over(tmp_path: Path, volume: object) -> None:
    assert volume(tmp_path, "", "nonsense", "1 2 3 4 5 6").fs_type == "ext4"  # type: ignore[operator]
