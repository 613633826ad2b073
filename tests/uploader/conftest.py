"""Builders that the tests of several uploader packages share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from uploader.model.events import (
    Event,
    FileFinished,
    FileProgressed,
    FileStarted,
    PlanMade,
    RunFinished,
    RunStarted,
    SurveyProgressed,
)
from uploader.model.files import FileResult, Outcome, Proof

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


@pytest.fixture
def script() -> Script:
    """An imagined run to be written event by event."""
    return Script()
