"""Runs from end to end against the embedded catalog: what lands, what a second run does, what a change does."""

from __future__ import annotations

from pathlib import Path

from ferry_world import SESSION, World, session


def test_a_session_arrives_with_its_parents_and_previews(world: World, data: Path) -> None:
    told = world.upload(session(data))
    assert told.outcomes == {"new": 3}
    assert sorted(row["Path"] for row in world.rows()) == ["area1_001.png", "area1_002.png", "notes.txt"]
    assert {len(versions) for versions in world.objects().values()} == {1}
    assert world.jobs() == []
    body = (data / SESSION / "notes.txt").read_bytes()
    assert world.content(next(row["URL"] for row in world.rows() if row["Path"] == "notes.txt")) == body
    again = world.upload(data)
    assert again.outcomes == {"same": 3}
    assert again.finished.sent_bytes == 0
