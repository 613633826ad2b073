"""The survey: what lies there, what it is, what is wrong with it, and what a ferry would do. Sends nothing.

Four passes, cheap before dear: names, headers, checks, catalog. Each streams through the journal, so that memory
does not grow with the number of files.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from uploader.engine.documents import Documents
from uploader.engine.entries import Read, current_headers, read_again
from uploader.engine.plan import Plan, decide_files
from uploader.engine.task import DroppedRoot, Task
from uploader.model.entries import Found
from uploader.model.events import Event, FilePlanned, IssueFound, SurveyProgressed
from uploader.model.files import Action
from uploader.model.ports import Ports, Row
from uploader.stages.batches import batched
from uploader.stages.describe import describe
from uploader.stages.ignore import IgnoreRules
from uploader.stages.lookup import Lookups
from uploader.stages.match import find, held_by_policy
from uploader.stages.parents import Need, missing, resolve
from validation.check import (
    CheckedFile,
    DatasetFiles,
    Depth,
    Member,
    Members,
    check_dataset,
    check_file,
    check_member,
    check_target,
)
from validation.codes import issue
from validation.model import Issue
from validation.record import dataset_record
from validation.spec.model import Match, Spec, SpecForm
from validation.spec.render import marker_of, names

RECORD_BATCH = 1000
HEADER_BATCH = 64
CHECK_BATCH = 500
MOST_TOLD_APART = 1000
"""Files come ordered by dataset: what told apart the parents of long ago is not met again."""


@dataclass(slots=True)
class _Gathered:
    """What the passes learn about the whole, on its way into a Plan."""

    issues: list[Issue] = field(default_factory=list)
    needs: dict[str, Need] = field(default_factory=dict)
    documents: Documents = field(default_factory=Documents)
    parent_parts: tuple[str, ...] = ()
    """Names that the keys of parents are made of, as the path may capture them."""
    told_apart: set[tuple[str, ...]] = field(default_factory=set)
    """Rule, dataset and these parts of files whose parents are known."""
    files: int = 0
    unmatched: int = 0

    def note(self, task: Task, found: Issue) -> Event:
        """Keep a finding and tell of it."""
        self.issues.append(found)
        return task.event(IssueFound, issue=found)


def survey(task: Task, ports: Ports, *, show_all: bool) -> Generator[Event, None, Plan]:
    """Look at every root and return the plan; the decisions per file are in the journal.

    With `show_all` every file is announced as planned, otherwise only those that need something.
    """
    gathered = _gathered_for(task.spec)
    for root in task.roots:
        if not task.choice.has(root.root):
            continue
        yield from _names(task, root, ports, gathered)
        if task.depth is not Depth.NAMES and not task.stopped():
            yield from _headers(task, root, ports, gathered)
        if not task.stopped():
            yield from _checks(task, root, ports, gathered)
    if task.stopped():
        # Half a survey knows neither what is missing nor what a dataset holds: nothing is decided by it.
        return Plan(issues=tuple(gathered.issues))
    parent_rows = yield from _catalog(task, ports, gathered)
    lookups = Lookups(ports.catalog)
    plan = Plan(gathered.needs, parent_rows, gathered.documents, tuple(gathered.issues), lookups)
    for root in task.roots:
        yield from _decisions(task, root, plan, ports, show_all=show_all)
    return plan


def _gathered_for(spec: Spec) -> _Gathered:
    templates = [one for rule in spec.records for one in rule.key.values() if not marker_of(one)]
    # `technique.catalog` is a property of the captured term; any other name that no path captures, a header's or
    # a computed one, makes every file be looked at.
    parts = {name.partition(".")[0] for name in frozenset[str]().union(*map(names, templates))}
    return _Gathered(parent_parts=tuple(sorted(parts - {"dataset"})))


def _names(task: Task, root: DroppedRoot, ports: Ports, gathered: _Gathered) -> Iterator[Event]:
    """First pass: scan and match, into the journal."""
    takes = partial(task.choice.takes, root.root)
    found_here = find(root.root, task.spec, root.matcher, IgnoreRules(), root.sidecars, takes)
    for batch in batched(found_here, RECORD_BATCH):
        found = [item for item in batch if isinstance(item, Found)]
        ports.journal.record(task.run, task.target, root.root_id, found)
        for item in batch:
            if isinstance(item, Issue):
                yield gathered.note(task, item)
        gathered.files += len(found)
        gathered.unmatched += sum(1 for one in found if not one.rule)
        yield _progress(task, "scan", gathered.files, gathered.files, found[-1].source.path if found else "")
        if task.stopped():
            return
    for held in held_by_policy(task.spec, gathered.unmatched):
        yield gathered.note(task, held)


def _headers(task: Task, root: DroppedRoot, ports: Ports, gathered: _Gathered) -> Iterator[Event]:
    """Second pass: read the headers that no earlier run has read."""
    done = 0
    entries = ports.journal.entries(task.run, task.target, root.root_id)
    for batch in batched((entry for entry in entries if entry.rule), HEADER_BATCH):
        cached = current_headers(ports, (entry.source for entry in batch))
        unread = [entry for entry in batch if entry.source.identity not in cached]
        if unread:
            headers = ports.extractor.headers(root.root.path / entry.source.path for entry in unread)
            ports.journal.save_headers(
                {entry.source.identity: header for entry, header in zip(unread, headers, strict=True)}
            )
        done += len(batch)
        yield _progress(task, "headers", gathered.files, done, batch[-1].source.path)
        if task.stopped():
            return


def _checks(task: Task, root: DroppedRoot, ports: Ports, gathered: _Gathered) -> Iterator[Event]:
    """Third pass: check every file, and every dataset once its files have been seen."""
    dataset: DatasetFiles | None = None
    now = datetime.fromisoformat(task.clock.now())
    entries = ports.journal.entries(task.run, task.target, root.root_id, by_dataset=True)
    done = 0
    for batch in batched(entries, CHECK_BATCH):
        findings: list[tuple[int, tuple[Issue, ...]]] = []
        for read in read_again(root, ports, batch):
            rule = task.spec.rule(read.match.rule) if isinstance(read.match, Match) else None
            found = check_file(
                CheckedFile(
                    read.entry.source.path,
                    read.entry.source.size_bytes,
                    read.entry.source.mtime_ns,
                    read.match,
                    rule,
                    read.header,
                    read.typed,
                ),
                task.spec,
                task.depth,
                now,
            )
            if isinstance(read.match, Match):
                _gather_needs(task, root, read, read.match, gathered)
                if dataset is None or dataset.name != read.match.dataset:
                    if dataset is not None:
                        yield from _close_dataset(task, dataset, gathered)
                    dataset = _dataset_of(task, read, read.match)
                found += _joined(task, dataset, read, read.match)
            if found:
                findings.append((read.entry.entry_id, found))
        ports.journal.add_issues(findings)
        done += len(batch)
        yield _progress(task, "checks", gathered.files, done, batch[-1].source.path)
    if dataset is not None:
        yield from _close_dataset(task, dataset, gathered)


def _gather_needs(task: Task, root: DroppedRoot, read: Read, match: Match, gathered: _Gathered) -> None:
    # Most files of a folder need the same parents: only what tells parents apart is looked at for each.
    parts = [match.captures.get(name) for name in gathered.parent_parts]
    told_apart = (match.rule, match.dataset, *(part for part in parts if part is not None))
    if not task.spec.records or told_apart in gathered.told_apart:
        return
    if None not in parts:
        if len(gathered.told_apart) >= MOST_TOLD_APART:
            gathered.told_apart.clear()
        gathered.told_apart.add(told_apart)
    candidate = describe(read.entry, root.root, task.spec, match, read.header, record={}, digest=None)
    for need in candidate.parents:
        gathered.needs.setdefault(need.key, need)


def _dataset_of(task: Task, read: Read, match: Match) -> DatasetFiles:
    """The dataset that begins with this file."""
    return DatasetFiles(
        match.dataset, _folder_of(read.entry.source.path, match.path), Members(task.spec), read.typed
    )


def _joined(task: Task, dataset: DatasetFiles, read: Read, match: Match) -> tuple[Issue, ...]:
    """Take one more file into its dataset; what is wrong with it beside those before it."""
    if not match.dataset:
        return ()
    source = read.entry.source
    # The values of a template hold its captures already.
    captures = (
        match.values if match.captures.keys() <= match.values.keys() else {**match.captures, **match.values}
    )
    if read.header is not None:
        dataset.headers_seen.add(read.header)
    member = Member(
        source.path, match.rule, match.role, match.set_key, source.size_bytes, captures, match.path
    )
    return check_member(dataset, member, task.spec)


def _folder_of(path: str, object_path: str) -> str:
    """The dataset's folder relative to the root; empty when the root lies in or at it."""
    return path[: -len(object_path)].rstrip("/") if path.endswith(object_path) else ""


def _close_dataset(task: Task, dataset: DatasetFiles, gathered: _Gathered) -> Iterator[Event]:
    """Check a dataset as a whole and make its document."""
    if not dataset.name:
        return
    for found in check_dataset(dataset, task.spec, task.depth):
        yield gathered.note(task, found)
    if task.spec.form is SpecForm.NANOFERRY:
        record = dataset_record(
            name=dataset.name,
            typed=dataset.typed,
            members=dataset.members,
            headers=dataset.headers_seen,
            spec=task.spec,
        )
        gathered.documents.put(dataset.name, record.document)


def _catalog(task: Task, ports: Ports, gathered: _Gathered) -> Generator[Event, None, dict[str, Row]]:
    """Ask the catalog about the spec's target and the parents, or say that nobody was asked."""
    if task.offline:
        not_run = issue("catalog.not_checked", "no catalog was asked", origin="survey")
        yield gathered.note(task, not_run)
        return {}
    yield _progress(task, "catalog", gathered.files, 0, "")
    for found in check_target(task.spec, ports.catalog.facts()):
        yield gathered.note(task, found)
    if any(found.holds and found.code.startswith("catalog.") for found in gathered.issues):
        # A table or column that does not exist cannot be asked for rows either.
        return {}
    rows = resolve(ports.catalog, task.spec, gathered.needs)
    for found in missing(gathered.needs, rows):
        yield gathered.note(task, found)
    return rows


def _decisions(task: Task, root: DroppedRoot, plan: Plan, ports: Ports, *, show_all: bool) -> Iterator[Event]:
    """Last pass: decide, with the catalog's rows beside the journal's memory."""
    for decisions in decide_files(task, root, plan, ports):
        for entry, decision in decisions:
            if show_all or decision.action is not Action.SAME:
                yield task.event(
                    FilePlanned,
                    path=entry.source.path,
                    action=decision.action.value,
                    size_bytes=entry.source.size_bytes,
                    rule=entry.rule,
                    dataset=entry.dataset,
                    issues=decision.issues,
                    root=str(root.root.path),
                )
        if task.stopped():
            return


def _progress(task: Task, stage: str, found: int, done: int, path: str) -> Event:
    return task.event(SurveyProgressed, stage=stage, files_found=found, files_done=done, path=path)
