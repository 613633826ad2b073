"""The metadata document of a dataset against the schema, at the level that the spec asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from validation.codes import issue
from validation.model import Issue
from validation.record import dataset_record
from validation.schema import LEVELS, check_document
from validation.spec.model import Spec
from validation.subjects import DatasetFiles


def document_at_level(dataset: DatasetFiles, spec: Spec) -> Iterator[Issue]:
    """A finding for each value that is missing or wrong, with the sidecar that gave a wrong one."""
    level = spec.level
    if level not in LEVELS:
        level = LEVELS[0]
        yield issue(
            "metadata.level",
            f"the spec asks for level {spec.level!r}, which does not exist; checked at {level}",
            path=dataset.folder,
            group=dataset.group,
            remedy=f"Write one of {', '.join(LEVELS)} as `level` in the spec.",
            origin="document_at_level",
        )
    record = dataset_record(
        name=dataset.name,
        typed=dataset.typed,
        members=dataset.members,
        headers=dataset.headers_seen,
        spec=spec,
    )
    for found in check_document(record.document, level):
        source = _source(record.provenance, found.location.field)
        wrong = found.code != "metadata.missing" and source
        yield replace(
            found,
            message=f"{found.message} (from {source})" if wrong else found.message,
            group=dataset.group,
            location=replace(found.location, path=dataset.folder),
        )


def one_instrument(dataset: DatasetFiles, _spec: Spec) -> Iterator[Issue]:
    """A finding when the headers of one dataset name several instruments: a measurement has exactly one."""
    for field_id in ("instrument_serial", "instrument_model"):
        seen = dataset.headers_seen.fields.get(field_id)
        if seen is not None and len(seen.counts) > 1:
            named = ", ".join(repr(value) for value in list(seen.counts)[:5])
            yield issue(
                "metadata.invalid",
                f"the headers name {len(seen.counts)} instruments ({field_id}: {named}); "
                "a measurement has exactly one",
                path=dataset.folder,
                field=field_id,
                group=dataset.group,
                remedy="Put the files of each instrument into a dataset of their own.",
                origin="one_instrument",
            )
            return


def _source(provenance: Mapping[str, str], place: str) -> str:
    """Where the value at a JSON pointer, or what holds it, came from."""
    while place:
        if found := provenance.get(place):
            return found
        place = place.rpartition("/")[0]
    return ""
