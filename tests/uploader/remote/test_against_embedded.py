"""The same clients against the embedded server: both sides of the protocol agree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_proxy import Fault, FaultPlan, FaultProxy, Kind

from uploader.embedded.endpoint import Endpoint
from uploader.embedded.server import in_thread
from uploader.model.errors import Conflict, NotSignedIn, Unreachable
from uploader.remote.credentials import Credentials
from uploader.remote.deploy import SPEC_TAG, init_catalog, spec_annotation
from uploader.remote.ermrest import ErmrestCatalog
from uploader.remote.hatrac import HatracStore
from uploader.remote.http import Connection
from uploader.remote.session import require_session, session
from validation.specset import data_dir

FILE = "nanoscience:File"


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    with in_thread(tmp_path / "catalog") as endpoint:
        yield endpoint


@pytest.fixture
def line(endpoint: Endpoint) -> Iterator[Connection]:
    connection = Connection(endpoint.url, Credentials(token=endpoint.token))
    yield connection
    connection.close()


@pytest.fixture
def catalog(line: Connection, clock: Any) -> ErmrestCatalog:
    folder = data_dir() / "catalog"
    catalog = ErmrestCatalog(line, "1", clock=clock)
    model, terms = (
        json.loads((folder / name).read_text("utf-8")) for name in ("nanoscience.json", "terms.json")
    )
    created = init_catalog(catalog, model, terms, {SPEC_TAG: "nanoferry: 1\n"})
    assert f"table {FILE}" in created
    assert init_catalog(catalog, model, terms, {SPEC_TAG: "nanoferry: 1\n"}) == []
    return catalog


def test_it_knows_us_and_we_know_it_by_its_uuid(endpoint: Endpoint, line: Connection) -> None:
    assert require_session(line).client_id
    assert line.identity == endpoint.server_id
    by_cookie = Connection(endpoint.url, Credentials(cookie=endpoint.token))
    nobody = Connection(endpoint.url, Credentials(token="wrong"))
    try:
        assert session(by_cookie) is not None
        assert session(nobody) is None
        assert nobody.identity == endpoint.server_id
    finally:
        by_cookie.close()
        nobody.close()


def test_objects_jobs_and_namespaces(line: Connection, clock: Any) -> None:
    store = HatracStore(line, clock=clock)
    store.ensure_namespaces(["/hatrac/lab/s%201/frames"])
    store.ensure_namespaces(["/hatrac/lab", "/hatrac/lab/s%201/frames"])
    HatracStore(line, clock=clock).ensure_namespaces(["/hatrac/lab/s%201"])
    body = bytes(range(256)) * 1024
    digests: dict[str, bytes] = {"md5": hashlib.md5(body).digest(), "sha256": hashlib.sha256(body).digest()}
    name = "/hatrac/lab/s%201/frames/a%2Bb%C3%A9.tif"
    assert store.head(name) is None
    stored = store.put(
        name, memoryview(body), content_type="image/tiff", filename="a+bé", only_new=True, **digests
    )  # type: ignore[arg-type]
    found = store.head(name)
    assert found is not None
    assert (found.url, found.md5, found.size_bytes) == (stored.url, digests["md5"].hex(), len(body))
    assert b"".join(store.read(stored.url)) == body
    with pytest.raises(Conflict) as caught:
        store.put(name, b"x", md5=hashlib.md5(b"x").digest(), content_type="a/b", filename="x", only_new=True)
    assert caught.value.status == 412

    big = "/hatrac/lab/s%201/big.ser"
    job = store.open_job(
        big, size_bytes=len(body), chunk_bytes=100_000, content_type="a/b", filename="big.ser"
    )
    assert list(store.jobs(big)) == [job]
    for index in (2, 0, 1):
        chunk = body[index * 100_000 : (index + 1) * 100_000]
        store.put_chunk(job, index, chunk, hashlib.md5(chunk).digest())
    finished = store.finalise(job)
    assert finished.version == job.rpartition("/")[2]
    store.set_checksums(finished.url, **digests)
    again = store.head(big)
    assert again is not None
    assert again.sha256 == digests["sha256"].hex()
    assert b"".join(store.read(finished.url)) == body


def test_rows_are_inserted_found_paged_and_updated(catalog: ErmrestCatalog) -> None:
    assert spec_annotation(catalog) == (SPEC_TAG, "nanoferry: 1\n")
    names = [f"N {n} é&;/,()" for n in range(250)]
    rows = [{"Name": name} for name in names]
    technique = "nanoscience:Technique"
    before = len(list(catalog.rows(technique, {})))
    assert len(catalog.insert(technique, [*rows[:200], rows[0]])) == 200
    assert [row["Name"] for row in catalog.insert(technique, rows)] == names[200:]
    found = catalog.rows_by_key(technique, "Name", names, columns=["RID", "Name"])
    assert sorted(row["Name"] for row in found) == sorted(names)
    assert len(list(catalog.rows(technique, {}, page=100))) == before + 250
    assert len(list(catalog.rows(technique, {"Name": names[3]}))) == 1
    changed = [{"RID": row["RID"], "Label": row["Name"].upper()} for row in found[:5]]
    updated = catalog.update(
        technique, [*changed, {"RID": "9-ZZZZ", "Label": "x"}], by=("RID",), columns=("Label",)
    )
    assert sorted(row["Label"] for row in updated) == sorted(row["Label"] for row in changed)
    assert catalog.query(f"/entity/{technique}/Label::null::&Name=SEM") == []


def test_only_a_row_that_nobody_changed_is_updated(catalog: ErmrestCatalog) -> None:
    table = "nanoscience:Technique"
    row = catalog.insert(table, [{"Name": "N"}])[0]
    mine = {"RID": row["RID"], "RMT": row["RMT"], "Label": "mine"}
    assert (
        len(catalog.update(table, [{**mine, "Label": "theirs"}], by=("RID", "RMT"), columns=("Label",))) == 1
    )
    assert catalog.update(table, [mine], by=("RID", "RMT"), columns=("Label",)) == []


def test_a_row_without_its_parent_is_refused_by_name(catalog: ErmrestCatalog) -> None:
    with pytest.raises(Conflict):
        catalog.insert(FILE, [{"Dataset": "no such dataset", "Path": "a.tif"}])


def test_a_wrong_token_is_not_signed_in(endpoint: Endpoint, clock: Any) -> None:
    stranger = Connection(endpoint.url, Credentials(token="wrong"))
    try:
        with pytest.raises(NotSignedIn):
            ErmrestCatalog(stranger, "1", clock=clock).facts()
    finally:
        stranger.close()


@pytest.mark.parametrize(
    "kind", [Kind.CUT_BEFORE, Kind.CUT_BODY, Kind.CUT_AFTER, Kind.CUT_REPLY, Kind.ABORTED]
)
def test_rows_are_never_doubled_over_a_bad_line(
    kind: Kind, catalog: ErmrestCatalog, endpoint: Endpoint, clock: Any
) -> None:
    table = "nanoscience:Technique"
    plan = FaultPlan([Fault(kind, "^POST .*entity", per_request=3)])
    with FaultProxy(endpoint.url, plan) as proxy:
        connection = Connection(proxy.url, Credentials(token=endpoint.token))
        ErmrestCatalog(connection, "1", clock=clock).insert(table, [{"Name": f"N{n}"} for n in range(20)])
        connection.close()
    assert plan.struck[kind] == 3
    assert len(catalog.rows_by_key(table, "Name", [f"N{n}" for n in range(20)])) == 20


def test_a_cut_body_leaves_no_object(
    endpoint: Endpoint, line: Connection, clock: Any, connect: Callable[..., Connection]
) -> None:
    HatracStore(line, clock=clock).ensure_namespaces(["/hatrac/lab"])
    body = b"b" * 300_000
    with FaultProxy(endpoint.url, FaultPlan([Fault(Kind.CUT_BODY, "^PUT", per_request=None)])) as proxy:
        store = HatracStore(connect(proxy.url, token=endpoint.token), clock=clock)
        with pytest.raises(Unreachable):
            store.put(
                "/hatrac/lab/x",
                body,
                md5=hashlib.md5(body).digest(),
                content_type="a/b",
                filename="x",
                only_new=True,
            )
    assert HatracStore(line, clock=clock).head("/hatrac/lab/x") is None
