"""Every answer of a real server has one meaning, in words that say what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback_server import page

from uploader.model.errors import (
    Aborted,
    BadReply,
    BadRequest,
    ChecksumMismatch,
    Conflict,
    Forbidden,
    NotFound,
    NotSignedIn,
    QuotaFull,
    RemoteError,
    Retry,
    Throttled,
    Unreachable,
)
from uploader.remote.answers import refusal
from uploader.remote.wording import summary_of

PLAIN = {"Content-Type": "text/plain"}
IMAGE = "/ermrest/catalog/1/entity/lab:Image"
MODEL = "Request conflicts with state of server. Detail: "


def said(status: int, words: str, *, method: str = "POST", path: str = IMAGE) -> RemoteError:
    return refusal(method, path, status, PLAIN, words.encode())


@pytest.mark.parametrize(
    ("status", "words", "kind", "shown"),
    [
        (400, "Request malformed. Detail: Bad JSON array input.", BadRequest, "Bad JSON array input"),
        (
            400,
            r"Received content MD5 b'\x94\xa8' does not match expected b'\x9d'.",
            ChecksumMismatch,
            "bytes changed",
        ),
        (
            401,
            "Access requires authentication. Detail: insert access on :lab:Image",
            NotSignedIn,
            "NANOFERRY_TOKEN",
        ),
        (
            403,
            "Access forbidden. Detail: insert access on :lab:Image",
            Forbidden,
            "may not insert in lab:Image",
        ),
        (
            403,
            "Access forbidden. Detail: update access on :lab:Image:RID",
            Forbidden,
            "update in lab:Image:RID",
        ),
        (403, "Access to /hatrac/lab/x forbidden.", Forbidden, "may not write to /hatrac/lab/x"),
        (404, "Resource not found. Detail: catalog 9999", NotFound, "catalog 9999"),
        (405, "Request method not allowed on this resource.", BadRequest, "unencoded character"),
        (409, "Object /hatrac/lab/x currently has no content.", Conflict, "currently has no content"),
        (409, "Name /hatrac/lab/x not available.", Conflict, "never used twice"),
        (409, f"{MODEL}Table Nope does not exist in schema lab.", Conflict, "catalog init"),
        (
            409,
            "Current uploaded content MD5 b'07' does not match expected b'47'.",
            ChecksumMismatch,
            "still open",
        ),
        (412, "Resource state does not match requested preconditions.", Conflict, "exists already"),
        (413, "Request body size is larger than the current limit.", BadRequest, "smaller chunks"),
        (414, "", BadRequest, "too long"),
        (415, "text/plain input not supported", BadRequest, "kind of content"),
        (429, "", Throttled, "slow down"),
        (500, 'duplicate key value violates unique constraint "name_name_key"', Throttled, "same name"),
        (500, "[Errno 36] File name too long: '/var/x'", BadRequest, "255 bytes"),
        (500, "[Errno 28] No space left on device", QuotaFull, "no room"),
        (500, "unforeseen", BadReply, "administrator"),
        (501, "snapshots", BadRequest, "does not offer snapshots"),
        (
            503,
            "The service is temporarily unavailable. Detail: Transaction aborted.",
            Aborted,
            "undid our change",
        ),
        (507, "Insufficient storage.", QuotaFull, "no room"),
    ],
)
def test_each_cause_has_its_class_and_its_words(
    status: int, words: str, kind: type[RemoteError], shown: str
) -> None:
    error = said(status, words)
    assert type(error) is kind
    assert shown in str(error)
    assert error.status == status
    assert error.path == IMAGE


def test_a_duplicate_key_is_named() -> None:
    error = said(
        409,
        f"{MODEL}Input data violates model. ERROR:  duplicate key value violates unique constraint "
        '"Image_MD5_key"\nDETAIL:  Key ("MD5")=(62c5) already exists.',
    )
    assert error.summary == "A row with MD5 = 62c5 exists already; none was written."


def test_a_missing_parent_record_is_named() -> None:
    error = said(
        409,
        f'{MODEL}ERROR:  insert or update on table "File" violates foreign key constraint "File_Dataset_fkey"\n'
        'DETAIL:  Key (Dataset)=(D-7) is not present in table "Dataset".',
    )
    assert error.summary.startswith("Dataset has no record with Dataset = D-7")
    assert error.remedy == "Create that record in Dataset first."


def test_an_empty_required_column_is_named() -> None:
    error = said(
        409, f'{MODEL}null value in column "MD5" of relation "input_data_YE8" violates not-null constraint'
    )
    assert error.summary.startswith("The column MD5 must not be empty")


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateways_page_is_summarised_and_leaves_the_request_in_doubt(status: int) -> None:
    answer = page(status, f"{status} Gateway", "The upstream server &amp; friends did not respond in time.")
    error = refusal("POST", IMAGE, status, answer.headers, answer.body)
    assert isinstance(error, Unreachable)
    assert error.in_doubt
    assert "server & friends did not respond" in str(error)
    assert "<" not in str(error)


def test_a_web_page_for_a_long_path_is_no_missing_record() -> None:
    answer = page(404, "404 Not Found", "The requested URL was not found on this server.")
    long = refusal("GET", "/ermrest/" + "x" * 5000, 404, answer.headers, answer.body)
    assert isinstance(long, BadRequest)
    assert "5009 characters" in str(long)
    elsewhere = refusal("HEAD", "/hatrac/x", 404, answer.headers, b"")
    assert isinstance(elsewhere, BadRequest)
    assert "no DERIVA service" in str(elsewhere)


@pytest.mark.parametrize("words", ["Transaction aborted", "busy"])
def test_a_busy_server_wrote_nothing(words: str) -> None:
    error = said(503, words)
    assert error.retry is Retry.LATER
    assert not error.in_doubt


def test_the_server_may_ask_for_seconds_or_until_a_date() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=100))
    waits = []
    for value in ("7", until, "soon", "-3", "", "99999999"):
        error = refusal("POST", IMAGE, 503, {**PLAIN, "Retry-After": value}, b"")
        assert isinstance(error, Throttled)
        waits.append(error.wait_s)
    assert waits[0] == 7
    assert 90 < waits[1] <= 100
    assert waits[2:] == [0, 0, 0, 3600]


def test_a_redirect_is_not_followed_and_shows_no_query() -> None:
    error = refusal("GET", IMAGE, 302, {"Location": "https://elsewhere.example/login?state=abc"}, b"")
    assert isinstance(error, BadRequest)
    assert "https://elsewhere.example/login" in str(error)
    assert "abc" not in str(error)


@given(st.integers(300, 599), st.binary(max_size=200), st.booleans(), st.sampled_from(["GET", "HEAD", "PUT"]))
def test_any_answer_becomes_one_short_message(status: int, body: bytes, is_page: bool, method: str) -> None:
    headers = {"Content-Type": "text/html"} if is_page else PLAIN
    error = refusal(method, "/hatrac/x", status, headers, body)
    assert isinstance(error, RemoteError)
    assert 0 < len(str(error)) < 2000
    assert "\n" not in str(error)


def test_a_huge_page_is_cut() -> None:
    assert len(summary_of({"Content-Type": "text/html"}, b"<html>" + b"word " * 1_000_000)) <= 800
