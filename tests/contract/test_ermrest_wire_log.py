"""Replays what was seen of a real ERMrest, request by request, against the embedded one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from uploader.embedded.ermrest.exchange import Answer, Request
from uploader.embedded.ermrest.service import answer
from uploader.embedded.ermrest.store import CatalogStore
from uploader.embedded.identity import Client

LOG = Path(os.environ.get("NANOFERRY_WIRE_LOG", Path(__file__).parents[3] / "shared" / "deriva-wire-log.md"))
CLIENTS = {
    "anonymous": None,
    "root_admin": Client("root_admin", "root_admin", (), is_admin=True),
    "uploader": Client("uploader", "uploader", ("writers",)),
    "reader": Client("reader", "reader", ()),
}
SECTIONS = ("## 2. ERMrest", "## 3. ERMrest", "## 4. ERMrest", "## 5. ERMrest")
SYSTEM_TIMES = ("RCT", "RMT")
WHOLE_DOCUMENTS = {"service advertisement", "catalog", "one table"}
"""Documents of which the embedded catalog promises some members, see `compare_document`."""
RANDOM_ROWS = {"sort+limit page"}


@dataclass
class Exchange:
    title: str
    method: str = ""
    target: str = ""
    client: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer_body: str = ""


def exchanges(text: str) -> Iterator[Exchange | str]:
    """The exchanges of the log in order, and the marker `2000 rows` where a note tells of that request."""
    for section in re.split(r"(?m)^(?=## )", text):
        if not section.startswith(SECTIONS):
            continue
        for part in re.split(r"(?m)^(?=### )", section)[1:]:
            title, _, rest = part.partition("\n")
            block = re.search(r"```\n(.*?)\n```", rest, re.S)
            assert block is not None, title
            yield _exchange(title.removeprefix("### ").strip(), block[1])
            if "2000-row JSON POST" in rest:
                yield "2000 rows"


def _exchange(title: str, block: str) -> Exchange:
    found = Exchange(title)
    request, _, reply = block.partition("\n< ")
    first, *lines = request.split("\n")
    match = re.fullmatch(r"(\S+) (\S+)\s+\(as (\w+)\)", first)
    assert match is not None, first
    found.method, found.target, found.client = match.groups()
    body: list[str] = []
    for line in lines:
        header = re.fullmatch(r"> ([A-Z][A-Za-z-]+): (.*)", line)
        if header is not None and not body:
            found.headers[header[1].lower()] = header[2]
        else:
            body.append(line.removeprefix("> "))
    if body:
        found.body = "\n".join(body)
    head, _, found.answer_body = reply.partition("\n<\n")
    status, *headers = head.split("\n")
    found.status = int(status.split()[0])
    for line in headers:
        name, _, value = line.removeprefix("< ").partition(": ")
        found.answer_headers[name] = value
    return found


class Replay:
    """Sends the log's requests and keeps the list of differences."""

    def __init__(self, store: CatalogStore) -> None:
        self.store = store
        self.rids: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.differences: list[str] = []
        self.compared = 0

    def send(self, exchange: Exchange) -> None:
        headers = dict(exchange.headers)
        if "if-none-match" in headers:
            headers["if-none-match"] = self.tags[exchange.target]
        path, _, query = self.ours(exchange.target).partition("?")
        body = exchange.body or ""
        if body == "<135 bytes>":
            body = json.dumps([{"MD5": "bd987251f214f0535210143eaaa39e54", "File_Name": "pc20a78da_20.dm3",
                                "Length": 10, "URI": "/hatrac/x", "Instrument": "probe"}])  # fmt: skip
        body = re.sub(r" …\(\d+ chars\)$", "}]", self.ours(body))
        got = answer(
            self.store,
            Request(exchange.method, path, query, headers, body.encode(), CLIENTS[exchange.client]),
            "/ermrest",
        )
        self.compare(exchange, got)

    def ours(self, text: str) -> str:
        return re.sub(
            r'(?<=RID=)\w+|(?<="RID": ")[\w-]+(?=")|(?<="[on]0": ")\w+(?=")',
            lambda found: self.rids.get(found[0], found[0]),
            text,
        )

    def compare(self, exchange: Exchange, got: Answer) -> None:
        body = b"".join(got.body).decode()
        self.compared += 1
        if got.status != exchange.status:
            self.tell(exchange, f"status {got.status} instead of {exchange.status}: {body[:200]}")
            return
        if "ETag" in exchange.answer_headers:
            self.tags[exchange.target] = got.headers.get("ETag", "")
            if exchange.answer_headers["ETag"].count(";") != self.tags[exchange.target].count(";"):
                self.tell(exchange, "an ETag of another form")
        if exchange.answer_headers.get("Vary", got.headers.get("Vary")) != got.headers.get("Vary"):
            self.tell(exchange, f"Vary {got.headers.get('Vary')}")
        media = exchange.answer_headers.get("Content-Type", got.media)
        if media != got.media:
            self.tell(exchange, f"media type {got.media} instead of {media}")
        if media == "text/plain":
            self.compare_text(exchange, body)
        elif exchange.answer_body.strip():
            self.compare_rows(exchange, body)

    def compare_text(self, exchange: Exchange, body: str) -> None:
        token = r"input_data_[\w-]{22}"
        wanted = re.sub(token, "input_data", exchange.answer_body).strip()
        if re.search("Missing expected CSV columns", wanted):  # the real server lists a set
            wanted, body = (sorted_listing(text) for text in (wanted, body))
        if re.sub(token, "input_data", body).strip() != wanted:
            self.tell(exchange, f"{body!r} instead of {wanted!r}")
        length = exchange.answer_headers.get("Content-Length")
        if length is not None and int(length) != len(body.encode()):
            self.tell(exchange, f"length {len(body.encode())} instead of {length}")

    def compare_rows(self, exchange: Exchange, body: str) -> None:
        wanted = exchange.answer_body
        if exchange.title in WHOLE_DOCUMENTS or exchange.title == "schema":
            self.compare_document(exchange, body)
        elif "…" in wanted:
            return
        elif exchange.answer_headers.get("Content-Type") == "text/csv":
            ours, theirs = body.splitlines()[0].split(","), wanted.splitlines()[0].split(",")
            if ours != theirs[: len(ours)]:  # theirs repeats the system columns
                self.tell(exchange, f"CSV header {ours}")
        else:
            stream = exchange.headers.get("content-type") == "application/x-json-stream"
            split = (lambda text: [json.loads(line) for line in text.splitlines()]) if stream else json.loads
            ours, theirs = split(body), split(wanted)
            if exchange.title in RANDOM_ROWS:
                ours, theirs = [[list(row) for row in rows] for rows in (ours, theirs)]
            elif len(ours) == len(theirs):
                ours = [self.normal(row, theirs_row) for row, theirs_row in zip(ours, theirs, strict=True)]
            if ours != theirs:
                self.tell(exchange, f"{ours} instead of {theirs}")

    def normal(self, ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
        """Our row with the log's record id and times, where ours have the same form."""
        row = dict(ours)
        if "RID" in row and "RID" in theirs:
            known = self.rids.setdefault(theirs["RID"], row["RID"])
            if known == row["RID"] and re.fullmatch(
                r"[0-9A-HJKMNP-TV-Z]{1,4}(-[0-9A-HJKMNP-TV-Z]{4})*", known
            ):
                row["RID"] = theirs["RID"]
        for name in SYSTEM_TIMES:
            if name in row and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?\+00:00", row[name]):
                row[name] = theirs.get(name)
        return row

    def compare_document(self, exchange: Exchange, body: str) -> None:
        document = json.loads(body)
        members = re.findall(r'^\{"|(?<=[\]}",elE0-9]),\s?"', exchange.answer_body)
        assert members
        if "…" not in exchange.answer_body:
            missing = set(json.loads(exchange.answer_body)) - set(document)
            if missing:
                self.tell(exchange, f"without {missing}")
            return
        if exchange.title == "one table":
            start = exchange.answer_body.partition("…")[0]
            columns = re.findall(r'"name":"(\w+)","rights":(\{[^}]*\}),"type":(\{.*?\}),"default"', start)
            ours = {column["name"]: column for column in document["column_definitions"]}
            for name, rights, kind in columns:
                if ours[name]["rights"] != json.loads(rights) or ours[name]["type"] != json.loads(kind):
                    self.tell(exchange, f"column {name}: {ours[name]}")
            assert len(columns) > 10

    def tell(self, exchange: Exchange, difference: str) -> None:
        self.differences.append(f"{exchange.title}: {difference}")


def sorted_listing(text: str) -> str:
    """The text with its quoted names in order."""
    names = iter(sorted(re.findall(r'"\w+"', text)))
    return re.sub(r'"\w+"', lambda _: next(names), text)


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Replay]:
    store = CatalogStore(tmp_path / "catalogs")
    admin = CLIENTS["root_admin"]
    assert admin is not None
    rights = {right: ["writers"] for right in ("insert", "update", "delete")}
    store.create(admin, acls={**rights, "select": ["*"], "enumerate": ["*"]})
    image = {"File_Name": "text", "URI": "text", "Length": "int8", "MD5": "text", "SHA256": "text",
             "Dataset": "text", "Sample": "text", "Instrument": "text", "Acquired": "timestamptz",
             "Metadata": "jsonb", "Thumbnail": "text"}  # fmt: skip
    schema = {
        "schema_name": "nano",
        "tables": {
            "Project": table("Project", {"Local_Identifier": "text"}, "Local_Identifier"),
            "Image": table("Image", image, "MD5"),
        },
    }
    body = json.dumps([schema]).encode()
    made = answer(store, Request("POST", "/ermrest/catalog/1/schema", "", {}, body, admin), "/ermrest")
    assert made.status == 201, b"".join(made.body)
    yield Replay(store)
    store.close()


def table(name: str, columns: dict[str, str], key: str) -> dict[str, Any]:
    return {
        "table_name": name,
        "column_definitions": [
            {"name": column, "type": {"typename": kind}, "nullok": column != key}
            for column, kind in columns.items()
        ],
        "keys": [{"unique_columns": [key]}],
    }


def test_the_embedded_ermrest_answers_as_the_real_one_did(replay: Replay) -> None:
    if not LOG.is_file():
        pytest.skip("the recorded exchanges are not beside this checkout")
    for exchange in exchanges(LOG.read_text("utf-8")):
        if isinstance(exchange, str):
            rows = [{"MD5": f"{number:032x}", "File_Name": f"f{number}"} for number in range(2000)]
            bulk = Exchange(
                "2000 rows", "POST", "/ermrest/catalog/1/entity/nano:Image", "uploader", status=200
            )
            bulk.body = json.dumps(rows)
            replay.send(bulk)
        else:
            replay.send(exchange)
    assert replay.compared >= 86
    assert not replay.differences, "\n".join(["differences:", *replay.differences])
