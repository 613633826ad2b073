"""Replays what a real server was seen to answer about sign-in and objects, where that record is at hand.

Compared are the status, the body of text answers and the headers a client depends on. Ids are translated (the record's
to ours); checksums of bodies that the record does not hold are masked. TOLERATED lists every deliberate difference.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from uploader.embedded.identity import Client
from uploader.embedded.server import Settings, in_thread

SECTIONS = ("1.", "6.", "7.", "8.")
PEOPLE = {
    "uploader": Client("uploader", "uploader", ("uploader", "writers")),
    "reader": Client("reader", "reader", ("readers",)),
    "root_admin": Client("root_admin", "root_admin", (), is_admin=True),
}
BODY = b"hello" + b"." * 1195
JOB_BODY = b"".join(bytes([number]) * 1000 for number in range(4)) + bytes([4]) * 200
JOB_MD5 = "R2g70WBEtMJeMiIJdXkD9A=="
"""The checksum that the record's jobs declare; the bytes behind it are not in the record, so ours stand in."""
SAME_HEADERS = ("location", "content-type", "accept-ranges", "content-md5", "content-disposition",
                "content-location", "etag", "content-range", "content-length")  # fmt: skip

TOLERATED = {
    "session, bearer token instead of cookie": "bearer tokens are understood here",
    "preauth": "there is no login form: the page opens with a link",
    "expired/bogus cookie used on ermrest read": "belongs to ERMrest's replay",
    "expired/bogus cookie used on ermrest write": "belongs to ERMrest's replay",
    "GET namespace": "the owner may read everything; there are no access lists",
    "HEAD namespace": "as above",
    "PUT namespace outside granted subtree": "as above",
    "PUT chunked transfer-encoding (no Content-Length)": "411 as well, without Apache's HTML",
    "HEAD zero": "Content-Length: 0 is sent",
    "PUT namespace onto an object": "refused instead of making an empty version",
    "name with raw colon": "405 as well, without the HTML of a web framework",
    "very long name (300 chars)": "400 in words instead of 500",
    "final chunk wrong length": "refused: a short last chunk would damage the object",
    "last chunk short (999 of 1000), exact-multiple job": "as above",
    "finalise with chunks 1,2 not (correctly) sent, MD5 declared": "409 as well, naming the missing chunks",
    "finalise with wrong MD5": "409 as well: the record does not show the chunks being sent",
    "finalise with 4 of 5 chunks missing and no MD5": "refused: holes are not published",
    "HEAD of the holed object": "there is no such object",
    "finalise: wrong SHA256 is not checked": "refused for its missing chunks; the checksum is not checked here either",
    "job chunk-length 0": "400 in words instead of 500",
    "job on a deleted name": "same status; the name is given as a URL path",
}
STATUS_ONLY = {
    "PUT chunked transfer-encoding (no Content-Length)": 411,
    "PUT namespace onto an object": 409,
    "name with raw colon": 405,
    "very long name (300 chars)": 400,
    "final chunk wrong length": 409,
    "last chunk short (999 of 1000), exact-multiple job": 409,
    "finalise with chunks 1,2 not (correctly) sent, MD5 declared": 409,
    "finalise with wrong MD5": 409,
    "finalise with 4 of 5 chunks missing and no MD5": 409,
    "HEAD of the holed object": 409,
    "finalise: wrong SHA256 is not checked": 409,
    "job chunk-length 0": 400,
    "job on a deleted name": 409,
    "HEAD zero": 200,
}


@dataclass
class Case:
    title: str
    method: str
    path: str
    person: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer: str | None = None


def read_cases(log: str) -> Iterator[Case]:
    for section in re.split(r"^## ", log, flags=re.M)[1:]:
        if section.startswith(SECTIONS):
            for found in re.finditer(r"^### (.+?)\n```\n(.*?)^```", section, re.M | re.S):
                yield read_case(found[1], found[2])


def read_case(title: str, block: str) -> Case:
    first, *lines = block.splitlines()
    method, path, person = re.fullmatch(r"(\w+) (.+?)   \(as (\w+)\)", first).groups()
    case = Case(title, method, path, person)
    said: list[str] = []
    in_answer = False
    for line in lines:
        if in_answer:
            said.append(line)
        elif line == "<":
            in_answer = True
        elif line.startswith("< ") and not case.status:
            case.status = int(line[2:5])
        elif line.startswith("< "):
            name, _, value = line[2:].partition(": ")
            case.answer_headers[name.lower()] = value
        elif (bytes_line := re.fullmatch(r"> <(\d+) bytes>", line)) is not None:
            case.body = content_of(case, int(bytes_line[1]))
        elif (header := re.fullmatch(r"> ([A-Z][\w-]*): (.*)", line)) is not None:
            case.headers[header[1]] = header[2]
        else:
            case.body = line[2:].encode()
    case.answer = "\n".join(said) if in_answer and method != "HEAD" else None
    return case


def content_of(case: Case, length: int) -> bytes:
    chunk = re.search(r";upload/[^/]+/(\d+)$", case.path)
    if chunk:
        return (bytes([int(chunk[1]) % 256]) * length)[:length]
    return BODY if length == len(BODY) else b"\0" * length


def b64md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


@pytest.fixture(scope="module")
def wire_log(request: pytest.FixtureRequest) -> str:
    path = Path(request.config.rootpath).parent / "shared" / "deriva-wire-log.md"
    if not path.is_file():
        pytest.skip("the record of a real server is not beside this checkout")
    return path.read_text("utf-8")


def test_the_record_is_answered_as_the_real_server_did(wire_log: str, tmp_path: Path) -> None:
    tokens = {f"t-{name}": client for name, client in PEOPLE.items()}
    settings = Settings(identities=tokens, writers=frozenset({"writers"}), public_read=True)
    with in_thread(tmp_path / "data", settings) as endpoint, requests.Session() as session:
        replay = Replay(endpoint.url, session)
        replay.made("/hatrac/nano")
        differences = [line for case in read_cases(wire_log) for line in replay.differences(case)]
    assert differences == []
    assert replay.compared > 90
    assert TOLERATED.keys() <= {case.title for case in read_cases(wire_log)}


@dataclass
class Replay:
    url: str
    session: requests.Session
    ours: dict[str, str] = field(default_factory=dict)
    compared: int = 0

    def made(self, namespace: str) -> None:
        answer = self.session.put(
            self.url + namespace,
            headers={"Content-Type": "application/x-hatrac-namespace", "Cookie": "webauthn=t-uploader"},
        )
        assert answer.status_code == 201

    def differences(self, case: Case) -> Iterator[str]:
        if case.title in TOLERATED and case.title not in STATUS_ONLY:
            return
        if "…" in case.path:
            case.path = "/hatrac/nano/tc20a78da/" + "n" * 300
        answer = self.ask(case)
        self.compared += 1
        wanted = STATUS_ONLY.get(case.title, case.status)
        if answer.status_code != wanted:
            yield f"{case.title}: {answer.status_code} instead of {wanted}: {answer.text!r}"
        self.learn(case, answer)
        if case.title in STATUS_ONLY or case.title.startswith("PUT over"):
            return
        if case.answer is not None and masked(self.translated(case.answer)) != masked(
            answer.text.rstrip("\n")
        ):
            yield f"{case.title}: {answer.text!r} instead of {self.translated(case.answer)!r}"
        for name in SAME_HEADERS:
            theirs, mine = case.answer_headers.get(name), answer.headers.get(name)
            if theirs is None or (name == "etag" and len(theirs) != 28):
                continue
            if name == "content-length" and (re.search(r" b'|^\{", answer.text) or "session" in case.title):
                continue  # the record's bytes are other ones, so are their escapes; documents differ in order
            if masked(self.translated(theirs)) != masked(mine or ""):
                yield f"{case.title}: {name} is {mine!r} instead of {theirs!r}"

    def ask(self, case: Case) -> requests.Response:
        headers = dict(case.headers)
        if case.person in PEOPLE and "Cookie" not in headers:
            headers["Cookie"] = f"webauthn=t-{case.person}"
        body = case.body
        if "Content-MD5" in headers and "malformed" not in case.title:
            right = b64md5(body or b"")
            wrong = "wrong" in case.title.lower()
            headers["Content-MD5"] = b64md5(b"something else") if wrong else right
            if "hex" in case.title:
                headers["Content-MD5"] = base64.b64decode(right).hex()
        headers.pop("Content-Length", None)
        if body is not None and body.startswith(b"{"):
            body = body.replace(JOB_MD5.encode(), b64md5(JOB_BODY).encode())
        path = self.translated(case.path)
        data: object = body
        if case.title.startswith("PUT chunked"):
            data = iter([BODY])
        return self.session.send(self.raw(case.method, path, data, headers), timeout=60)

    def raw(self, method: str, path: str, data: object, headers: dict[str, str]) -> requests.PreparedRequest:
        prepared = self.session.prepare_request(
            requests.Request(method, self.url, data=data, headers=headers)
        )
        prepared.url = self.url + path  # as written: a library would tidy it
        return prepared

    def learn(self, case: Case, answer: requests.Response) -> None:
        """Pair the ids of the record with ours, in the order in which both name them."""
        theirs = re.findall(r"\b[A-Z2-7]{26}\b", (case.answer or "") + str(case.answer_headers))
        mine = re.findall(r"\b[A-Z2-7]{26}\b", answer.text + str(dict(answer.headers)))
        if case.answer and len(theirs) and answer.status_code == 201 and mine:
            self.ours.setdefault(theirs[0], mine[0])

    def translated(self, text: str) -> str:
        return re.sub(r"\b[A-Z2-7]{26}\b", lambda found: self.ours.get(found[0], found[0]), text)


def masked(text: str) -> str:
    """Without what must differ: checksums of other bytes, moments, the order of a document's fields."""
    try:
        document = json.loads(text)
    except ValueError:
        text = re.sub(r"b'(?:[^'\\]|\\.)*'", "MD5", text)
        text = re.sub(r"^[A-Za-z0-9+/]{22}==$", "MD5", text)
        return re.sub(r'^"[A-Z2-7]{26}"$', '"VERSION"', text)
    if isinstance(document, dict):
        for key in ("since", "expires", "seconds_remaining"):
            document.pop(key, None)
        if "content-md5" in document:
            document["content-md5"] = "MD5"
    return json.dumps(document, sort_keys=True)
