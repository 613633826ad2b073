"""No two files of a dataset may claim the same record or object."""

from __future__ import annotations

from collections.abc import Iterator

from validation.codes import issue
from validation.model import Issue
from validation.spec.model import Spec
from validation.subjects import DatasetFiles


def one_file_per_target(dataset: DatasetFiles, _spec: Spec) -> Iterator[Issue]:
    """A finding for the second and every later file that has the object path of an earlier one."""
    first: dict[str, str] = {}
    for member in dataset.members:
        if not member.object_path:
            continue
        holder = first.setdefault(member.object_path, member.path)
        if holder != member.path:
            yield issue(
                "group.duplicate_target",
                f"{holder!r} already claims {member.object_path!r} in dataset {dataset.name!r}",
                path=member.path,
                group=dataset.group,
                origin="one_file_per_target",
            )
