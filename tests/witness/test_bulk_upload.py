"""The peer's `deriva-upload-cli` and ours, over one tree with one unchanged bulk-upload document."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from peer_environment import Peer

from uploader.bootstrap import SystemClock
from uploader.remote.ermrest import ErmrestCatalog
from uploader.remote.http import Connection

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("witness"), pytest.mark.timeout(600)]

CONFIG = Path(__file__).parent / "bulk-upload.json"
DATASETS = ("PbSe with ligands", "Ålesund 50 % (α)")
LARGE = "PbSe with ligands/raw/series 1.bin"
LARGE_BYTES = (26 << 20) + 12345
"""More than the 25 MiB above which the peer sends chunks, and no multiple of anything."""
SMALL = {
    "PbSe with ligands/raw/area 1.tif": 1000,
    "PbSe with ligands/raw/deep/er/Überblick.tif": 70_000,
    "PbSe with ligands/raw/a&b=c #1 +.TIF": 3,
    "Ålesund 50 % (α)/raw/日本 50%.tif": 4096,
    "Ålesund 50 % (α)/raw/plain.tif": 4096,
    "Ålesund 50 % (α)/proc/drift/first frame_01.dat": 500,
    "Ålesund 50 % (α)/proc/drift/zweite Ähre_2.dat": 600,
    "PbSe with ligands/proc/mean/all_0003.dat": 700,
}
UNMATCHED = "PbSe with ligands/notes.txt"


@dataclass
class Site:
    """A catalog with the tables, and a tree to carry into it."""

    host: str
    token: str
    url: str
    peer: Peer
    tree: Path
    catalog: ErmrestCatalog
    connection: Connection
    state: Path

    def by_peer(self) -> str:
        """Upload with `deriva-upload-cli`; returns its log."""
        return self.peer.upload(self.host, self.token, self.tree, CONFIG)

    def by_us(self) -> dict[str, dict[str, Any]]:
        """Upload with `nanoferry upload`; returns what it says of each file."""
        what = ["upload", "--dir", str(self.tree), "--spec", str(CONFIG), "--json"]
        environment = {
            **os.environ,
            "NANOFERRY_SERVER": self.url,
            "NANOFERRY_TOKEN": self.token,
            "NANOFERRY_STATE_DIR": str(self.state),
        }
        done = subprocess.run(
            [sys.executable, "-m", "uploader", *what],
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines()]
        return {event["path"]: event for event in events if event["kind"] == "file_finished"}

    def rows(self, table: str) -> dict[str, list[dict[str, Any]]]:
        """Rows of a table by file name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.catalog.query(f"/entity/Lab:{table}@sort(RCT,RID)"):
            found.setdefault(row["File_Name"], []).append(row)
        return found

    def holdings(self) -> list[tuple[str, ...]]:
        """Every row and every object version there is, as comparable lines."""
        lines = []
        for table in ("Picture", "Result"):
            for rows in self.rows(table).values():
                for row in rows:
                    versions = self.connection.json(row["URI"].rpartition(":")[0] + ";versions")
                    lines.append((table, json.dumps(row, sort_keys=True), *sorted(versions)))
        return sorted(lines)

    def stored(self, url: str) -> bytes:
        """Bytes of an object."""
        return self.connection.request("GET", url, repeatable=True).body


@pytest.fixture
def site(server: Any, peer: Peer, connection: Connection, tmp_path: Path) -> Site:
    """Tables made by the peer's API, and the tree."""
    peer.facts("tables", server.host, server.token, *DATASETS)
    tree = tmp_path / "incoming"
    noise = random.Random(7)
    for path, size in {**SMALL, LARGE: LARGE_BYTES, UNMATCHED: 10}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(noise.randbytes(size))
    catalog = ErmrestCatalog(connection, "1", clock=SystemClock())
    return Site(server.host, server.token, server.url, peer, tree, catalog, connection, tmp_path / "state")


def complete(site: Site) -> None:
    """Every file is there once, with the right row and the right bytes."""
    datasets = {row["Name"]: row["RID"] for row in site.catalog.query("/entity/Lab:Dataset")}
    rows = {"raw": site.rows("Picture"), "proc": site.rows("Result")}
    assert sum(map(len, rows.values())) == len(SMALL) + 1
    for path in (*SMALL, LARGE):
        file, (dataset, kind) = site.tree / path, path.split("/")[:2]
        (row,) = rows[kind][file.name]
        body = file.read_bytes()
        assert row["Dataset"] == datasets[dataset]
        assert row["MD5"] == hashlib.md5(body).hexdigest()
        assert row["Length"] == len(body)
        assert site.stored(row["URI"]) == body
        if kind == "raw":
            assert row["SHA256"] == hashlib.sha256(body).hexdigest()
        else:
            assert row["Number"] == int(file.stem.rpartition("_")[2])
            assert row["Label"] == f"{file.parent.name} of {file.stem.rpartition('_')[0]}"


def change(site: Site) -> None:
    """New bytes for one file whose object is named by content and one whose object is named by itself."""
    (site.tree / "PbSe with ligands/raw/area 1.tif").write_bytes(b"new bytes of the picture")
    (site.tree / "PbSe with ligands/proc/mean/all_0003.dat").write_bytes(b"new bytes of the result")


def changed(site: Site, before: dict[str, Any]) -> None:
    """By content: a second row and object beside the first. By name: the same row, a second version."""
    first, second = site.rows("Picture")["area 1.tif"]
    assert site.stored(first["URI"]) != site.stored(second["URI"]) == b"new bytes of the picture"
    (row,) = site.rows("Result")["all_0003.dat"]
    assert row["RID"] == before["RID"]
    assert row["Length"] == len(b"new bytes of the result")
    assert row["URI"].rpartition(":")[0] == before["URI"].rpartition(":")[0]
    assert row["URI"] != before["URI"]
    assert site.stored(row["URI"]) == b"new bytes of the result"
    assert len(site.stored(before["URI"])) == 700


def test_the_peer_uploads_and_a_second_time_there_is_nothing_new(site: Site) -> None:
    log = site.by_peer()
    assert "9 files were uploaded successfully" in log
    complete(site)
    before, result = site.holdings(), site.rows("Result")["all_0003.dat"][0]

    site.by_peer()
    assert site.holdings() == before

    change(site)
    site.by_peer()
    changed(site, result)


def test_we_recognise_what_the_peer_has_uploaded(site: Site) -> None:
    site.by_peer()
    before = site.holdings()
    outcomes = Counter(event["outcome"] for event in site.by_us().values())
    assert outcomes["same"] == len(SMALL) + 1
    assert set(outcomes) <= {"same", "unmatched"}
    assert site.holdings() == before


def test_we_send_what_has_changed_since_the_peer_uploaded(site: Site) -> None:
    site.by_peer()
    result = site.rows("Result")["all_0003.dat"][0]
    site.by_us()
    change(site)
    events = site.by_us()
    assert {
        path: event["outcome"]
        for path, event in events.items()
        if event["outcome"] not in ("same", "unmatched")
    } == {
        "PbSe with ligands/raw/area 1.tif": "new",
        "PbSe with ligands/proc/mean/all_0003.dat": "updated",
    }
    changed(site, result)


def test_the_peer_recognises_what_we_have_uploaded(site: Site) -> None:
    outcomes = Counter(event["outcome"] for event in site.by_us().values())
    assert outcomes == {"new": len(SMALL) + 1, "unmatched": 1}
    complete(site)
    before = site.holdings()
    assert "9 files were uploaded successfully" in site.by_peer()
    assert site.holdings() == before

    change(site)
    result = site.rows("Result")["all_0003.dat"][0]
    site.by_peer()
    changed(site, result)


def test_we_send_what_has_changed_since_we_uploaded(site: Site) -> None:
    site.by_us()
    before, result = site.holdings(), site.rows("Result")["all_0003.dat"][0]
    again = site.by_us()
    assert Counter(event["outcome"] for event in again.values()) == {"same": len(SMALL) + 1, "unmatched": 1}
    assert site.holdings() == before
    change(site)
    site.by_us()
    changed(site, result)


@pytest.mark.parametrize("upload", [Site.by_peer, Site.by_us], ids=["peer", "ours"])
def test_both_insert_the_rows_of_a_file(site: Site, upload: Callable[[Site], object]) -> None:
    (site.tree / "records/Lab").mkdir(parents=True)
    (site.tree / "records/Lab/Dataset.csv").write_text('Name,Year\n"A, b",1999\nSecond,\n', "utf-8")
    upload(site)
    rows = site.catalog.query("/entity/Lab:Dataset/Name=any(A%2C%20b,Second)@sort(Name)")
    assert [(row["Name"], row["Year"]) for row in rows] == [("A, b", 1999), ("Second", None)]
