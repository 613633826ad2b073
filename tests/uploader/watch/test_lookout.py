"""When the folders are looked through, when a run is due, and what it may take."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_watch import FakeClock, FakeHints

from uploader.engine.control.lookout import Outlook
from uploader.model.errors import Unreachable
from uploader.model.files import FileResult, Outcome, Root, SourceFile
from uploader.stages.ignore import IgnoreRules
from uploader.stages.roots import make_root
from uploader.stages.scan import scan
from uploader.watch.lookout import FolderLookout


class Watched:
    """A folder, and a lookout on it with a clock and hints of our own."""

    def __init__(self, folder: Path, **options: float) -> None:
        folder.mkdir()
        self.folder, self.clock, self.hints = folder, FakeClock(), FakeHints()
        self.root = make_root(folder)
        self.lookout = FolderLookout([self.root], self.clock, self.hints, **options)

    def look(self, later_s: float = 0.0, *, at_once: bool = False) -> Outlook:
        """Look until the scan that this look begins, if any, is through."""
        self.clock.s += later_s
        outlook = self.lookout.look(at_once=at_once)
        while self.lookout._scan is not None:
            outlook = self.lookout.look(at_once=False)
        return outlook

    def write(self, name: str, text: str = "x") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def sources(self) -> list[SourceFile]:
        return [one for one in scan(self.root, ignore=IgnoreRules()) if isinstance(one, SourceFile)]

    def taken(self) -> list[str]:
        """What a run that begins now takes."""
        self.lookout.set_out()
        return [one.path for one in self.sources() if self.lookout.takes(self.root, one)]

    def ended(self, **what: float) -> None:
        """A run has ended."""
        values = {"survey_s": 0.0, "has_moved": False, "has_left_over": False, **what}
        self.lookout.came_home(**values)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "data")


def test_it_catches_up_with_what_lies_there(watched: Watched) -> None:
    watched.write("a.tif")
    assert watched.look() == Outlook(settling=1, examples=("a.tif",))
    assert not watched.look(9.0).has_work
    assert watched.look(1.0).has_work
    assert watched.taken() == ["a.tif"]


def test_nothing_new_is_no_work_however_long(watched: Watched) -> None:
    watched.write("a.tif")
    watched.look()
    watched.look(10.0)
    watched.taken()
    assert not any(watched.look(30.0).has_work for _ in range(100))


def test_a_file_that_goes_is_no_work(watched: Watched) -> None:
    watched.write("a.tif")
    watched.look()
    watched.look(10.0)
    watched.taken()
    (watched.folder / "a.tif").unlink()
    assert not watched.look(100.0).has_work


def test_a_new_file_is_found_by_rescans_alone(watched: Watched) -> None:
    watched.look()
    watched.write("a.tif")
    assert watched.look(59.0) == Outlook(), "not before the time"
    assert watched.look(1.0).settling == 1
    assert watched.look(10.0).has_work


def test_a_hint_brings_the_next_look_forward(watched: Watched) -> None:
    watched.look()
    watched.write("a.tif")
    watched.hints.has_changed = True
    assert watched.look(3.0).settling == 1


def test_hints_without_end_are_no_scans_without_end(watched: Watched) -> None:
    watched.look()
    watched.write("a.tif")
    watched.hints.has_changed = True
    assert watched.look(0.1) == Outlook(), "the latest scan was just now"
    assert watched.look(2.4).settling == 1, "the hint is not lost"


def test_only_what_has_settled_is_taken(watched: Watched) -> None:
    watched.write("a.tif")
    watched.look()
    watched.write("b.tif")
    watched.look(10.0)
    assert watched.taken() == ["a.tif"]


def test_a_file_that_changes_between_look_and_run_is_left_out(watched: Watched) -> None:
    watched.write("a.tif")
    watched.look()
    watched.look(10.0)
    watched.write("a.tif", "longer than before")
    assert watched.taken() == []


def test_a_folder_waits_for_typed_metadata_that_is_being_written(watched: Watched) -> None:
    for name in ("s1/a.tif", "s1/deep/b.tif", "s2/c.tif"):
        watched.write(name)
    watched.look()
    watched.write("s1/nanoferry.yaml", "sample: x")
    assert watched.look(10.0).has_work
    assert watched.taken() == ["s2/c.tif"]
    watched.ended()
    assert watched.look(10.0).has_work
    assert watched.taken() == ["s1/a.tif", "s1/deep/b.tif", "s1/nanoferry.yaml", "s2/c.tif"]


def test_a_folder_that_is_away_has_lost_nothing(watched: Watched, tmp_path: Path) -> None:
    watched.write("a.tif")
    watched.look()
    watched.look(10.0)
    watched.taken()
    watched.folder.rename(tmp_path / "unplugged")
    away = watched.look(60.0)
    assert away == Outlook(away=(str(watched.folder),))
    assert not watched.lookout.has(watched.root)
    (tmp_path / "unplugged").rename(watched.folder)
    assert watched.look(60.0).has_work, "what a run could not read is tried again"
    assert watched.taken() == ["a.tif"], "and need not settle anew"
    assert watched.hints.followed == [["data"], ["data"]], "hints are asked for again"


def test_an_empty_mount_point_is_not_the_folder(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uploader.watch.lookout.make_root", lambda path: Root(path, "dev:9:9", "/"))
    assert watched.look().away == (str(watched.folder),)


def test_other_folders_go_on(tmp_path: Path) -> None:
    here, gone = tmp_path / "here", tmp_path / "gone"
    here.mkdir()
    gone.mkdir()
    (here / "a.tif").touch()
    clock = FakeClock()
    lookout = FolderLookout([make_root(here), make_root(gone)], clock, FakeHints())
    gone.rmdir()
    lookout.look(at_once=False)
    clock.s += 10
    assert lookout.look(at_once=False) == Outlook(has_work=True, away=(str(gone),))


def test_a_person_may_want_a_run_now(watched: Watched) -> None:
    watched.look()
    assert watched.look(at_once=True).has_work


def test_what_was_held_or_failed_is_tried_again_more_and_more_seldom(watched: Watched) -> None:
    watched.look()
    waits = []
    for _ in range(4):
        watched.lookout.set_out()
        watched.ended(has_left_over=True)
        before_s = watched.clock.s
        while not watched.look(30.0).has_work:
            pass
        waits.append(watched.clock.s - before_s)
    assert waits == [600, 1200, 2400, 3600]


def test_after_a_long_survey_it_rests(watched: Watched) -> None:
    watched.look()
    watched.ended(survey_s=60.0)
    watched.write("a.tif")
    watched.look(60.0)
    assert not watched.look(60.0).has_work
    assert watched.look(120.0).has_work, "four times what the survey took"


def test_a_run_that_broke_off_is_begun_again_later(watched: Watched) -> None:
    watched.look()
    assert watched.lookout.broke_off(Unreachable("The server is away.")) == 60.0
    told = watched.look(1.0)
    assert not told.has_work
    assert "The server is away." in told.words
    assert watched.look(59.0).has_work
    assert watched.lookout.broke_off(Unreachable("The server is away.")) == 120.0


def test_what_a_person_cancelled_stays_out_until_it_changes(watched: Watched) -> None:
    watched.write("a.tif")
    watched.look()
    watched.look(10.0)
    (found,) = watched.sources()
    root = str(watched.folder)
    watched.lookout.cancelled(
        FileResult("a.tif", found.size_bytes, Outcome.CANCELLED, mtime_ns=found.mtime_ns, root=root)
    )
    assert watched.taken() == []
    watched.write("a.tif", "something else")
    watched.look(60.0)
    watched.look(10.0)
    assert watched.taken() == ["a.tif"]


def test_a_system_that_refuses_hints_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    hints = FakeHints("no hints of changes: the system refuses (inotify watch limit reached)")
    lookout = FolderLookout([make_root(tmp_path / "data")], FakeClock(), hints, rescan_s=30.0)
    told = lookout.look(at_once=False)
    assert told.words == f"{hints.trouble}; looking every 30 s instead"
    lookout.close()
    assert hints.is_closed


def test_a_large_folder_is_scanned_in_bites(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        watched.write(f"{number}.tif")
    # Every look at the clock takes a second, so that each bite is one file.
    monkeypatch.setattr(
        watched.clock,
        "monotonic",
        lambda: setattr(watched.clock, "s", watched.clock.s + 1) or watched.clock.s,
    )
    looks = 1
    while not (told := watched.lookout.look(at_once=False)).settling:
        assert told.note == "looking through the folders for the first time"
        looks += 1
    assert looks == 6
