"""Who holds a dropped folder, told by locks of the operating system."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from uploader.journal.lock import hold_root, holder_of
from uploader.model.errors import JournalError, JournalLocked
from uploader.model.files import Root

HOLD = """
import sys
from pathlib import Path
from uploader.journal.lock import hold_root
from uploader.model.files import Root
with hold_root(Path(sys.argv[1]), Root(Path(sys.argv[2]), "uuid:A")):
    print("held", flush=True)
    sys.stdin.read()
"""


def root_at(path: str, volume_id: str = "uuid:A") -> Root:
    return Root(Path(path), volume_id, path)


def test_a_second_engine_is_told_who_has_the_folder(state_dir: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state_dir), "/data/session"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        holder = holder_of(state_dir, root_at("/data/session"))
        assert holder is not None
        assert holder.pid == other.pid

        with pytest.raises(JournalLocked, match=f"process {other.pid} on .* since 20"):
            hold_root(state_dir, root_at("/data/session")).__enter__()

        # Nothing but the operating system is left to let go of it.
        other.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        other.wait()

    assert holder_of(state_dir, root_at("/data/session")) is None
    with hold_root(state_dir, root_at("/data/session")):
        pass


@pytest.mark.parametrize("other", ["/data", "/data/session", "/data/session/day 1", "/"])
def test_folders_in_one_another_are_not_taken_twice(state_dir: Path, other: str) -> None:
    with (
        hold_root(state_dir, root_at("/data/session")),
        pytest.raises(JournalLocked, match="lie in each other"),
    ):
        hold_root(state_dir, root_at(other)).__enter__()


@pytest.mark.parametrize("other", ["/data/session 2", "/data/sess", "/home", "/data/sessions/x"])
def test_folders_beside_each_other_run_side_by_side(state_dir: Path, other: str) -> None:
    with hold_root(state_dir, root_at("/data/session")) as held, hold_root(state_dir, root_at(other)):
        assert holder_of(state_dir, root_at("/data")) in (held, holder_of(state_dir, root_at(other)))


def test_the_same_place_inside_two_disks_is_two_folders(state_dir: Path) -> None:
    one = Root(Path("/media/a/session"), "uuid:A", "/session")
    two = Root(Path("/media/b/session"), "uuid:B", "/session")

    with hold_root(state_dir, one), hold_root(state_dir, two):
        pass


def test_a_disk_below_a_held_folder_belongs_to_it(state_dir: Path) -> None:
    disk = Root(Path("/data/stick/session"), "uuid:STICK", "/session")

    with hold_root(state_dir, root_at("/data")), pytest.raises(JournalLocked):
        hold_root(state_dir, disk).__enter__()


def test_a_link_to_a_held_folder_is_the_held_folder(state_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with hold_root(state_dir, Root(tmp_path / "real")), pytest.raises(JournalLocked):
        hold_root(state_dir, Root(tmp_path / "link")).__enter__()


def test_a_folder_is_free_again_after_its_engine_ended(state_dir: Path) -> None:
    for _ in range(3):
        with hold_root(state_dir, root_at("/data")):
            assert holder_of(state_dir, root_at("/data")) is not None
        assert holder_of(state_dir, root_at("/data")) is None


def test_what_dead_engines_left_is_swept_away(state_dir: Path) -> None:
    for number in range(5):
        with hold_root(state_dir, root_at(f"/data/{number}")):
            pass
    with hold_root(state_dir, root_at("/data")):
        assert len(list((state_dir / "locks").glob("*.lock"))) == 1


def test_nobody_holds_anything_in_a_fresh_state_folder(state_dir: Path) -> None:
    assert holder_of(state_dir, root_at("/data")) is None
    assert not state_dir.exists()


def test_a_state_folder_that_cannot_hold_locks_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")

    with pytest.raises(JournalError, match="cannot be used"):
        hold_root(tmp_path / "state", root_at("/data")).__enter__()


def test_the_holder_is_this_process(state_dir: Path) -> None:
    with hold_root(state_dir, root_at("/data"), now=lambda: "2026-03-04T05:06:07+00:00") as held:
        assert (held.pid, held.since, held.path) == (os.getpid(), "2026-03-04T05:06:07+00:00", "/data")
