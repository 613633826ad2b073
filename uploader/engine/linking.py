"""Links rows of files to rows of other files of their dataset (`@file:PATH`), once both are there.

A label slice may be registered before the picture it was drawn on; so links are made when all rows of the run are,
and a link whose other end is still missing is made by a later run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from uploader.engine.entries import described
from uploader.engine.founding import Parents
from uploader.engine.task import DroppedRoot, Task
from uploader.model.files import Outcome
from uploader.model.ports import Ports, Row
from uploader.stages.batches import batched
from uploader.stages.describe import Candidate
from validation.spec.model import ByKey, Rule
from validation.spec.render import SIBLING, marker_of, render

BATCH = 200
REGISTERED = frozenset({Outcome.NEW, Outcome.UPDATED, Outcome.SAME})


@dataclass(frozen=True, slots=True)
class _Link:
    """A column that should hold the RID of the file with `path` in the same dataset."""

    candidate: Candidate
    column: str
    path: str


def link_files(task: Task, root: DroppedRoot, ports: Ports, parents: Parents) -> None:
    """Fill the empty links of a root's registered files, where the other file is registered too.

    Costs nothing under a spec without such columns. A link that somebody has set is left alone.
    """
    linking = {rule.id for rule in task.spec.rules if _columns(rule)}
    if not linking:
        return
    entries = ports.journal.entries(task.run, task.target, root.root_id, by_dataset=True)
    wanted = (entry for entry in entries if entry.rule in linking and entry.outcome in REGISTERED)
    for batch in batched(wanted, BATCH):
        links = [
            link
            for _, candidate in described(task, root, ports, batch)
            if candidate is not None
            for link in _links(candidate)
        ]
        for (table, parent_column, path_column, rid), members in _by_dataset(links, parents).items():
            columns = [path_column, *{link.column for link in members}]
            paths = {link.path for link in members} | {_path(link.candidate, path_column) for link in members}
            rows = ports.catalog.rows_by_key(
                table, path_column, sorted(paths), where={parent_column: rid}, columns=["RID", *columns]
            )
            _fill(ports, table, members, {str(row[path_column]): row for row in rows}, path_column)


def _columns(rule: Rule) -> dict[str, str]:
    """Column -> template of the other file's path."""
    return {
        column: marker_of(template).removeprefix(SIBLING)
        for column, template in rule.columns.items()
        if marker_of(template).startswith(SIBLING)
    }


def _links(candidate: Candidate) -> Iterator[_Link]:
    for column, template in _columns(candidate.rule).items():
        path = render(template, candidate.values)
        if path:
            yield _Link(candidate, column, path)


def _by_dataset(links: Sequence[_Link], parents: Parents) -> dict[tuple[str, str, str, str], list[_Link]]:
    """(Table, parent column, path column, parent's RID) -> links within that dataset."""
    groups: dict[tuple[str, str, str, str], list[_Link]] = {}
    for link in links:
        identity = link.candidate.rule.identity
        if not isinstance(identity, ByKey):
            continue
        parent = next((name for name, value in identity.columns.items() if marker_of(value)), "")
        path = next((name for name, value in identity.columns.items() if not marker_of(value)), "")
        rid = parents.rids(link.candidate.parents).get(marker_of(identity.columns.get(parent, "")), "")
        if parent and path and rid:
            groups.setdefault((link.candidate.table, parent, path, rid), []).append(link)
    return groups


def _path(candidate: Candidate, path_column: str) -> str:
    identity = candidate.rule.identity
    template = identity.columns[path_column] if isinstance(identity, ByKey) else ""
    return render(template, candidate.values) or ""


def _fill(
    ports: Ports, table: str, links: Sequence[_Link], rows: Mapping[str, Row], path_column: str
) -> None:
    updates: dict[str, list[Row]] = {}
    for link in links:
        own, other = rows.get(_path(link.candidate, path_column)), rows.get(link.path)
        if own is not None and other is not None and own.get(link.column) is None:
            updates.setdefault(link.column, []).append({"RID": own["RID"], link.column: other["RID"]})
    for column, changed in updates.items():
        ports.catalog.update(table, changed, by=("RID",), columns=(column,))
