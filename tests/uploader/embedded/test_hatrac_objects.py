"""Namespaces and single-request objects, as a client sees them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

BODY = b"electron micrograph " * 60


@pytest.fixture(autouse=True)
def _namespace(call):
    call.namespace("/hatrac/lab")


def test_a_stored_object_comes_back_with_its_headers(call, md5):
    put = call.put(
        "/hatrac/lab/a%20b.tif",
        BODY,
        Content_MD5=md5(BODY),
        Content_Type="image/tiff",
        Content_Disposition="filename*=UTF-8''a%20b.tif",
    )
    assert put.status_code == 201
    location = put.headers["Location"]
    assert put.text == f"{location}\n"
    assert location.startswith("/hatrac/lab/a%20b.tif:")

    head = call("HEAD", "/hatrac/lab/a%20b.tif")
    version = location.rpartition(":")[2]
    assert head.headers["Content-MD5"] == md5(BODY)
    assert head.headers["ETag"] == f'"{version}"'
    assert head.headers["Content-Location"] == location
    assert head.headers["Content-Type"] == "image/tiff"
    assert head.headers["Content-Disposition"] == "filename*=UTF-8''a%20b.tif"
    assert head.headers["Content-Length"] == str(len(BODY))
    assert call("GET", location).content == BODY


def test_the_same_content_again_is_a_new_version_and_the_old_one_stays(call):
    first = call.put("/hatrac/lab/o", b"one").text.strip()
    second = call.put("/hatrac/lab/o", b"two").text.strip()
    assert call("GET", "/hatrac/lab/o;versions").json() == [second, first]
    assert call("GET", "/hatrac/lab/o").content == b"two"
    assert call("GET", first).content == b"one"


def test_only_new_objects_with_if_none_match(call):
    first = call.put("/hatrac/lab/o", b"one", If_None_Match="*")
    again = call.put("/hatrac/lab/o", b"two", If_None_Match="*")
    assert (first.status_code, again.status_code) == (201, 412)
    assert again.headers["ETag"] == f'"{first.text.strip().rpartition(":")[2]}"'
    assert call("GET", "/hatrac/lab/o").content == b"one"


def test_a_race_for_one_new_name_has_one_winner(call):
    def put(number: int) -> int:
        return call.put("/hatrac/lab/race", b"%d" % number, If_None_Match="*").status_code

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(put, range(16)))
    assert answers == [201] + [412] * 15
    assert len(call("GET", "/hatrac/lab/race;versions").json()) == 1


def test_parallel_uploads_into_a_new_namespace_all_succeed(call):
    def put(number: int) -> int:
        return call.put(f"/hatrac/new/deep/er/{number}?parents=true", b"x").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put, range(16))) == {201}


def test_a_wrong_md5_keeps_nothing_but_the_name(call, md5, tmp_path: Path):
    wrong = call.put("/hatrac/lab/o", BODY, Content_MD5=md5(b"other"))
    assert wrong.status_code == 400
    assert wrong.text.startswith("Received content MD5 b'")
    assert call("GET", "/hatrac/lab/o").text == "Object /hatrac/lab/o currently has no content.\n"
    assert list((tmp_path / "data/hatrac/incoming").iterdir()) == []
    assert call.put("/hatrac/lab/o", BODY, Content_MD5=md5(BODY)).status_code == 201


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Content_MD5", "zzz"),
        ("Content_MD5", "aGVsbG8="),
        ("Content_Disposition", 'attachment; filename="x"'),
        ("Content_SHA256", "?"),
    ],
)
def test_malformed_metadata_is_refused_before_anything_is_stored(call, header, value):
    assert call.put("/hatrac/lab/o", BODY, **{header: value}).status_code == 400
    assert call("HEAD", "/hatrac/lab/o").status_code == 404


def test_hex_md5_is_understood(call, md5):
    import hashlib

    assert call.put("/hatrac/lab/o", BODY, Content_MD5=hashlib.md5(BODY).hexdigest()).status_code == 201
    assert call("HEAD", "/hatrac/lab/o").headers["Content-MD5"] == md5(BODY)


def test_ranges(call):
    call.put("/hatrac/lab/o", b"0123456789")

    def part(spec: str):
        answer = call("GET", "/hatrac/lab/o", headers={"Range": spec})
        return answer.status_code, answer.content, answer.headers.get("content-range")

    assert part("bytes=0-3") == (206, b"0123", "bytes 0-3/10")
    assert part("bytes=7-") == (206, b"789", "bytes 7-9/10")
    assert part("bytes=-2") == (206, b"89", "bytes 8-9/10")
    assert part("bytes=5-99") == (206, b"56789", "bytes 5-9/10")
    assert part("bytes=0-1,4-5")[:2] == (200, b"0123456789")
    assert part("pages=1-2")[:2] == (200, b"0123456789")
    assert part("bytes=10-")[0] == 416


def test_a_known_version_is_not_sent_again(call):
    etag = f'"{call.put("/hatrac/lab/o", BODY).text.strip().rpartition(":")[2]}"'
    answer = call("GET", "/hatrac/lab/o", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")


def test_an_empty_object(call, md5):
    assert call.put("/hatrac/lab/empty", b"", Content_MD5=md5(b"")).status_code == 201
    assert call("GET", "/hatrac/lab/empty").content == b""


def test_a_deleted_name_is_dead_for_ever_and_its_file_gone(call, tmp_path: Path):
    call.put("/hatrac/lab/o", BODY)
    assert call("DELETE", "/hatrac/lab/o").status_code == 204
    assert call("GET", "/hatrac/lab/o").status_code == 404
    again = call.put("/hatrac/lab/o", BODY)
    assert (again.status_code, again.text) == (409, "Name /hatrac/lab/o not available.\n")
    assert [path for path in (tmp_path / "data/hatrac/data").rglob("*") if path.is_file()] == []


def test_one_version_can_be_deleted(call):
    first = call.put("/hatrac/lab/o", b"one").text.strip()
    second = call.put("/hatrac/lab/o", b"two").text.strip()
    assert call("DELETE", second).status_code == 204
    assert call("GET", "/hatrac/lab/o").content == b"one"
    assert call("GET", "/hatrac/lab/o;versions").json() == [first]


def test_names_and_namespaces_do_not_mix(call):
    call.put("/hatrac/lab/o", BODY)
    namespace = {"Content-Type": "application/x-hatrac-namespace"}
    assert call.put("/hatrac/lab", BODY).text == "Namespace /hatrac/lab already exists.\n"
    assert call("PUT", "/hatrac/lab/o", headers=namespace).status_code == 409
    child = call.put("/hatrac/lab/o/child?parents=true", BODY)
    assert (child.status_code, child.text) == (409, "Parent /hatrac/lab/o is not a namespace.\n")
    assert call.put("/hatrac/lab/no/such", BODY).text == "Resource /hatrac/lab/no not found.\n"
    assert call("GET", "/hatrac/lab").json() == ["/hatrac/lab/o"]
    assert call("DELETE", "/hatrac/lab").status_code == 409


@pytest.mark.parametrize("name", ["a+b(c)", "a,b", "a'b"])
def test_raw_special_characters_are_refused(call, name):
    assert call.put(f"/hatrac/lab/{name}", BODY).status_code == 400


@pytest.mark.parametrize("name", ["%C3%A9%CE%BC", "a%2Bb", "a%2Fb", "a%3Ab", "a_b", "%25", "x%0Ay"])
def test_encoded_names_of_any_kind_work(call, name):
    assert call.put(f"/hatrac/lab/{name}", BODY).status_code == 201
    assert call("GET", f"/hatrac/lab/{name}").content == BODY


def test_names_that_could_not_be_stored_elsewhere_are_refused_in_words(call):
    import socket

    assert call.put(f"/hatrac/lab/{'n' * 300}", BODY).status_code == 400
    # An HTTP library would resolve the dots itself, so this goes over a bare socket.
    port = int(call.endpoint.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(
            f"PUT /hatrac/lab/%2E%2E HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n"
            f"Authorization: Bearer {call.token}\r\nConnection: close\r\n\r\n".encode()
        )
        assert peer.recv(100).startswith(b"HTTP/1.1 400")


def test_a_body_without_length_or_beyond_the_limit_is_refused(call, monkeypatch):
    assert call("PUT", "/hatrac/lab/o", data=iter([b"x"])).status_code == 411
    monkeypatch.setattr("uploader.embedded.hatrac.objects.MAX_BODY_BYTES", 1000)
    large = call.put("/hatrac/lab/o", BODY)
    assert large.status_code == 413
    assert "1000 bytes" in large.text


def test_what_people_stored_cannot_run_as_our_page(call):
    call.put("/hatrac/lab/evil.html", b"<script>alert(1)</script>", Content_Type="text/html")
    answer = call("GET", "/hatrac/lab/evil.html")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_client_that_goes_away_leaves_nothing(call, tmp_path: Path):
    import socket
    import time

    port = int(call.endpoint.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(
            f"PUT /hatrac/lab/half HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 5000000\r\n"
            f"Authorization: Bearer {call.token}\r\n\r\n".encode()
            + b"x" * 2_500_000
        )
    incoming, deadline = tmp_path / "data/hatrac/incoming", time.monotonic() + 10
    while list(incoming.iterdir()) and time.monotonic() < deadline:
        call("HEAD", "/hatrac/lab/half")
    assert list(incoming.iterdir()) == []
    assert call("HEAD", "/hatrac/lab/half").status_code == 404


class TestRights:
    def test_nobody_reads_or_writes_without_a_token(self, call, call_as):
        call.put("/hatrac/lab/o", BODY)
        nobody = call_as(None)
        assert nobody("GET", "/hatrac/lab/o").status_code == 401
        refused = nobody.put("/hatrac/lab/p", BODY)
        assert (refused.status_code, refused.text) == (
            401,
            "Authentication required for access to /hatrac/lab\n",
        )
        assert call_as("bogus")("GET", "/hatrac/lab/o").status_code == 401

    def test_a_reader_reads_but_does_not_write(self, call, call_as):
        call.put("/hatrac/lab/o", BODY)
        reader = call_as("t-reader")
        assert reader("GET", "/hatrac/lab/o").content == BODY
        assert reader.put("/hatrac/lab/p", BODY).text == "Access to /hatrac/lab forbidden.\n"
        assert reader("DELETE", "/hatrac/lab/o").status_code == 403

    def test_metadata_is_set_once(self, call, md5):
        version = call.put("/hatrac/lab/o", BODY).text.strip()

        def set_md5(value: str):
            return call(
                "PUT",
                f"{version};metadata/content-md5",
                data=value,
                headers={"Content-Type": "text/plain"},
            )

        assert set_md5(md5(BODY)).status_code == 204
        assert set_md5(md5(BODY)).status_code == 204
        other = set_md5(md5(b"other"))
        assert other.status_code == 409
        assert other.text == f"Metadata {version};metadata/content-md5 cannot be modified once set.\n"
        assert call("GET", f"{version};metadata").json()["content-md5"] == md5(BODY)
        assert call("GET", "/hatrac/lab/o;metadata/content-md5").text.strip() == md5(BODY)

    def test_header_injection_through_metadata_is_refused(self, call):
        call.put("/hatrac/lab/o", BODY)
        answer = call("PUT", "/hatrac/lab/o;metadata/content-type", data="text/plain\r\nSet-Cookie: a=b")
        assert answer.status_code == 400
