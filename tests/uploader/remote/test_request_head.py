"""The head of a request holds what was meant and can't hold more."""

from __future__ import annotations

import pytest

from uploader.model.errors import BadRequest
from uploader.remote.request_head import request_head, standing_lines

STANDING = standing_lines({"Host": "h", "Authorization": "Bearer secret"})


def test_a_head_is_sent_as_it_was_written() -> None:
    head = request_head("PUT", "/hatrac/a%2Fb/%7e?x=%2B", STANDING, {"Content-MD5": "abc=="}, length_bytes=7)
    assert head == (
        b"PUT /hatrac/a%2Fb/%7e?x=%2B HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer secret\r\n"
        b"Content-MD5: abc==\r\nAccept-Encoding: identity\r\nContent-Length: 7\r\n\r\n"
    )


def test_look_ups_have_no_length_and_may_ask_for_gzip() -> None:
    head = request_head("GET", "/x", STANDING, {"Accept-Encoding": "gzip"}, length_bytes=None)
    assert b"Content-Length" not in head
    assert head.count(b"Accept-Encoding") == 1


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\u20ac"])
def test_no_header_can_begin_another_one(value: str) -> None:
    with pytest.raises(BadRequest, match="can't be sent") as caught:
        request_head("PUT", "/x", STANDING, {"Content-Type": value}, length_bytes=0)
    assert value not in str(caught.value)


@pytest.mark.parametrize("target", ["/a?b c", "/a?b\r\nX: y", "/a#b", "//a\tb"])
def test_no_query_can_begin_another_request(target: str) -> None:
    with pytest.raises(BadRequest, match="is no address"):
        request_head("GET", target, STANDING, {}, length_bytes=None)
