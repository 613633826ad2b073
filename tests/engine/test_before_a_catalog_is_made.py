"""A new embedded catalog: who only looks must not make it, and sees what it would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from uploader.bootstrap import Settings, connect, open_engine
from uploader.embedded.lifecycle import stop
from uploader.model.events import FilePlanned, RunFinished
from validation.check import Depth
from validation.spec.load import find, load


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings("", "1", tmp_path / "state", tmp_path / "state" / "catalog")


@pytest.fixture
def session(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "Perov" / "S-017" / "2026-03-05_kim_SEM"
    folder.mkdir(parents=True)
    (folder / "area_001.tif").write_bytes(b"not really a picture")
    return tmp_path / "data"


def tables(settings: Settings) -> list[str]:
    with connect(settings) as remote:
        return [name for name in remote.catalog.facts().tables if name.startswith("nanoscience:")]


def test_a_dry_run_plans_against_the_model_and_does_not_make_it(settings: Settings, session: Path) -> None:
    spec = load(find("em-session"))
    try:
        with open_engine(settings, roots=[session], spec=spec, sends=False) as engine:
            events = list(engine.run(dry_run=True, strict=False, depth=Depth.HEADERS))
        assert [event.action for event in events if isinstance(event, FilePlanned)] == ["new"]
        assert tables(settings) == []

        with open_engine(settings, roots=[session], spec=spec) as engine:
            last = list(engine.run(dry_run=False, strict=False, depth=Depth.HEADERS))[-1]
        assert isinstance(last, RunFinished)
        assert last.outcomes == {"new": 1}
        assert "nanoscience:File" in tables(settings)
    finally:
        stop(settings.embedded_dir)


def test_a_spec_that_does_not_fit_the_model_is_told_before_it_is_made(
    settings: Settings, session: Path, tmp_path: Path
) -> None:
    text = find("em-session").read_text("utf-8")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("Technique: ", "Tecnique: "), "utf-8")
    try:
        with open_engine(settings, roots=[session], spec=load(wrong), sends=False) as engine:
            list(engine.survey(Depth.NAMES))
            codes = {issue.code for issue in engine.report().issues if issue.holds}
        assert codes == {"catalog.column_missing"}
    finally:
        stop(settings.embedded_dir)
