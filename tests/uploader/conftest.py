"""Builders that the tests of several uploader packages share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from uploader.model.events import (
    CommandTaken,
    Event,
    FileFinished,
    FilePlanned,
    FileProgressed,
    FileSetAside,
    FileStarted,
    IssueFound,
    Parked,
    Paused,
    PlanMade,
    Resumed,
    RunFinished,
    RunStarted,
    SurveyProgressed,
    TransferPaced,
    Watching,
)
from uploader.model.files import FileResult, Outcome, Proof
from validation.codes import issue

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Script:
    """Writes the events of an imagined run; every event is one tick later than the one before."""

    run = "0123abcd"
    root = "/data/s1"

    def __init__(self) -> None:
        self.tick_s = 1.0
        self._at = START

    def time(self) -> str:
        self._at += timedelta(seconds=self.tick_s)
        return self._at.isoformat().replace("+00:00", "Z")

    def started(self, *, dry_run: bool = False) -> RunStarted:
        return RunStarted(
            self.run, self.time(), ("/data/s1",), "srv", "1", "em-session", "1.0.0", "d" * 64, dry_run
        )

    def surveyed(self, stage: str, found: int, done: int, path: str = "") -> SurveyProgressed:
        return SurveyProgressed(self.run, self.time(), stage, found, done, path)

    def planned(self, *, strict: bool = False, **files: int) -> PlanMade:
        to_send = files.get("new", 0)
        return PlanMade(self.run, self.time(), files, to_send * 1000, to_send, strict)

    def result(self, path: str, outcome: Outcome = Outcome.NEW, **parts: object) -> FileResult:
        given: dict[str, object] = {
            "md5": "m" * 32,
            "sha256": "s" * 64,
            "object_url": f"/hatrac/s1/{path}:V1",
            "rid": "1-ABCD",
            "rule": "frames",
            "dataset": "s1",
            "proof": Proof.JOB_MD5,
            "root": "/data/s1",
            "table": "nanoscience:File",
        }
        if outcome not in (Outcome.NEW, Outcome.UPDATED, Outcome.SAME):
            given = {"root": "/data/s1"}
        return FileResult(path, 1000, outcome, **{**given, **parts})  # type: ignore[arg-type]

    def sent(self, path: str) -> list[Event]:
        return [
            FileStarted(self.run, self.time(), path, 1000, self.root),
            FileProgressed(self.run, self.time(), path, 1000, 400, self.root),
            FileProgressed(self.run, self.time(), path, 1000, 1000, self.root),
            FileFinished(self.run, self.time(), self.result(path)),
        ]

    def finished(self, path: str, outcome: Outcome, **parts: object) -> FileFinished:
        return FileFinished(self.run, self.time(), self.result(path, outcome, **parts))

    def ended(
        self, *, interrupted: bool = False, could_not_run: bool = False, receipt: str = "", **outcomes: int
    ) -> RunFinished:
        sent = 1000 * outcomes.get("new", 0)
        return RunFinished(self.run, self.time(), outcomes, sent, 12.5, interrupted, could_not_run, receipt)

    def away(self, next_look_s: float = 8.0) -> Parked:
        """The server has gone away; the engine looks for it by itself."""
        return Parked(self.run, self.time(), "The server is away.", "Nothing to do.", True, next_look_s)

    def resumed(self, after_s: float = 8.0) -> Resumed:
        return Resumed(self.run, self.time(), after_s)

    def paced(
        self, *, rate: float = 500.0, limit: int = 0, files: int = 1, size: int = 1000
    ) -> TransferPaced:
        return TransferPaced(self.run, self.time(), rate, rate / 1000, 4, 8 << 20, limit, files, size)

    def every_kind(self) -> list[Event]:
        """One event, at least, of every kind there is."""
        found = issue("header.path_conflict", "path says 200 kV", path="a.tif", line=3, group="dataset:s1")
        run, time = self.run, self.time()
        return [
            self.started(),
            self.surveyed("scan", 2, 0, "sample"),
            IssueFound(run, time, found),
            FilePlanned(run, time, "a.tif", "new", 1000, "frames", "s1", (found,), self.root),
            self.planned(new=1, unmatched=2),
            *self.sent("a.tif"),
            self.finished("b.tif", Outcome.HELD, issues=(found,)),
            FileSetAside(run, time, "c.tif", "it is still being written", self.root),
            self.away(),
            self.resumed(),
            Paused(run, time),
            Watching(run, time, 2, ("a.tif", "b.tif"), ("/data/s2",), "no hints of changes"),
            CommandTaken(run, time, "limit", "at most 2.0 MB/s", "", "2000000"),
            self.paced(),
            self.ended(new=1, held=1, receipt="/state/r.json"),
        ]


@pytest.fixture
def script() -> Script:
    """An imagined run to be written event by event."""
    return Script()
