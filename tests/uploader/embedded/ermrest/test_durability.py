"""What was acknowledged survives; writers take turns; readers see whole batches; HTTP in and out."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from uploader.embedded.ermrest import app, session
from uploader.embedded.ermrest.app import routes
from uploader.embedded.ermrest.database import CatalogTooNew
from uploader.embedded.ermrest.store import CatalogStore
from uploader.embedded.identity import Client


def test_acknowledged_rows_survive_a_kill(ask: Any, store: CatalogStore, tmp_path: Path) -> None:
    store.close()
    program = textwrap.dedent(
        """
        import json, sys
        from pathlib import Path
        from uploader.embedded.ermrest.exchange import Request
        from uploader.embedded.ermrest.service import answer
        from uploader.embedded.ermrest.store import CatalogStore
        from uploader.embedded.identity import Client
        store = CatalogStore(Path(sys.argv[1]))
        number = 0
        while True:
            body = json.dumps([{"Name": f"{number}.{part}"} for part in range(5)]).encode()
            request = Request("POST", "/ermrest/catalog/1/entity/lab:Kind", "", {}, body, Client("w", "W", ("writers",)))
            assert answer(store, request, "/ermrest").status == 200
            print(number, flush=True)
            number += 1
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "catalogs")], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        acknowledged = 0
        for line in process.stdout:
            acknowledged = int(line) + 1
            if acknowledged == 25:
                process.send_signal(signal.SIGKILL)
                break
        acknowledged = max([acknowledged, *(int(line) + 1 for line in process.stdout)])
    rows = ask("GET", "/entity/lab:Kind").json
    assert len(rows) % 5 == 0, "a batch is there in part"
    assert len(rows) >= 5 * acknowledged
    assert len({row["RID"] for row in rows}) == len(rows)


def test_writers_take_turns_and_readers_see_whole_batches(ask: Any) -> None:
    faults: list[str] = []

    def write(writer: int) -> None:
        for batch in range(10):
            rows = [{"Name": f"{writer}.{batch}.{part}"} for part in range(7)]
            reply = ask("POST", "/entity/lab:Kind", rows)
            if reply.status != 200:
                faults.append(reply.text)

    def read() -> None:
        for _ in range(30):
            (row,) = ask("GET", "/aggregate/lab:Kind/n:=cnt(*)").json
            if row["n"] % 7:
                faults.append(f"{row['n']} rows seen")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert ask("GET", "/aggregate/lab:Kind/n:=cnt(*)").json == [{"n": 280}]


def test_one_of_many_inserts_of_a_key_wins(ask: Any) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: statuses.append(ask("POST", "/entity/lab:Kind", [{"Name": "x"}]).status)
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409, 409, 409, 409, 409]


def test_a_query_that_takes_too_long_is_ended(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ask("POST", "/entity/lab:Kind", [{"Name": str(number)} for number in range(300)])
    monkeypatch.setattr(session, "QUERY_TIME_LIMIT_S", 0.0)
    links = "/(RMB)=(lab:Kind:RMB)" * 3
    reply = ask("GET", f"/aggregate/lab:Kind{links}/n:=cnt(*)")
    assert (reply.status, "run time limit" in reply.text) == (400, True)


def test_a_catalog_of_a_newer_version_is_left_alone(ask: Any, store: CatalogStore) -> None:
    database = store.get("1")
    with database.write(None) as writing:
        writing.session.run("UPDATE meta SET value = '99' WHERE name = 'format'")
    store.close()
    with pytest.raises(CatalogTooNew):
        store.get("1")


async def call(http: Any, method: str, target: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """One request to an ASGI application."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(b"content-type", b"application/json")], "state": {"client": Client("admin", "A", (), is_admin=True)},
    }  # fmt: skip
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": body[:10], "more_body": True},
               {"type": "http.request", "body": body[10:], "more_body": False}]  # fmt: skip

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    await http(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(part.get("body", b"") for part in sent[1:])


def test_the_routes_serve_a_catalog_over_asgi(
    ask: Any, store: CatalogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = Starlette(routes=[Mount("/ermrest", routes=routes(store))])

    async def talk() -> None:
        kind = "/ermrest/catalog/1/entity/lab:Kind"
        rows = json.dumps([{"Name": f"{number}", "Note": "x" * 5000} for number in range(1500)]).encode()
        assert (await call(http, "POST", kind, rows))[0] == 200
        status, headers, body = await call(http, "GET", kind)  # long enough to go through a file
        assert (status, len(json.loads(body))) == (200, 1500)
        assert headers["content-length"] == str(len(body))
        head = await call(http, "HEAD", kind)
        assert (head[0], head[1]["content-length"], head[2]) == (200, str(len(body)), b"")
        status, headers, body = await call(http, "DELETE", kind + "/Name=1")
        assert (status, body) == (204, b"")
        assert "content-length" not in headers
        assert (await call(http, "GET", "/ermrest/"))[0] == 200
        assert (await call(http, "PATCH", kind))[0] == 405
        monkeypatch.setattr(app, "MAX_BODY_BYTES", 100)
        assert (await call(http, "POST", kind, rows))[0] == 413

    asyncio.run(talk())


def test_a_full_disk_is_said_and_loses_nothing(ask: Any, store: CatalogStore) -> None:
    ask("POST", "/entity/lab:Kind", [{"Name": "before"}])
    database = store.get("1")
    with database.write(None) as writing:
        (pages,) = next(writing.session.rows("PRAGMA page_count"))
    database._writer.run(f"PRAGMA max_page_count={pages + 2}")
    big = [{"Name": str(number), "Note": "x" * 4000} for number in range(50)]
    reply = ask("POST", "/entity/lab:Kind", big)
    assert (reply.status, "Free some space" in reply.text) == (507, True)
    assert [row["Name"] for row in ask("GET", "/entity/lab:Kind").json] == ["before"]
    database._writer.run("PRAGMA max_page_count=1000000")
    assert ask("POST", "/entity/lab:Kind", big).status == 200
