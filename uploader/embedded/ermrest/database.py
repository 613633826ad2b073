"""One catalog in one SQLite file: its model, its counters, concurrent readers and a single writer."""

from __future__ import annotations

import datetime as dt
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from uploader.embedded.ermrest import keeping, moments, rids
from uploader.embedded.ermrest.model import Model
from uploader.embedded.ermrest.session import Session
from uploader.embedded.identity import Client

_FORMAT = 1
_FIRST_RID = 16
_HIGHEST_ID = 1 << 60
_META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"


class CatalogTooNew(Exception):
    """The file was written by a newer Nanoferry; it was left as it is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A consistent view of the catalog while it is read."""

    session: Session
    model: Model
    changed: str
    """When rows or model last changed (UTC, as ETags carry it)."""
    model_changed: str


class Writing:
    """The one change in progress; rows and model change together or not at all."""

    def __init__(
        self,
        session: Session,
        model: Model,
        client: Client | None,
        last: str,
        ids: int,
        model_changed: str,
    ) -> None:
        self.session = session
        self.model = model
        self.client = client
        self.last_id = ids
        self.previous_model = model_changed
        """When the model had changed before."""
        self.previous = last
        """When the catalog had changed before."""
        now = dt.datetime.now(dt.UTC)
        self.now = max(now, dt.datetime.fromisoformat(last) + dt.timedelta(microseconds=1))

    @property
    def changed(self) -> str:
        """The time of the change as ETags carry it."""
        return stamp(self.now)

    @property
    def now_text(self) -> str:
        """The time of the change as timestamptz columns hold it."""
        return moments.utc_text(self.now)

    @property
    def author(self) -> str | None:
        """What RCB and RMB hold."""
        return None if self.client is None else self.client.id

    def next_rid(self) -> str:
        """A record id that was never given before."""
        self.last_id += 1
        return rids.encode(self.last_id)

    def skip_rid(self, rid: str) -> None:
        """Gives out no id up to this one any more, if it is of our form."""
        with suppress(ValueError):
            number = rids.decode(rid)
            if number < _HIGHEST_ID:
                self.last_id = max(self.last_id, number)

    def next_number(self) -> int:
        """A number that was never given before, for identifiers in SQLite."""
        self.last_id += 1
        return self.last_id


class CatalogDatabase:
    """Opens (or makes) the file of a catalog and hands out readings and writings; safe for many threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._write_lock = threading.Lock()
        self._writer = Session(path, writes=True)
        self._idle: queue.SimpleQueue[Session] = queue.SimpleQueue()
        self._writer.run(_META)
        meta = self._meta(self._writer)
        if int(meta.get("format", _FORMAT)) > _FORMAT:
            self._writer.close()
            raise CatalogTooNew(f"{path} was written by a newer version; it was not touched.")
        if "model" not in meta:
            now = stamp(dt.datetime.now(dt.UTC))
            self._store(format=str(_FORMAT), model="{}", changed=now, model_changed=now, ids=str(_FIRST_RID))
            meta = self._meta(self._writer)
        model = keeping.model_from_json(json.loads(meta["model"]))
        self._known: tuple[str, Model] = (meta["model_changed"], model)

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """A view of one moment; the writer goes on meanwhile."""
        session = self._reader()
        try:
            session.run("BEGIN")
            meta = self._meta(session, "changed", "model_changed")
            model = self._model_of(session, meta["model_changed"])
            yield Reading(session, model, meta["changed"], meta["model_changed"])
        finally:
            session.run("ROLLBACK")
            self._idle.put(session)

    @contextmanager
    def write(self, client: Client | None) -> Iterator[Writing]:
        """One atomic change; it is on the disk when the block has ended without an exception."""
        with self._write_lock:
            session = self._writer
            session.run("BEGIN IMMEDIATE")
            try:
                meta = self._meta(session, "changed", "ids")
                model_changed, before = self._known
                writing = Writing(session, before, client, meta["changed"], int(meta["ids"]), model_changed)
                yield writing
                changes = {"changed": writing.changed, "ids": str(writing.last_id)}
                if writing.model is not before:
                    changes["model"] = json.dumps(keeping.model_to_json(writing.model))
                    changes["model_changed"] = changes["changed"]
                self._store(**changes)
                session.run("COMMIT")
            except BaseException:
                # A statement that failed for want of space may have rolled back already.
                with suppress(Exception):
                    session.run("ROLLBACK")
                raise
            if writing.model is not before:
                self._known = (changes["model_changed"], writing.model)

    def close(self) -> None:
        """Closes every connection; the file is then whole by itself."""
        with self._write_lock:
            while not self._idle.empty():
                self._idle.get().close()
            self._writer.close()

    def _reader(self) -> Session:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return Session(self._path, writes=False)

    def _model_of(self, session: Session, changed: str) -> Model:
        """The model as this reading sees it, which may be older or newer than the latest one."""
        known_changed, model = self._known
        if known_changed == changed:
            return model
        return keeping.model_from_json(json.loads(self._meta(session, "model")["model"]))

    @staticmethod
    def _meta(session: Session, *names: str) -> dict[str, str]:
        if not names:
            return {name: value for name, value in session.rows("SELECT name, value FROM meta")}  # noqa: C416
        marks = ",".join("?" * len(names))
        rows = session.rows(f"SELECT name, value FROM meta WHERE name IN ({marks})", names)  # noqa: S608
        return dict(rows)

    def _store(self, **values: str) -> None:
        self._writer.run_many(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            list(values.items()),
        )


def stamp(moment: dt.datetime) -> str:
    """A time as ETags carry it: `2026-11-20 22:25:31.405008+00:00`."""
    return moment.isoformat(sep=" ", timespec="microseconds")
