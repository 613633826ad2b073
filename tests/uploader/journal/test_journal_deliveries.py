"""Deliveries and jobs: the moves that are allowed, and what each leaves behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from uploader.journal.store import SqliteJournal
from uploader.model.entries import Acknowledged, Delivery, DeliveryState, Found
from uploader.model.errors import JournalError
from uploader.model.files import Digest, Proof, Root, SourceFile, Stored

TABLE = "nanoscience:File"
SOURCE = SourceFile("a.tif", 100, 1, "v", "1")
CHANGED = SourceFile("a.tif", 100, 2, "v", "1")
DIGEST = Digest("5" * 32, "2" * 64, 100)
OBJECT = Stored("/hatrac/a", "/hatrac/a:V1", 100, proof=Proof.JOB_MD5)


def intend(
    journal: SqliteJournal, target: int, source: SourceFile = SOURCE, name: str = "/hatrac/a"
) -> Delivery:
    return journal.intend(target, TABLE, '["D","a"]', name, source, "/data/a.tif")


def held(journal: SqliteJournal, target: int) -> Delivery:
    return journal.deliveries(target, TABLE, ['["D","a"]'])['["D","a"]']


def test_the_whole_way_of_a_delivery(journal: SqliteJournal, target: int) -> None:
    delivery = intend(journal, target)
    assert (delivery.state, delivery.digest, delivery.rid) == (DeliveryState.INTENDED, None, "")

    journal.stored(delivery.delivery_id, OBJECT, DIGEST, preview_url="/hatrac/p:1")
    stored = held(journal, target)
    assert (stored.state, stored.object_url, stored.digest) == (DeliveryState.STORED, "/hatrac/a:V1", DIGEST)
    assert (stored.proof, stored.preview_url) == (Proof.JOB_MD5, "/hatrac/p:1")

    journal.registered([(delivery.delivery_id, "1-ABC", "rowdigest", {"Title": "PbSe", "Size": 1})])
    done = held(journal, target)
    assert (done.state, done.rid, done.row_digest) == (DeliveryState.REGISTERED, "1-ABC", "rowdigest")
    assert done.written == {"Title": "PbSe", "Size": 1}
    assert done.object_url == "/hatrac/a:V1"


def test_a_killed_run_goes_on_from_what_is_stored(journal: SqliteJournal, target: int) -> None:
    journal.stored(intend(journal, target).delivery_id, OBJECT, DIGEST)

    assert intend(journal, target) == held(journal, target)
    assert held(journal, target).state is DeliveryState.STORED


def test_a_lost_object_is_to_be_sent_again_over_the_row_that_stands(
    journal: SqliteJournal, target: int
) -> None:
    delivery = intend(journal, target)
    with pytest.raises(JournalError, match="is intended and cannot"):
        journal.reopen(delivery.delivery_id)
    journal.stored(delivery.delivery_id, OBJECT, DIGEST)
    journal.registered([(delivery.delivery_id, "1-ABC", "rowdigest", {"Title": "PbSe"})])

    journal.reopen(delivery.delivery_id)
    lost = held(journal, target)
    assert lost.is_lost
    assert (lost.rid, lost.written, lost.proof) == ("1-ABC", {"Title": "PbSe"}, Proof.NONE)
    assert intend(journal, target) == lost

    journal.stored(delivery.delivery_id, OBJECT, DIGEST)
    assert not held(journal, target).is_lost


def test_only_what_was_never_acknowledged_is_forgotten(journal: SqliteJournal, target: int) -> None:
    delivery = intend(journal, target)
    journal.open_job(delivery.delivery_id, "j", chunk_bytes=9, size_bytes=9, source_identity=SOURCE.identity)
    assert journal.forget(delivery.delivery_id)
    assert journal.deliveries(target, TABLE, ['["D","a"]']) == {}
    assert journal.stale_jobs(target) == []
    assert not journal.forget(delivery.delivery_id)

    again = intend(journal, target)
    journal.stored(again.delivery_id, OBJECT, DIGEST)
    assert not journal.forget(again.delivery_id)
    assert held(journal, target).state is DeliveryState.STORED


def test_all_deliveries_page_by_page_with_the_folders_that_held_them(
    journal: SqliteJournal, target: int, tmp_path: Path
) -> None:
    root = journal.root(Root(tmp_path))
    journal.start_run("r", target=target, roots=[root], spec_id="s", spec_version="1", spec_digest="d")
    journal.record("r", target, root, [Found(SOURCE)])
    for number, path in enumerate(["a.tif", "gone.tif", "other.tif"]):
        journal.intend(target, TABLE, f"[{number}]", f"/hatrac/{number}", SOURCE, path)

    first = journal.held(target, 0, 2)
    assert [(each.path, each.roots) for each in first] == [("a.tif", (str(tmp_path),)), ("gone.tif", ())]
    (last,) = journal.held(target, first[-1].delivery.delivery_id, 2)
    assert (last.path, last.delivery.row_key) == ("other.tif", "[2]")


@pytest.mark.parametrize(("source", "name"), [(CHANGED, "/hatrac/a"), (SOURCE, "/hatrac/other")])
def test_other_bytes_or_another_name_begin_again(
    journal: SqliteJournal, target: int, source: SourceFile, name: str
) -> None:
    journal.stored(intend(journal, target).delivery_id, OBJECT, DIGEST)

    again = intend(journal, target, source, name)

    assert again == held(journal, target)
    assert (again.state, again.object_name) == (DeliveryState.INTENDED, name)
    assert (again.digest, again.proof, again.is_lost) == (None, Proof.NONE, False)
    assert again.object_url == again.replaces == ("/hatrac/a:V1" if name == "/hatrac/a" else "")


def test_a_version_that_was_sent_without_a_row_is_replaced_however_often_its_file_changes(
    journal: SqliteJournal, target: int
) -> None:
    journal.stored(intend(journal, target).delivery_id, OBJECT, DIGEST)
    intend(journal, target, CHANGED, "/hatrac/a")
    assert intend(journal, target, SOURCE, "/hatrac/a").replaces == "/hatrac/a:V1"


def test_a_version_that_was_adopted_is_not_ours_to_replace(journal: SqliteJournal, target: int) -> None:
    adopted = replace(OBJECT, proof=Proof.ADOPTED)
    journal.stored(intend(journal, target).delivery_id, adopted, DIGEST)
    assert intend(journal, target, CHANGED, "/hatrac/a").replaces == ""


def test_changed_bytes_keep_the_row_that_stands(journal: SqliteJournal, target: int) -> None:
    delivery = intend(journal, target)
    journal.stored(delivery.delivery_id, OBJECT, DIGEST, preview_url="/hatrac/p:1")
    journal.registered([(delivery.delivery_id, "1-ABC", "rowdigest", {"Title": "PbSe"})])

    again = intend(journal, target, CHANGED)

    assert again.delivery_id == delivery.delivery_id
    assert (again.rid, again.row_digest, again.written) == ("1-ABC", "rowdigest", {"Title": "PbSe"})
    assert again.preview_url == ""


@pytest.mark.parametrize("state", [DeliveryState.STORED, DeliveryState.REGISTERED])
def test_an_object_cannot_be_stored_without_an_intent(
    journal: SqliteJournal, target: int, state: DeliveryState
) -> None:
    delivery = intend(journal, target)
    journal.stored(delivery.delivery_id, OBJECT, DIGEST)
    if state is DeliveryState.REGISTERED:
        journal.registered([(delivery.delivery_id, "1-ABC", "", {})])
    before = held(journal, target)

    with pytest.raises(JournalError, match=f"is {state} and cannot become stored"):
        journal.stored(delivery.delivery_id, Stored("/hatrac/a", "/hatrac/a:V2", 100), DIGEST)

    assert held(journal, target) == before


def test_a_row_cannot_be_registered_before_its_object(journal: SqliteJournal, target: int) -> None:
    ready = journal.intend(target, TABLE, "row only", "", SOURCE, "")
    delivery = intend(journal, target)

    with pytest.raises(JournalError, match="is intended and cannot become registered"):
        journal.registered([(ready.delivery_id, "1-A", "", {}), (delivery.delivery_id, "1-B", "", {})])

    assert journal.deliveries(target, TABLE, ["row only"])["row only"].state is DeliveryState.INTENDED


def test_a_row_without_an_object_is_registered_straight_away(journal: SqliteJournal, target: int) -> None:
    delivery = journal.intend(target, TABLE, "row only", "", SOURCE, "")
    journal.registered([(delivery.delivery_id, "1-A", "", {"x": 1})])
    journal.registered([(delivery.delivery_id, "1-A", "", {"x": 2})])

    found = journal.deliveries(target, TABLE, ["row only"])["row only"]
    assert (found.state, found.written) == (DeliveryState.REGISTERED, {"x": 2})


def test_a_delivery_that_is_not_there_is_named(journal: SqliteJournal) -> None:
    with pytest.raises(JournalError, match="is not in the journal"):
        journal.stored(77, OBJECT, DIGEST)


def test_what_the_catalog_holds_is_adopted_from_any_state(journal: SqliteJournal, target: int) -> None:
    def adopt() -> Delivery:
        return journal.adopt(
            target,
            TABLE,
            '["D","a"]',
            "/hatrac/a",
            SOURCE,
            "/data/a.tif",
            DIGEST,
            object_url="/hatrac/a:V9",
            proof=Proof.ADOPTED,
            rid="1-Z",
            row_digest="d",
            written={"Title": "x"},
        )

    first = adopt()
    assert (first.state, first.object_url, first.digest) == (DeliveryState.REGISTERED, "/hatrac/a:V9", DIGEST)
    intend(journal, target, CHANGED)
    assert adopt() == first == held(journal, target)


def test_registered_bytes_are_found_by_their_digest(journal: SqliteJournal, target: int) -> None:
    delivery = intend(journal, target)
    journal.stored(delivery.delivery_id, OBJECT, DIGEST)
    assert journal.delivered(target, [DIGEST.sha256]) == {}

    journal.registered([(delivery.delivery_id, "1-ABC", "", {})])

    assert journal.delivered(target, [DIGEST.sha256, "f" * 64, ""]) == {DIGEST.sha256: held(journal, target)}
    assert journal.delivered(journal.target("other.example.org", "1"), [DIGEST.sha256]) == {}


def test_a_job_remembers_its_acknowledged_chunks(journal: SqliteJournal, target: int) -> None:
    delivery = intend(journal, target)
    job = journal.open_job(
        delivery.delivery_id,
        "/hatrac/a;upload/J",
        chunk_bytes=10,
        size_bytes=100,
        source_identity=SOURCE.identity,
    )
    journal.chunk(job.job_id, 3, "3" * 32)
    journal.chunk(job.job_id, 0, "0" * 32)
    journal.chunk(job.job_id, 3, "4" * 32)

    assert intend(journal, target).delivery_id == delivery.delivery_id
    found = journal.job(delivery.delivery_id)
    assert found is not None
    assert found.chunks == {0: "0" * 32, 3: "4" * 32}
    assert (found.path, found.chunk_bytes, found.source_identity) == (
        "/hatrac/a;upload/J",
        10,
        SOURCE.identity,
    )

    journal.close_job(job.job_id)
    journal.close_job(job.job_id)
    assert journal.job(delivery.delivery_id) is None
    assert journal.stale_jobs(target) == []


@pytest.mark.parametrize("index", [-1, 10, 1000])
def test_a_chunk_beyond_the_file_is_refused(journal: SqliteJournal, target: int, index: int) -> None:
    delivery = intend(journal, target)
    job = journal.open_job(delivery.delivery_id, "j", chunk_bytes=10, size_bytes=100, source_identity="i")

    with pytest.raises(JournalError, match=f"Chunk {index} "):
        journal.chunk(job.job_id, index, "0" * 32)


def test_a_changed_file_never_goes_on_with_an_old_job(journal: SqliteJournal, target: int) -> None:
    delivery = intend(journal, target)
    old = journal.open_job(
        delivery.delivery_id, "j1", chunk_bytes=10, size_bytes=100, source_identity=SOURCE.identity
    )
    journal.chunk(old.job_id, 0, "0" * 32)

    intend(journal, target, CHANGED)

    assert journal.job(delivery.delivery_id) is None
    (stale,) = journal.stale_jobs(target)
    assert (stale.path, stale.chunks) == ("j1", {0: "0" * 32})
    with pytest.raises(JournalError, match="no open upload job"):
        journal.chunk(old.job_id, 1, "0" * 32)
    assert journal.stale_jobs(journal.target("other.example.org", "1")) == []


def test_a_second_job_makes_the_first_stale(journal: SqliteJournal, target: int) -> None:
    delivery = intend(journal, target)
    for path in ("j1", "j2"):
        journal.open_job(delivery.delivery_id, path, chunk_bytes=10, size_bytes=100, source_identity="i")

    wanted = journal.job(delivery.delivery_id)
    assert wanted is not None
    assert wanted.path == "j2"
    assert [job.path for job in journal.stale_jobs(target)] == ["j1"]


def test_of_objects_stored_together_all_are_noted_or_none(journal: SqliteJournal, target: int) -> None:
    first = intend(journal, target)
    unknown = Acknowledged(first.delivery_id + 1, OBJECT, DIGEST)
    with pytest.raises(JournalError, match="is not in the journal"):
        journal.stored_all([Acknowledged(first.delivery_id, OBJECT, DIGEST, "", "source"), unknown])
    assert held(journal, target).state is DeliveryState.INTENDED
    assert journal.digests(["source"]) == {}
    journal.stored_all([Acknowledged(first.delivery_id, OBJECT, DIGEST, "", "source")])
    assert held(journal, target).state is DeliveryState.STORED
    assert journal.digests(["source"]) == {"source": DIGEST}


def test_a_stored_delivery_wants_no_job(journal: SqliteJournal, target: int) -> None:
    delivery = intend(journal, target)
    job = journal.open_job(delivery.delivery_id, "j1", chunk_bytes=10, size_bytes=100, source_identity="i")
    journal.stored(delivery.delivery_id, OBJECT, DIGEST)

    assert journal.job(delivery.delivery_id) is None
    assert [stale.job_id for stale in journal.stale_jobs(target)] == [job.job_id]


def test_eight_threads_lose_nothing(journal: SqliteJournal, target: int) -> None:
    def ferry(number: int) -> int:
        source = SourceFile(f"{number}.tif", 40, 1, "v", str(number))
        delivery = journal.intend(target, TABLE, str(number), f"/hatrac/{number}", source, "")
        job = journal.open_job(
            delivery.delivery_id, f"j{number}", chunk_bytes=10, size_bytes=40, source_identity=source.identity
        )
        for index in range(4):
            journal.chunk(job.job_id, index, "0" * 32)
        journal.stored(delivery.delivery_id, Stored("n", f"n:{number}", 40), Digest("m", str(number), 40))
        journal.close_job(job.job_id)
        journal.registered([(delivery.delivery_id, f"1-{number}", "", {})])
        return delivery.delivery_id

    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(ferry, range(200)))

    assert len(set(ids)) == 200
    found = journal.deliveries(target, TABLE, [str(number) for number in range(200)])
    assert {key: (one.state, one.rid) for key, one in found.items()} == {
        str(number): (DeliveryState.REGISTERED, f"1-{number}") for number in range(200)
    }
    assert journal.stale_jobs(target) == []
