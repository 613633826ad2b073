"""Upload jobs: chunks in any order, nothing published that is not whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CHUNKS = [bytes([number]) * 1000 for number in range(4)] + [b"end" * 50]
CONTENT = b"".join(CHUNKS)
NAME = "/hatrac/lab/big.mrc"


@pytest.fixture
def job(call, md5):
    return call.job(NAME, len(CONTENT), 1000, **{"content-md5": md5(CONTENT)})


def send(call, job: str, *numbers: int) -> set[int]:
    return {call.put(f"{job}/{number}", CHUNKS[number]).status_code for number in numbers}


def test_chunks_in_any_order_make_the_object(call, job, md5):
    assert send(call, job, 3, 0, 4, 2, 1, 0) == {204}
    done = call("POST", job)
    assert done.status_code == 201
    assert done.text.strip() == f"{NAME}:{job.rpartition('/')[2]}"
    assert done.headers["Location"] == done.text.strip()
    assert call("GET", NAME).content == CONTENT
    assert call("HEAD", NAME).headers["Content-MD5"] == md5(CONTENT)


def test_chunks_in_parallel(call, job):
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda number: send(call, job, number), [*range(5)] * 3)
    assert set.union(*answers) == {204}
    assert call("POST", job).status_code == 201
    assert call("GET", NAME).content == CONTENT


def test_a_job_tells_what_it_is(call, job, md5):
    assert call("GET", job).json() == {
        "url": job,
        "target": NAME,
        "owner": [call("GET", "/authn/session").json()["client"]["id"]],
        "chunk-length": 1000,
        "content-length": len(CONTENT),
        "content-type": "application/octet-stream",
        "content-md5": md5(CONTENT),
    }
    assert call("GET", f"{NAME};upload").json() == [job]
    assert call("GET", NAME).text == f"Object {NAME} currently has no content.\n"


def test_holes_are_never_published(call, job):
    send(call, job, 0, 1, 4)
    answer = call("POST", job)
    assert answer.status_code == 409
    assert "missing chunks 2, 3" in answer.text
    assert call("GET", NAME).status_code == 409
    assert send(call, job, 2, 3) == {204}
    assert call("POST", job).status_code == 201


def test_holes_are_refused_without_a_declared_md5_too(call):
    job = call.job(NAME, len(CONTENT), 1000)
    send(call, job, 0)
    assert call("POST", job).status_code == 409


@pytest.mark.parametrize(("number", "length"), [(1, 500), (1, 1500), (4, 100), (4, 1000)])
def test_a_chunk_of_the_wrong_length_is_refused_the_last_one_included(call, job, number, length):
    answer = call.put(f"{job}/{number}", b"x" * length)
    assert answer.status_code == 409
    assert answer.text.startswith(f"Uploaded chunk byte count {length} does not match job chunk size")


def test_chunk_numbers_are_checked(call, job):
    assert call.put(f"{job}/5", b"x").text == "Uploaded chunk number 5 out of range.\n"
    assert call.put(f"{job}/abc", b"x").text == "Invalid chunk number abc.\n"
    assert call.put(f"{job}/-1", b"x").status_code == 400
    assert call.put(f"{job}/{'9' * 5000}", b"x").status_code == 409


def test_a_bad_repeat_never_spoils_the_good_chunk(call, job, md5):
    send(call, job, 0, 1, 2, 3, 4)
    bad = call.put(f"{job}/2", b"?" * 1000, Content_MD5=md5(CHUNKS[2]))
    assert bad.status_code == 400
    assert call("POST", job).status_code == 201
    assert call("GET", NAME).content == CONTENT


def test_a_corrected_chunk_replaces_the_earlier_one(call, job, tmp_path: Path):
    send(call, job, 0, 1, 3, 4)
    call.put(f"{job}/2", b"?" * 1000)
    wrong = call("POST", job)
    assert wrong.status_code == 409
    assert wrong.text.startswith("Current uploaded content MD5 b'")
    assert send(call, job, 2) == {204}
    assert call("POST", job).status_code == 201
    assert call("GET", NAME).content == CONTENT
    assert list((tmp_path / "data/hatrac/sides").iterdir()) == []


def test_a_finished_job_is_gone(call, job):
    send(call, job, 0, 1, 2, 3, 4)
    call("POST", job)
    gone = f"Resource {job} not found.\n"
    assert call("POST", job).text == gone
    assert call("GET", job).text == gone
    assert call.put(f"{job}/0", CHUNKS[0]).text == gone
    assert call("GET", f"{NAME};upload").json() == []


def test_a_cancelled_job_leaves_no_bytes(call, job, tmp_path: Path):
    send(call, job, 0, 0, 1)
    assert call("DELETE", job).status_code == 204
    assert call("DELETE", job).status_code == 404
    assert call.put(f"{job}/2", CHUNKS[2]).status_code == 404
    assert call("HEAD", NAME).status_code == 409
    stored = [path for path in (tmp_path / "data/hatrac").rglob("*/*") if path.is_file()]
    assert stored == []


def test_only_its_owner_may_touch_a_job(call, call_as, job):
    for token, status in ((None, 401), ("t-reader", 403), ("t-writer", 403), ("t-admin", 403)):
        answer = call_as(token).put(f"{job}/0", CHUNKS[0])
        assert answer.status_code == status
        assert job in answer.text


def test_an_empty_object_needs_no_chunk(call, md5):
    job = call.job("/hatrac/lab/empty", 0, 1000, **{"content-md5": md5(b"")})
    assert call("POST", job).status_code == 201
    assert call("GET", "/hatrac/lab/empty").content == b""


@pytest.mark.parametrize(
    ("document", "status", "words"),
    [
        ('{"chunk-length": 5}', 400, "Missing required field 'content-length'."),
        ('{"chunk-length": 0, "content-length": 5}', 400, "at least 1"),
        ('{"chunk-length": "5", "content-length": 5}', 400, "integer"),
        ('{"chunk-length": 5, "content-length": 5, "content-md5": "zzz"}', 400, "base64"),
        ('{"chunk-length": 5, "content-length": 99999999999999999999}', 400, "at most"),
        ("[]", 400, "JSON object"),
        ("{", 400, "not valid JSON"),
    ],
)
def test_malformed_jobs(call, document, status, words):
    call.namespace("/hatrac/lab")
    answer = call("POST", f"{NAME};upload", data=document, headers={"Content-Type": "application/json"})
    assert (answer.status_code, words in answer.text) == (status, True)
    assert call("HEAD", NAME).status_code == 404


def test_unknown_resources(call, job):
    assert call.put(f"{NAME};upload/NOPE/0", b"x").text == f"Resource {NAME};upload/NOPE not found.\n"
    assert call("GET", f"{job}/0").status_code == 405
    assert call("GET", f"{NAME};acl").status_code == 501
    assert call("GET", f"{NAME};nonsense").status_code == 404


def test_a_job_of_very_many_chunks_costs_nothing_to_refuse(call):
    job = call.job(NAME, 1 << 49, 1)
    assert "missing chunks 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and" in call("POST", job).text
