"""A folder of real instrument files uploads, and its rows carry what independent readers found in the headers."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from ferry_world import World

from uploader.model.files import Outcome
from validation.spec.load import load_text
from validation.specset import data_dir

pytestmark = [pytest.mark.samples, pytest.mark.timeout(300)]

SPEC = """
nanoferry: 1
id: real-files
version: 1.0.0
anchor: anywhere
level: capture
records:
  - {name: Dataset, table: [nanoscience, Dataset], key: {Name: "{dataset}"}, columns: {Metadata: "@record"}}
rules:
  - id: any
    path: "real/{format}/{name}"
    dataset: "real {format}"
    object: "/hatrac/real/{format}/{path}"
    preview: true
"""

READ_BY_THE_FIRST_READERS = ("TIFF (FEI", "TIFF (Zeiss CZ_SEM")


def columns() -> dict[str, str]:
    """Field id -> column."""
    fields = yaml.safe_load((data_dir() / "fields.yaml").read_text("utf-8"))["fields"]
    return {name: field["column"] for name, field in fields.items() if "column" in field}


def agrees(expected: Any, found: Any) -> bool:
    """As the samples' own description compares: numbers at 0.2 %, words without case, containment is enough."""
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(agrees, expected, found))
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return found == pytest.approx(expected, rel=0.002, abs=1e-12)
    one, other = str(expected).casefold(), str(found).casefold()
    return bool(found) and (one in other or other in one)


def test_real_files_arrive_with_what_their_headers_say(
    world: World, data: Path, samples_dir: Path, samples_expected: dict[str, Any]
) -> None:
    shutil.copytree(samples_dir / "files", data / "real")
    told = world.upload(data, spec=load_text(SPEC, "test"))
    assert told.outcomes.keys() <= {Outcome.NEW, Outcome.UNMATCHED}, [
        (path, result.issues, result.error)
        for path, result in told.results.items()
        if result.outcome not in (Outcome.NEW, Outcome.UNMATCHED)
    ]
    datasets = {row["RID"]: row["Name"].removeprefix("real ") for row in world.rows("nanoscience:Dataset")}
    rows = {f"{datasets[row['Dataset']]}/{row['Path'].rpartition('/')[2]}": row for row in world.rows()}
    assert len(rows) == told.outcomes["new"] > 80
    compared, differing = 0, []
    for path, expected in samples_expected.items():
        row = rows.get(path)
        if row is None:
            continue
        assert row["SHA256"] == hashlib.sha256((samples_dir / "files" / path).read_bytes()).hexdigest()
        if not expected["format"].startswith(READ_BY_THE_FIRST_READERS):
            continue
        for field, column in columns().items():
            known = expected["fields"].get(field, {})
            if known.get("n_independent", 0) < 2:
                continue
            compared += 1
            if not agrees(known["value"], row[column]):
                differing.append((path, column, known["value"], row[column]))
    assert differing == []
    assert compared > 40
    assert world.upload(data, spec=load_text(SPEC, "test")).outcomes["same"] == len(rows)
