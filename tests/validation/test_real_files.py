"""The checks on real instrument files: no false alarm, and documents that keep to the schema."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from validation.check import HeaderSummary, Member, Members
from validation.examine import examine
from validation.instruments import read_header
from validation.record import dataset_record
from validation.schema import check_document
from validation.sidecar import Typed
from validation.spec.model import Spec

pytestmark = pytest.mark.samples


def test_real_files_give_no_error_and_hardly_a_warning(samples_dir: Path) -> None:
    report = examine([samples_dir / "files"], now=datetime.now(UTC))
    assert not report.holds
    assert "check.crashed" not in {found.code for found in report.issues}
    judged = [found for found in report.issues if found.code in {"header.out_of_range", "header.future"}]
    # A navigation camera writes a nonsensical working distance; nothing else stands out.
    assert {found.location.path for found in judged} <= {"sem_tiff/FEI-Helios-navcam.tif"}


def test_documents_made_of_real_headers_miss_values_but_break_no_rule(
    samples_dir: Path, make_spec: Callable[..., Spec]
) -> None:
    for path in sorted((samples_dir / "files" / "sem_tiff").iterdir()):
        summary = HeaderSummary()
        summary.add(read_header(path))
        spec = make_spec(level="nffa-core")
        record = dataset_record(
            name=path.stem,
            typed=Typed(),
            members=Members(spec, [Member(path.name, "frames")]),
            headers=summary,
            spec=spec,
        )
        found = check_document(record.document, "nffa-core")
        assert {one.code for one in found} <= {"metadata.missing"}, (path.name, found)
