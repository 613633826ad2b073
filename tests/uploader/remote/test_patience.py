"""Slow servers, early answers, the bandwidth limit and old lines, as a whole request meets them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from loopback_server import Answer, Asked, LoopbackServer, text

from uploader.model.errors import BadRequest, Cancelled, NotSignedIn, QuotaFull, RemoteError, Unreachable
from uploader.remote.hatrac import HatracStore
from uploader.remote.http import Connection
from uploader.remote.line import Patience

Serve = Callable[..., LoopbackServer]
Connect = Callable[..., Connection]
BODY = bytes(16 << 20)
"""More than the sockets of both sides take unread."""
QUICK = Patience(window_s=0.1)


def ok(_: Asked) -> Answer:
    return Answer(200, b"ok")


# slow ------------------------------------------------------------------------------------------


def test_a_server_that_takes_nothing_is_too_slow_and_the_put_in_doubt(serve: Serve, connect: Connect) -> None:
    server = serve(ok, deaf=True)
    with pytest.raises(Unreachable, match=r"too slow: \d+ bytes in 0\.1 s") as caught:
        connect(server.url, patience=QUICK).request("PUT", "/x", body=BODY, repeatable=True)
    assert caught.value.in_doubt


def test_a_slow_loris_answer_ends_with_the_time_of_the_answer(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: Answer(201, b"x" * 10_000, drip_s=0.01))
    with pytest.raises(Unreachable, match="did not end its answer within") as caught:
        connect(server.url, read_timeout_s=0.1).request("PUT", "/x", body=b"b", repeatable=True)
    assert caught.value.in_doubt
    assert len(server.asked) == 1


# early -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "kind"), [(401, NotSignedIn), (413, BadRequest), (507, QuotaFull)])
def test_why_a_server_takes_no_more_is_heard(
    status: int, kind: type[RemoteError], serve: Serve, connect: Connect
) -> None:
    server = serve(ok, early=lambda asked: text(status, "no") if asked.method == "PUT" else None)
    connection = connect(server.url, patience=QUICK)
    with pytest.raises(kind):
        connection.request("PUT", "/x", body=BODY, repeatable=True)
    # What was left unsent can't become part of the next request.
    assert connection.request("GET", "/y", repeatable=True).body == b"ok"


def test_an_early_success_is_not_believed(serve: Serve, connect: Connect) -> None:
    server = serve(ok, early=lambda asked: Answer(201))
    with pytest.raises(Unreachable) as caught:
        connect(server.url, patience=QUICK).request("PUT", "/x", body=BODY, repeatable=False)
    assert caught.value.in_doubt


# pace ------------------------------------------------------------------------------------------


def test_bytes_of_objects_and_chunks_are_paced_rows_are_not(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: text(201, f"{asked.path}:V1", Location=f"{asked.path}:V1"))
    paces: list[int] = []
    connection = connect(server.url, pace=paces.append)
    store = HatracStore(connection, clock=None)  # type: ignore[arg-type]
    md5 = bytes(16)
    store.put("/hatrac/a", bytes(300_000), md5=md5, content_type="x/y", filename="a", only_new=True)
    assert paces == [262_144, 37_856]
    paces.clear()
    connection.send_in_slices_of(100_000)
    store.put_chunk("/hatrac/a;upload/J", 0, memoryview(bytes(250_000)), md5)
    assert paces == [100_000, 100_000, 50_000]
    paces.clear()
    connection.request("POST", "/ermrest/catalog/1/entity/T", body=bytes(300_000), repeatable=False)
    assert paces == []


def test_a_pace_that_gives_up_ends_the_request_and_its_line(serve: Serve, connect: Connect) -> None:
    def cancel(size_bytes: int) -> None:
        raise Cancelled("A person cancelled this.")

    server = serve(ok)
    connection = connect(server.url, pace=cancel)
    with pytest.raises(Cancelled):
        connection.request("PUT", "/x", body=b"b", repeatable=True, paced=True)
    assert connection.open_lines == 0
    assert connection.request("PUT", "/x", body=b"b", repeatable=True).status == 200
    assert server.lines() == ["PUT /x"]


# lines -----------------------------------------------------------------------------------------


def test_an_old_line_is_not_used_again(serve: Serve, connect: Connect) -> None:
    server = serve(ok)
    connection = connect(server.url, patience=Patience(idle_s=0.0))
    for _ in range(2):
        connection.request("POST", "/x", body=b"b", repeatable=False)
    assert [asked.connection for asked in server.asked] == [1, 2]


def test_a_repetition_goes_out_on_a_line_of_its_own(serve: Serve, connect: Connect) -> None:
    """Two kept lines may have died together: the second try must not find the other one."""
    together = threading.Barrier(2)
    dying = threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.path == "/together":
            together.wait(10)
            return Answer(200)
        # Only a line that is new answers; the old ones end without a word, as if they had been closed.
        return Answer(200, silent=asked.connection <= 2 and dying.is_set())

    server = serve(answer)
    connection = connect(server.url)
    threads = [
        threading.Thread(target=lambda: connection.request("GET", "/together", repeatable=True))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    dying.set()
    assert connection.request("PUT", "/x", body=b"b", repeatable=True).status == 200
    assert sorted(asked.connection for asked in server.asked if asked.path == "/x")[-1] == 3


def test_a_download_left_early_leaves_no_line_behind(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: Answer(200, BODY))
    connection = connect(server.url)
    download = connection.stream("/x")
    next(download)
    assert connection.open_lines == 1
    download.close()  # type: ignore[attr-defined]
    assert connection.open_lines == 0


def test_the_server_s_clock_is_known_after_an_answer(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked: Answer(200, headers={"Date": "Sat, 21 Nov 2026 04:00:00 GMT"}))
    connection = connect(server.url, wall_s=lambda: 1_795_233_600.0 + 86_400)
    assert connection.clock_skew_s is None
    connection.request("GET", "/x", repeatable=True)
    assert connection.clock_skew_s == pytest.approx(-86_399.5)
