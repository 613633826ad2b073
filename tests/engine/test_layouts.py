"""The shipped layouts of two instruments from end to end: TIA series with companions, FIB-SEM volumes with labels."""

from __future__ import annotations

from pathlib import Path

from ferry_world import World, fill, layout, png

DAY = "TEAM_I/Ercius/2011/20111013 - PbSe with ligands"
VOLUME = "NFFA-9/resin/volume_001"


def test_team1_series_travel_with_their_emi(world: World, data: Path) -> None:
    name = "16.20.55 Scanning Acquire_0026"
    fill(
        data / DAY,
        {f"{name}_1.ser": b"series one", f"{name}_2.ser": b"series two", f"{name}.emi": b"settings"},
    )
    told = world.upload(data, spec=layout("team1-stem"))
    assert told.outcomes == {"new": 3}
    rows = {row["Path"]: row for row in world.rows()}
    assert {row["Companion_Set"] for row in rows.values()} != {None}
    assert len({row["Companion_Set"] for row in rows.values()}) == 1
    assert rows[f"{name}.emi"]["Role"] == "companion"
    assert rows[f"{name}_1.ser"]["Operator"] == "Ercius"
    assert rows[f"{name}_1.ser"]["Title"] == "PbSe with ligands"
    assert rows[f"{name}_1.ser"]["URL"].startswith("/hatrac/team1/Ercius/")
    assert world.upload(data, spec=layout("team1-stem")).outcomes == {"same": 3}


def test_fibsem_labels_know_their_slices(world: World, data: Path) -> None:
    slices = {f"{VOLUME}/slices/s_{number:04}.png": png(number) for number in range(3)}
    labels = {f"{VOLUME}/labels/round_{turn}/s_0001.png": png(50 + turn) for turn in (1, 2)}
    fill(data, {**slices, **labels, f"{VOLUME}/recipe.txt": b"30 kV"})
    told = world.upload(data, spec=layout("fibsem-volume"))
    assert told.outcomes == {"new": 6}
    rows = {row["Path"]: row for row in world.rows()}
    label = rows["labels/round_2/s_0001.png"]
    assert (label["Role"], label["Annotation_Round"]) == ("label", 2)
    assert label["Derived_From"] in (rows["slices/s_0001.png"]["RID"], "slices/s_0001.png")
    (dataset,) = world.rows("nanoscience:Dataset")
    assert dataset["Technique"] == "FIB-SEM"
    assert world.upload(data, spec=layout("fibsem-volume")).outcomes == {"same": 6}
