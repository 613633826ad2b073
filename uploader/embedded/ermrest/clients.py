"""Keeps public:ERMrest_Client: who wrote rows, so that RCB and RMB can refer to somebody."""

from __future__ import annotations

from uploader.embedded.ermrest.bodies import Rows
from uploader.embedded.ermrest.constraints import rows_with
from uploader.embedded.ermrest.database import Writing
from uploader.embedded.ermrest.inserting import InsertOptions, insert

_COLUMNS = ("ID", "Display_Name")


def remember(writing: Writing) -> None:
    """Adds the client who writes, unless it is known (or the catalog has done away with the table)."""
    client = writing.client
    public = writing.model.schemas.get("public")
    table = None if public is None else public.tables.get("ERMrest_Client")
    if client is None or table is None or any(table.find(name) is None for name in _COLUMNS):
        return
    key = table.column("ID")
    if next(rows_with(writing.session, table, [key], [(client.id,)], ["rowid"]), None) is None:
        insert(
            writing, table, Rows([{"ID": client.id, "Display_Name": client.display_name}]), InsertOptions()
        )
