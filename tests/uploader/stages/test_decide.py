"""Every action of a plan, from what disk, journal and catalog say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from uploader.model.entries import Delivery, DeliveryState
from uploader.model.files import Action, Digest
from uploader.stages.decide import Evidence, decide, needs_whole_row
from uploader.stages.rows import row_digest
from validation.spec.model import RuleKind, SpecForm

DIGEST = Digest("a" * 32, "b" * 64, 10)
OTHER = Digest("c" * 32, "d" * 64, 11)
WANTED = {"Path": "a.tif", "MD5": DIGEST.md5, "Title": "ours"}
ROW = {"RID": "1-A", **WANTED, "URL": "/hatrac/a:1"}


def delivered(state: DeliveryState = DeliveryState.REGISTERED, **parts: Any) -> Delivery:
    known = Delivery(
        1, "s:T", "k", "/hatrac/a", state, "id", DIGEST, "/hatrac/a:1", rid="1-A",
        row_digest=row_digest(WANTED), written=WANTED,
    )  # fmt: skip
    return replace(known, **parts)


FRESH = Evidence(
    form=SpecForm.NANOFERRY, wanted=WANTED, row=None, delivery=None, digest=None, checksum_columns=("MD5",)
)
SAME = replace(FRESH, row=ROW, delivery=delivered(), digest=DIGEST)


def action(evidence: Evidence, **parts: Any) -> Action:
    return decide(replace(evidence, **parts)).action


def test_no_row_means_new() -> None:
    assert action(FRESH) is Action.NEW
    assert action(FRESH, digest=DIGEST) is Action.NEW
    # Somebody deleted the row: what the journal remembers of it changes nothing.
    assert action(FRESH, digest=DIGEST, delivery=delivered()) is Action.NEW


def test_bytes_whose_old_place_is_gone_have_moved() -> None:
    assert action(FRESH, digest=DIGEST, moved_from=delivered()) is Action.MOVED


def test_what_journal_and_catalog_agree_on_is_the_same() -> None:
    assert action(SAME) is Action.SAME


def test_a_file_never_hashed_is_hashed_before_it_is_the_same() -> None:
    assert action(SAME, digest=None) is Action.CHANGED_BYTES


def test_other_bytes_over_what_we_wrote_are_a_new_version() -> None:
    assert action(SAME, digest=OTHER) is Action.CHANGED_BYTES


@pytest.mark.parametrize("delivery", [None, delivered(written={"MD5": OTHER.md5})])
def test_other_bytes_over_somebody_elses_record_are_a_conflict(delivery: Delivery | None) -> None:
    verdict = decide(replace(SAME, digest=OTHER, delivery=delivery))
    assert verdict.action is Action.CONFLICT
    assert [found.code for found in verdict.issues] == ["catalog.conflict"]
    assert verdict.issues[0].holds


def test_a_second_file_for_one_record_is_the_same_or_a_conflict_never_a_new_version() -> None:
    assert action(SAME, claimed_by="other/a.tif") is Action.SAME
    verdict = decide(replace(SAME, digest=OTHER, claimed_by="other/a.tif"))
    assert verdict.action is Action.CONFLICT
    assert "other/a.tif" in verdict.issues[0].message


def test_a_column_we_wrote_and_nobody_touched_is_updated() -> None:
    assert action(SAME, wanted={**WANTED, "Title": "new"}) is Action.CHANGED_ROW


def test_a_column_somebody_edited_is_a_conflict_only_when_we_want_to_change_it() -> None:
    edited = {**ROW, "Title": "theirs"}
    assert action(SAME, row=edited) is Action.SAME
    verdict = decide(replace(SAME, row=edited, wanted={**WANTED, "Title": "new"}))
    assert verdict.action is Action.CONFLICT
    assert "Title" in verdict.issues[0].message


def test_a_row_written_by_a_run_that_died_before_noting_it_is_the_same() -> None:
    now = {**WANTED, "Title": "new"}
    assert action(SAME, wanted=now, row={**ROW, "Title": "new"}) is Action.SAME


@pytest.mark.parametrize("state", [DeliveryState.INTENDED, DeliveryState.STORED])
def test_a_crash_between_row_and_journal_is_recognised(state: DeliveryState) -> None:
    url = "" if state is DeliveryState.INTENDED else "/hatrac/a:V1"
    known = delivered(state, object_url=url, row_digest="", written={})
    assert action(SAME, delivery=known) is Action.SAME


@pytest.mark.parametrize("row", [ROW, {**ROW, "MD5": None}])
def test_an_object_that_the_server_has_lost_is_sent_again(row: dict[str, Any]) -> None:
    lost = delivered(DeliveryState.INTENDED, object_url="/hatrac/a:V1")
    assert lost.is_lost
    assert action(SAME, row=row, delivery=lost) is Action.CHANGED_BYTES


def test_a_lost_journal_takes_equal_rows_for_its_own_and_fills_only_empty_columns() -> None:
    assert action(SAME, delivery=None) is Action.SAME
    assert action(SAME, delivery=None, row={**ROW, "Title": None}) is Action.CHANGED_ROW
    assert action(SAME, delivery=None, row={**ROW, "Title": "theirs"}) is Action.CONFLICT


def test_the_deriva_form_overwrites_as_its_reference_does() -> None:
    theirs = {**ROW, "Title": "theirs"}
    assert action(SAME, form=SpecForm.DERIVA, delivery=None, row=theirs) is Action.CHANGED_ROW


def test_a_row_without_checksums_rests_on_our_own_memory() -> None:
    bare = replace(SAME, row={"RID": "1-A", "Path": "a.tif", "Title": "ours"}, checksum_columns=())
    assert action(bare) is Action.SAME
    assert action(bare, delivery=None) is Action.CHANGED_BYTES
    assert action(bare, digest=OTHER) is Action.CHANGED_BYTES


def test_a_row_that_points_to_no_object_gets_one() -> None:
    assert action(SAME, lacks_object=True) is Action.CHANGED_BYTES


def test_a_table_file_is_the_same_only_when_these_rows_were_acknowledged() -> None:
    table = replace(FRESH, kind=RuleKind.ROWS, digest=DIGEST)
    inserted = delivered(row_digest=DIGEST.sha256)
    assert action(table) is Action.NEW
    assert action(table, delivery=delivered(DeliveryState.STORED)) is Action.NEW
    assert action(table, delivery=inserted) is Action.SAME
    assert action(table, delivery=inserted, digest=OTHER) is Action.CHANGED_BYTES
    assert action(table, delivery=inserted, digest=None) is Action.CHANGED_BYTES


def test_whole_rows_are_read_only_where_the_decision_rests_on_them() -> None:
    assert not needs_whole_row(SAME)
    assert not needs_whole_row(replace(SAME, row=None))
    assert not needs_whole_row(replace(SAME, digest=OTHER))
    assert needs_whole_row(replace(SAME, delivery=None))
    assert needs_whole_row(replace(SAME, wanted={**WANTED, "Title": "new"}))
