"""All catalogs of a server: one SQLite file each, in one folder."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from uploader.embedded.ermrest import acl, growing
from uploader.embedded.ermrest.database import CatalogDatabase
from uploader.embedded.ermrest.errors import conflict, damaged, malformed, not_found
from uploader.embedded.identity import Client

_CATALOG_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_CLIENT_COLUMNS = (("ID", False), ("Display_Name", True), ("Full_Name", True), ("Email", True))
_GROUP_COLUMNS = (("ID", False), ("URL", True), ("Display_Name", True), ("Description", True))


class CatalogStore:
    """Makes, opens and finds catalogs; safe for many threads of one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: dict[str, CatalogDatabase] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def ids(self) -> list[str]:
        """The ids of all catalogs, in order."""
        return sorted(
            (path.stem for path in self._folder.glob("*.sqlite")), key=lambda name: (len(name), name)
        )

    def get(self, catalog_id: str) -> CatalogDatabase:
        """The catalog of that id; raises Refusal (404)."""
        with self._lock:
            if catalog_id not in self._open:
                path = self._folder / f"{catalog_id}.sqlite"
                if not _CATALOG_ID.fullmatch(catalog_id) or not path.is_file():
                    raise not_found(f"catalog {catalog_id}")
                try:
                    self._open[catalog_id] = CatalogDatabase(path)
                except sqlite3.DatabaseError as error:
                    raise damaged() from error
            return self._open[catalog_id]

    def create(
        self,
        creator: Client,
        *,
        catalog_id: str | None = None,
        acls: Mapping[str, Sequence[str]] | None = None,
        annotations: Mapping[str, Any] | None = None,
    ) -> str:
        """A new catalog that its creator owns, and its id; raises Refusal (400, 409)."""
        given = {right: tuple(members) for right, members in (acls or {}).items()}
        acl.from_document({right: list(members) for right, members in given.items()})
        with self._lock:
            known = self.ids()
            if catalog_id is None:
                catalog_id = str(max((int(name) for name in known if name.isdecimal()), default=0) + 1)
            elif not _CATALOG_ID.fullmatch(catalog_id):
                raise malformed(f"Catalog id {catalog_id!r} is not a short name of letters and digits.")
            elif catalog_id in known:
                raise conflict(f"Catalog {catalog_id} already exists.")
            # Made under another name, so that a kill in between leaves no half catalog.
            draft = self._folder / f"{catalog_id}.new"
            for leftover in self._folder.glob(f"{catalog_id}.new*"):
                leftover.unlink()
            database = CatalogDatabase(draft)
            with database.write(creator) as writing:
                owners = tuple(dict.fromkeys((creator.id, *given.get("owner", ()))))
                writing.model = replace(
                    writing.model, acls={**given, "owner": owners}, annotations=dict(annotations or {})
                )
                growing.add_all(writing, [_public_schema()])
            database.close()
            draft.rename(self._folder / f"{catalog_id}.sqlite")
            return catalog_id

    def close(self) -> None:
        """Closes every catalog that was opened."""
        with self._lock:
            for database in self._open.values():
                database.close()
            self._open.clear()


def _public_schema() -> dict[str, Any]:
    """What every ERMrest catalog begins with: who wrote rows, and leases of record ids."""
    return {
        "schema_name": "public",
        "comment": "standard public schema",
        "tables": {
            "ERMrest_Client": _table(_CLIENT_COLUMNS, "Clients that wrote to the catalog."),
            "ERMrest_Group": _table(_GROUP_COLUMNS, "Groups that access lists name."),
            "ERMrest_RID_Lease": _table((("ID", False),), "Record ids reserved by a client."),
        },
    }


def _table(columns: Sequence[tuple[str, bool]], comment: str) -> dict[str, Any]:
    return {
        "comment": comment,
        "column_definitions": [
            {"name": name, "type": {"typename": "text"}, "nullok": nullok} for name, nullok in columns
        ],
        "keys": [{"unique_columns": ["ID"]}],
    }
