"""A folder, an embedded catalog and our memory, for tests that run the engine from end to end."""

from __future__ import annotations

import functools
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from uploader import bootstrap
from uploader.bootstrap import Settings, open_engine
from uploader.embedded.endpoint import Endpoint
from uploader.engine.limits import Limits
from uploader.engine.run import Engine
from uploader.model.events import Event, FileFinished, FilePlanned, Parked, RunFinished
from uploader.model.files import FileResult
from uploader.stages.transfer import Wire
from validation.check import Depth
from validation.spec.load import find, load, load_document
from validation.spec.model import Spec

SESSION = "NFFA-7/gold/2025-03-11_rossi_SEM"
"""Project, sample and session as the shipped layout `em-session` wants them."""

SMALL_WIRE = functools.partial(Wire, small_bytes=4096, chunk_bytes=4096)
"""Chunks so small that a file of some kilobytes has several."""

_OF_THE_MOMENT = {"RID", "RCT", "RMT", "RCB", "RMB"}


@dataclass(frozen=True)
class Told:
    """What a run said."""

    events: list[Event]
    receipt: dict[str, Any] = field(default_factory=dict)

    @property
    def results(self) -> dict[str, FileResult]:
        return {event.result.path: event.result for event in self.events if isinstance(event, FileFinished)}

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(event.result.outcome.value for event in self.events if isinstance(event, FileFinished))

    @property
    def plan(self) -> list[str]:
        """The plan as lines: `new  area_001.png`; a file that is the same is listed only in a dry run."""
        return sorted(
            f"{event.action:<13} {event.path}" for event in self.events if isinstance(event, FilePlanned)
        )

    @property
    def parked(self) -> Parked | None:
        return next((event for event in self.events if isinstance(event, Parked)), None)

    @property
    def finished(self) -> RunFinished:
        last = self.events[-1]
        assert isinstance(last, RunFinished)
        return last


@dataclass
class World:
    """One server, one state folder, and whatever folders a test drops."""

    home: Path
    endpoint: Endpoint
    server: str = ""
    """Another address of the server, for instance a proxy before it."""
    limits: Limits = field(default_factory=lambda: Limits(patience_s=0.0))
    """A server that is away ends the run at once, unless a test is about waiting for it."""

    @property
    def state_dir(self) -> Path:
        return self.home / "state"

    @property
    def settings(self) -> Settings:
        return Settings(self.server, "1", self.state_dir, self.state_dir / "catalog")

    @contextmanager
    def engine(self, *roots: Path, spec: Spec | None = None) -> Iterator[Engine]:
        chosen = spec or layout("em-session")
        with open_engine(self.settings, roots=roots, spec=chosen, limits=self.limits) as engine:
            yield engine

    def upload(
        self,
        *roots: Path,
        spec: Spec | None = None,
        dry_run: bool = False,
        strict: bool = False,
        depth: Depth = Depth.HEADERS,
    ) -> Told:
        with self.engine(*roots, spec=spec) as engine:
            events = list(engine.run(dry_run=dry_run, strict=strict, depth=depth))
        last = events[-1]
        written = last.receipt if isinstance(last, RunFinished) else ""
        return Told(events, json.loads(Path(written).read_text("utf-8")) if written else {})

    # the server, asked directly

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.endpoint.token}", **more.pop("headers", {})}
        return requests.request(method, self.endpoint.url + path, headers=headers, timeout=30, **more)

    def rows(self, table: str = "nanoscience:File") -> list[dict[str, Any]]:
        answer = self.ask("GET", f"/ermrest/catalog/1/entity/{table}", headers={"Accept": "application/json"})
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found

    def put_row(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        """Somebody else's row."""
        answer = self.ask(
            "POST", f"/ermrest/catalog/1/entity/{table}?defaults=RID,RCT,RMT,RCB,RMB", json=[row]
        )
        answer.raise_for_status()
        inserted: dict[str, Any] = answer.json()[0]
        return inserted

    def edit(self, table: str, rid: str, **columns: Any) -> None:
        """Somebody else's edit."""
        names = ",".join(columns)
        path = f"/ermrest/catalog/1/attributegroup/{table}/RID;{names}"
        answer = self.ask("PUT", path, json=[{"RID": rid, **columns}])
        answer.raise_for_status()
        assert len(answer.json()) == 1

    def objects(self, below: str = "/hatrac") -> dict[str, list[str]]:
        """Object name -> its versions, newest first."""
        found: dict[str, list[str]] = {}
        for name in self._listed(below):
            versions = self.ask("GET", f"{name};versions")
            if versions.status_code == 200 and versions.json():
                found[name] = versions.json()
            elif versions.status_code != 409:
                found.update(self.objects(name))
        return found

    def jobs(self, below: str = "/hatrac") -> list[str]:
        """Every open upload job."""
        found: list[str] = []
        for name in self._listed(below):
            if self.ask("GET", f"{name};versions").status_code == 404:
                found += self.jobs(name)
                continue
            answer = self.ask("GET", f"{name};upload")
            found += answer.json() if answer.status_code == 200 else []
            found += self.jobs(name)
        return found

    def _listed(self, below: str) -> list[str]:
        answer = self.ask(
            "GET", below + ("/" if below == "/hatrac" else ""), headers={"Accept": "application/json"}
        )
        if answer.status_code != 200 or "json" not in answer.headers.get("Content-Type", ""):
            return []
        listed = answer.json()
        return list(listed) if isinstance(listed, list) else []

    def content(self, url: str) -> bytes:
        answer = self.ask("GET", url)
        answer.raise_for_status()
        return answer.content

    def end_state(self) -> dict[str, Any]:
        """All that must be the same however a run came about: rows, versions, bytes, jobs; without ids and times."""
        named = {row["RID"]: _name_of(row) for table in TABLES for row in self.rows(table)}
        rows = {
            table: sorted(
                (_timeless(row, named) for row in self.rows(table)),
                key=lambda row: json.dumps(row, sort_keys=True),
            )
            for table in TABLES
        }
        objects = self.objects()
        return {
            "rows": rows,
            "versions": {unquote(name): len(versions) for name, versions in sorted(objects.items())},
            "jobs": self.jobs(),
        }


TABLES = ("nanoscience:Project", "nanoscience:Sample", "nanoscience:Dataset", "nanoscience:File")


def _name_of(row: dict[str, Any]) -> str:
    return str(row.get("Name") or row.get("Path"))


def _timeless(row: dict[str, Any], named: dict[str, str]) -> dict[str, Any]:
    """The row with names in place of RIDs and without version ids."""
    out = {}
    for column, value in row.items():
        if column in _OF_THE_MOMENT:
            continue
        plain = value.rpartition(":")[0] if column in ("URL", "Preview_URL") and value else value
        out[column] = named.get(plain, plain) if isinstance(plain, str) else plain
    return out


def hurried(monkeypatch: pytest.MonkeyPatch, *, times: float = 50.0) -> None:
    """Let the engine's clock run faster: what it waits for comes so much sooner."""
    began_s = time.monotonic()

    def monotonic(_: bootstrap.SystemClock) -> float:
        return began_s + (time.monotonic() - began_s) * times

    def sleep(_: bootstrap.SystemClock, seconds: float) -> None:
        time.sleep(min(seconds / times, 0.05))

    monkeypatch.setattr(bootstrap.SystemClock, "monotonic", monotonic)
    monkeypatch.setattr(bootstrap.SystemClock, "sleep", sleep)


def layout(name: str) -> Spec:
    """A shipped spec."""
    return load(find(name))


def deriva_spec(document: dict[str, Any]) -> Spec:
    """A DERIVA bulk-upload document."""
    return load_document(document, "test")


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


def png(seed: int, size_px: int = 24) -> bytes:
    """A small picture that is like no other seed's."""
    import io

    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, (size_px, size_px), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


def session(folder: Path, names: Sequence[str] = ("area1_001.png", "area1_002.png", "notes.txt")) -> Path:
    """A dropped folder with one session in it."""
    files = {
        f"{SESSION}/{name}": png(number) if name.endswith(".png") else f"notes {name}\n".encode()
        for number, name in enumerate(names)
    }
    return fill(folder, files)
