"""No two files of a dataset may claim the same record or object."""

from __future__ import annotations

from collections.abc import Iterator

from validation.codes import issue
from validation.model import Issue
from validation.subjects import DatasetFiles, Member


def one_file_per_target(dataset: DatasetFiles, member: Member, holder: str) -> Iterator[Issue]:
    """A finding when an earlier file, the `holder`, has the member's object path; empty: none has."""
    if holder:
        yield issue(
            "group.duplicate_target",
            f"{holder!r} already claims {member.object_path!r} in dataset {dataset.name!r}",
            path=member.path,
            group=dataset.group,
            origin="one_file_per_target",
        )
