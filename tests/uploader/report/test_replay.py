"""Events read back from the journal are the events that were written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from uploader.model import events
from uploader.model.events import Event
from uploader.report.replay import event_from_json


def test_every_kind_of_event_comes_back_as_it_was(script: Any) -> None:
    told = script.every_kind()
    kinds = {
        kind.kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)
    }
    assert {event.kind for event in told} == kinds - {""}
    assert [event_from_json(json.dumps(event.to_json())) for event in told] == told


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"kind": "danced"}', '{"kind": "parked"}', '{"kind": "issue_found", "issue": 3}']
)
def test_what_is_not_known_is_skipped(text: str) -> None:
    assert event_from_json(text) is None


def test_keys_of_a_newer_program_are_skipped(script: Any) -> None:
    event = script.started()
    assert event_from_json({**event.to_json(), "mood": "good"}) == event
