"""The Hatrac client against a store with the real server's manners, good and bad."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from fault_proxy import Fault, FaultPlan, FaultProxy, Kind
from loopback_server import Answer, LoopbackServer
from rude_hatrac import RudeHatrac

from uploader.model.errors import (
    BadReply,
    BadRequest,
    ChecksumMismatch,
    Conflict,
    NotFound,
    NotSignedIn,
    QuotaFull,
    Unreachable,
)
from uploader.model.files import Proof, Stored
from uploader.remote.hatrac import HatracStore
from uploader.remote.http import Connection

NAME = "/hatrac/lab/a%20b%2B%C3%A9.tif"


def md5(body: bytes) -> bytes:
    return hashlib.md5(body).digest()


def put(store: HatracStore, body: bytes = b"hello", name: str = NAME, *, only_new: bool = True) -> Stored:
    return store.put(
        name,
        body,
        md5=md5(body),
        sha256=hashlib.sha256(body).digest(),
        content_type="image/tiff",
        filename="a b+é.tif",
        only_new=only_new,
    )


@pytest.fixture
def through(
    hatrac: RudeHatrac, connect: Callable[..., Connection], clock: object
) -> Callable[[Fault], tuple[HatracStore, FaultProxy]]:
    """A store behind a line with one fault."""

    def open_store(fault: Fault) -> tuple[HatracStore, FaultProxy]:
        proxy = FaultProxy(hatrac.server.url, FaultPlan([fault]))
        proxies.append(proxy)
        return HatracStore(connect(proxy.url), clock=clock), proxy  # type: ignore[arg-type]

    proxies: list[FaultProxy] = []
    yield open_store  # type: ignore[misc]
    for proxy in proxies:
        proxy.close()


# objects ---------------------------------------------------------------------------------------


def test_a_small_object_is_stored_under_a_version_and_found_again(store: HatracStore) -> None:
    stored = put(store)
    assert stored.url == f"{NAME}:{stored.version}"
    assert stored.proof is Proof.JOB_MD5
    found = store.head(NAME)
    assert found is not None
    assert (found.url, found.size_bytes, found.md5) == (stored.url, 5, md5(b"hello").hex())
    assert found.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert b"".join(store.read(stored.url)) == b"hello"


def test_names_travel_exactly_as_they_are_encoded(store: HatracStore, hatrac: RudeHatrac) -> None:
    put(store, name="/hatrac/lab/%2E%2E%7Ex")
    assert hatrac.server.lines()[-1] == "PUT /hatrac/lab/%2E%2E%7Ex"


def test_an_empty_object_is_stored_and_found(store: HatracStore, hatrac: RudeHatrac) -> None:
    stored = put(store, b"")
    assert hatrac.server.asked[-1].headers["content-length"] == "0"
    found = store.head(NAME)
    assert found is not None
    assert (found.url, found.size_bytes) == (stored.url, 0)


def test_a_large_memoryview_arrives_whole(store: HatracStore, hatrac: RudeHatrac) -> None:
    body = bytes(range(256)) * 2000
    stored = store.put(
        NAME,
        memoryview(body),
        md5=md5(body),
        content_type="image/tiff",
        filename="x",
        only_new=True,
    )
    assert hatrac.body(stored.url) == body


def test_the_file_name_is_sent_as_hatrac_takes_it(store: HatracStore, hatrac: RudeHatrac) -> None:
    put(store)
    assert hatrac.server.asked[-1].headers["content-disposition"] == "filename*=UTF-8''a%20b%2B%C3%A9.tif"


def test_a_taken_name_is_a_conflict_and_gets_no_second_version(
    store: HatracStore, hatrac: RudeHatrac
) -> None:
    put(store)
    with pytest.raises(Conflict) as caught:
        put(store, b"other")
    assert caught.value.status == 412
    assert hatrac.versions(NAME) == 1


def test_a_changed_file_may_become_a_new_version(store: HatracStore, hatrac: RudeHatrac) -> None:
    put(store)
    put(store, b"other", only_new=False)
    assert hatrac.versions(NAME) == 2


def test_a_free_name_and_a_name_without_content_can_both_be_written(store: HatracStore) -> None:
    assert store.head(NAME) is None
    with pytest.raises(ChecksumMismatch):
        store.put(NAME, b"x", md5=md5(b"y"), content_type="a/b", filename="x", only_new=True)
    assert store.head(NAME) is None
    assert put(store).size_bytes == 5


def test_a_deleted_name_is_dead_for_ever(store: HatracStore, hatrac: RudeHatrac) -> None:
    put(store)
    hatrac.delete(NAME)
    with pytest.raises(Conflict, match="never used twice"):
        put(store)


@pytest.mark.parametrize("location", ["https://host.example/hatrac/lab/a%20b:V1", "/hatrac/lab/a b:V1"])
def test_the_version_is_found_however_the_location_is_spelled(
    location: str, serve: Callable[..., LoopbackServer], connect: Callable[..., Connection], clock: object
) -> None:
    server = serve(lambda asked: Answer(201, b"", {"Location": location}))
    store = HatracStore(connect(server.url), clock=clock)  # type: ignore[arg-type]
    assert put(store, name="/hatrac/lab/a%20b").version == "V1"


@pytest.mark.parametrize("location", ["", "/hatrac/lab/other:V1", "/hatrac/lab/x", "/hatrac/lab/x:"])
def test_an_answer_without_the_version_is_a_bad_reply(
    location: str, serve: Callable[..., LoopbackServer], connect: Callable[..., Connection], clock: object
) -> None:
    server = serve(lambda asked: Answer(201, b"stored", {"Location": location}))
    store = HatracStore(connect(server.url), clock=clock)  # type: ignore[arg-type]
    with pytest.raises(BadReply) as caught:
        put(store, name="/hatrac/lab/x")
    assert caught.value.in_doubt


def test_a_namespace_is_no_object(store: HatracStore) -> None:
    with pytest.raises(Conflict, match="namespace"):
        store.head("/hatrac/lab")


def test_a_missing_namespace_is_not_found(store: HatracStore) -> None:
    with pytest.raises(NotFound):
        put(store, name="/hatrac/lab/no/such/x")


def test_an_overlong_name_says_what_to_do(store: HatracStore) -> None:
    with pytest.raises(BadRequest, match="255 bytes"):
        put(store, name=f"/hatrac/lab/{'n' * 300}")


# jobs ------------------------------------------------------------------------------------------

BODY = bytes(range(250)) * 17  # 4,250 bytes: four chunks of 1,000 and one of 250
CHUNKS = [BODY[start : start + 1000] for start in range(0, len(BODY), 1000)]


def open_job(store: HatracStore, digest: bytes | None = None) -> str:
    return store.open_job(
        NAME, size_bytes=len(BODY), chunk_bytes=1000, content_type="a/b", filename="x", md5=digest
    )


def test_chunks_in_any_order_become_the_object(store: HatracStore, hatrac: RudeHatrac) -> None:
    job = open_job(store, md5(BODY))
    assert store.jobs(NAME) == (job,)
    assert store.head(NAME) is None
    for index in (3, 0, 4, 1, 2, 0):
        store.put_chunk(job, index, memoryview(CHUNKS[index]), md5(CHUNKS[index]))
    stored = store.finalise(job)
    assert stored.version == job.rpartition("/")[2]
    assert stored.md5 == md5(BODY).hex()
    assert stored.proof is Proof.JOB_MD5
    assert hatrac.body(stored.url) == BODY
    assert store.jobs(NAME) == ()


def test_a_damaged_chunk_is_refused_and_can_be_sent_again(store: HatracStore, hatrac: RudeHatrac) -> None:
    job = open_job(store, md5(BODY))
    for index, chunk in enumerate(CHUNKS):
        store.put_chunk(job, index, chunk, md5(chunk))
    with pytest.raises(ChecksumMismatch):
        store.put_chunk(job, 1, b"\0" * 1000, md5(CHUNKS[1]))
    with pytest.raises(ChecksumMismatch, match="still open"):
        store.finalise(job)
    store.put_chunk(job, 1, CHUNKS[1], md5(CHUNKS[1]))
    assert hatrac.body(store.finalise(job).url) == BODY


def test_without_a_job_md5_the_store_publishes_holes_so_the_checksum_must_be_set(store: HatracStore) -> None:
    job = open_job(store)
    store.put_chunk(job, 0, CHUNKS[0], md5(CHUNKS[0]))
    stored = store.finalise(job)
    assert stored.size_bytes == len(BODY)  # as declared: HEAD does not show the hole
    assert stored.proof is Proof.NONE
    with pytest.raises(BadReply, match="ended before its end"):
        b"".join(store.read(stored.url))


def test_a_second_finalise_is_not_found(store: HatracStore) -> None:
    job = open_job(store)
    store.finalise(job)
    with pytest.raises(NotFound):
        store.finalise(job)


def test_cancelling_twice_is_fine(store: HatracStore, hatrac: RudeHatrac) -> None:
    job = open_job(store)
    store.cancel_job(job)
    store.cancel_job(job)
    assert hatrac.jobs == {}


def test_checksums_are_set_once_and_read_back(store: HatracStore, hatrac: RudeHatrac) -> None:
    stored = store.finalise(open_job(store))
    sha256 = hashlib.sha256(BODY).digest()
    store.set_checksums(stored.url, md5=md5(BODY), sha256=sha256)
    found = store.head(NAME)
    assert found is not None
    assert (found.md5, found.sha256) == (md5(BODY).hex(), sha256.hex())
    asked = len(hatrac.server.asked)
    store.set_checksums(stored.url, md5=md5(BODY), sha256=sha256)
    assert hatrac.server.lines()[asked:] == [f"HEAD {stored.url}"]


def test_other_checksums_than_ours_are_a_conflict(store: HatracStore) -> None:
    stored = put(store)
    with pytest.raises(Conflict, match="another md5"):
        store.set_checksums(stored.url, md5=md5(b"other"), sha256=None)


# what it costs ---------------------------------------------------------------------------------


def test_a_small_file_is_one_request(store: HatracStore, hatrac: RudeHatrac) -> None:
    before = len(hatrac.server.asked)
    put(store)
    assert hatrac.server.lines()[before:] == [f"PUT {NAME}"]


def test_a_large_file_is_its_chunks_and_seven_requests(store: HatracStore, hatrac: RudeHatrac) -> None:
    before = len(hatrac.server.asked)
    job = open_job(store)
    for index, chunk in enumerate(CHUNKS):
        store.put_chunk(job, index, chunk, md5(chunk))
    stored = store.finalise(job)
    store.set_checksums(stored.url, md5=md5(BODY), sha256=hashlib.sha256(BODY).digest())
    assert [line.partition(" ")[0] for line in hatrac.server.lines()[before:]] == [
        "POST",  # the job
        *["PUT"] * len(CHUNKS),
        "POST",  # finalise
        "HEAD",  # what was published
        "HEAD",  # which checksums it has
        "PUT",
        "PUT",
        "HEAD",  # read back before the row is written
    ]


# lines that break ------------------------------------------------------------------------------


def test_a_lost_reply_of_a_first_put_comes_back_as_exists_not_as_a_second_version(
    through: Callable[[Fault], tuple[HatracStore, FaultProxy]], hatrac: RudeHatrac
) -> None:
    store, _ = through(Fault(Kind.CUT_AFTER, "^PUT"))
    with pytest.raises(Conflict) as caught:
        put(store)
    assert caught.value.status == 412
    found = store.head(NAME)
    assert found is not None
    assert found.md5 == md5(b"hello").hex()
    assert hatrac.versions(NAME) == 1


def test_a_put_over_an_existing_version_is_never_repeated(
    through: Callable[[Fault], tuple[HatracStore, FaultProxy]], hatrac: RudeHatrac
) -> None:
    store, _ = through(Fault(Kind.CUT_AFTER, "^PUT"))
    with pytest.raises(Unreachable) as caught:
        put(store, only_new=False)
    assert caught.value.in_doubt
    assert hatrac.versions(NAME) == 1


@pytest.mark.parametrize("kind", [Kind.CUT_BEFORE, Kind.CUT_BODY, Kind.CUT_AFTER])
def test_a_chunk_is_sent_again_at_once_when_the_line_breaks(
    kind: Kind, through: Callable[[Fault], tuple[HatracStore, FaultProxy]], hatrac: RudeHatrac
) -> None:
    store, proxy = through(Fault(kind, r"^PUT .*;upload/"))
    job = open_job(store, md5(BODY))
    for index, chunk in enumerate(CHUNKS):
        store.put_chunk(job, index, chunk, md5(chunk))
    assert hatrac.body(store.finalise(job).url) == BODY
    assert proxy.plan.struck[kind] == len(CHUNKS)


def test_a_lost_finalise_is_in_doubt_and_head_shows_the_job_as_version(
    through: Callable[[Fault], tuple[HatracStore, FaultProxy]],
) -> None:
    store, proxy = through(Fault(Kind.CUT_AFTER, r"^POST .*;upload/\w"))
    job = open_job(store)
    with pytest.raises(Unreachable) as caught:
        store.finalise(job)
    assert caught.value.in_doubt
    found = store.head(NAME)
    assert found is not None
    assert found.version == job.rpartition("/")[2]
    assert sum(line.startswith("POST") for line in proxy.lines()) == 2  # opened once, finalised once


def test_a_closed_idle_connection_costs_nothing(
    through: Callable[[Fault], tuple[HatracStore, FaultProxy]],
) -> None:
    store, proxy = through(Fault(Kind.CLOSE_IDLE, per_request=None))
    for number in range(5):
        put(store, name=f"/hatrac/lab/{number}")
    assert proxy.plan.struck[Kind.CLOSE_IDLE] == 5


@pytest.mark.parametrize(
    ("kind", "error"), [(Kind.SIGNED_OUT, NotSignedIn), (Kind.FULL, QuotaFull), (Kind.GATEWAY, Unreachable)]
)
def test_what_the_server_says_is_kept_apart(
    kind: Kind, error: type[Exception], through: Callable[[Fault], tuple[HatracStore, FaultProxy]]
) -> None:
    store, _ = through(Fault(kind, "^PUT"))
    with pytest.raises(error):
        put(store)


# namespaces ------------------------------------------------------------------------------------


def test_missing_namespaces_and_parents_are_made_once(store: HatracStore, hatrac: RudeHatrac) -> None:
    store.ensure_namespaces(["/hatrac/lab/s1/frames", "/hatrac/lab/s1", "/hatrac/lab/s2/x/y"])
    assert {"/hatrac/lab/s1", "/hatrac/lab/s1/frames", "/hatrac/lab/s2/x/y"} <= hatrac.namespaces
    asked = len(hatrac.server.asked)
    store.ensure_namespaces(["/hatrac/lab/s1/frames", "/hatrac/lab/s2/x/y/"])
    assert len(hatrac.server.asked) == asked


def test_a_namespace_that_may_not_be_read_is_still_usable(
    connect: Callable[..., Connection], clock: object
) -> None:
    hatrac = RudeHatrac(readable=False)
    try:
        store = HatracStore(connect(hatrac.server.url), clock=clock)  # type: ignore[arg-type]
        store.ensure_namespaces(["/hatrac/lab", "/hatrac/lab/new"])
        assert "/hatrac/lab/new" in hatrac.namespaces
    finally:
        hatrac.close()


def test_an_object_in_the_way_is_left_as_it_is(store: HatracStore, hatrac: RudeHatrac) -> None:
    put(store)
    with pytest.raises(Conflict, match="is an object"):
        store.ensure_namespaces([NAME])
    assert hatrac.versions(NAME) == 1


def test_the_race_for_a_namespace_is_run_again(
    through: Callable[[Fault], tuple[HatracStore, FaultProxy]], hatrac: RudeHatrac
) -> None:
    store, proxy = through(Fault(Kind.NAMESPACE_RACE, "^PUT"))
    store.ensure_namespaces(["/hatrac/lab/raced"])
    assert "/hatrac/lab/raced" in hatrac.namespaces
    assert proxy.plan.struck[Kind.NAMESPACE_RACE] == 1
