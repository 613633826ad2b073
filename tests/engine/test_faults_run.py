"""Runs over a line and before a server that fail by a seeded plan: nothing lost, nothing doubled."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_proxy import Fault, FaultPlan, FaultProxy, Kind
from ferry_world import SESSION, SMALL_WIRE, Told, World, fill, hurried, session

from uploader.engine import run
from uploader.engine.limits import Limits

NAMES = [*(f"area1_{number:03}.png" for number in range(1, 7)), "notes.txt"]
SPECTRUM = f"{SESSION}/spectrum.csv"

TROUBLE = (
    Kind.CUT_BEFORE,
    Kind.CUT_BODY,
    Kind.CUT_AFTER,
    Kind.CUT_REPLY,
    Kind.CLOSE_IDLE,
    Kind.ABORTED,
    Kind.SLOW_DOWN,
    Kind.BUSY,
    Kind.GATEWAY,
)


@pytest.fixture
def line(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy before the world's server, which holds the model already; waits are short."""
    monkeypatch.setattr(run, "Wire", SMALL_WIRE)
    hurried(monkeypatch)
    world.limits = Limits(patience_s=60)
    empty = world.home / "empty"
    empty.mkdir()
    world.upload(empty)
    monkeypatch.setenv("NANOFERRY_TOKEN", world.endpoint.token)
    with FaultProxy(world.endpoint.url, FaultPlan([])) as proxy:
        world.server = proxy.url
        yield proxy


@pytest.fixture
def dropped(data: Path) -> Path:
    session(data, NAMES)
    return fill(data, {SPECTRUM: random.Random(7).randbytes(18_000)})


def assert_everything_once(world: World, data: Path) -> None:
    """Every file has one row and one object version with the right bytes; nothing else is there."""
    rows = {row["Path"]: row for row in world.rows()}
    files = {path.name: path.read_bytes() for path in (data / SESSION).iterdir()}
    assert len(world.rows()) == len(files)
    for name, body in files.items():
        assert rows[name]["MD5"] == hashlib.md5(body).hexdigest()
        assert world.content(rows[name]["URL"]) == body
        assert bool(rows[name]["Preview_URL"]) == name.endswith(".png")
    assert {name: len(versions) for name, versions in world.objects().items() if len(versions) != 1} == {}
    assert len(world.objects()) == len(files) + sum(name.endswith(".png") for name in files)
    assert world.jobs() == []


def until_done(world: World, data: Path, *, runs: int = 6) -> list[Told]:
    """Run again as a person would, until nothing is left."""
    told = []
    for _ in range(runs):
        told.append(world.upload(data))
        if told[-1].parked is None and set(told[-1].outcomes) <= {"new", "same", "updated"}:
            return told
    raise AssertionError(told[-1].results)


def check_seed(world: World, line: FaultProxy, dropped: Path, seed: int) -> None:
    # Up to nine in ten requests fail: whether a minute's patience outlasts that is not the question here.
    world.limits = Limits(patience_s=3600)
    draw = random.Random(seed)
    faults = [Fault(kind, rate=draw.uniform(0.05, 0.4), retry_after_s=0) for kind in TROUBLE]
    draw.shuffle(faults)
    faults.append(Fault(Kind.NAMESPACE_RACE, where="^PUT .*(NFFA-7|gold|SEM)$", rate=0.5))
    # Signing in is the command's business, before any run; what a later request meets is the engine's.
    line.plan = FaultPlan([Fault(Kind.DELAY, where="authn", delay_s=0.0, per_request=None), *faults], seed)
    until_done(world, dropped)
    line.plan = FaultPlan([])
    assert world.upload(dropped).outcomes == {"same": len(NAMES) + 1}
    assert_everything_once(world, dropped)


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_line_loses_and_doubles_nothing(
    seed: int, world: World, line: FaultProxy, dropped: Path
) -> None:
    check_seed(world, line, dropped, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_bad_lines(seed: int, world: World, line: FaultProxy, dropped: Path) -> None:
    check_seed(world, line, dropped, seed)


@pytest.mark.parametrize(
    "where", ["PUT /hatrac/.*png$", "POST /ermrest/.*File", "POST /hatrac/.*upload/", "POST .*;upload$"]
)
def test_a_reply_that_is_lost_every_time_once(
    where: str, world: World, line: FaultProxy, dropped: Path
) -> None:
    line.plan = FaultPlan([Fault(Kind.CUT_AFTER, where=where)])
    assert world.upload(dropped).outcomes == {"new": len(NAMES) + 1}
    assert line.plan.struck[Kind.CUT_AFTER] > 0
    assert_everything_once(world, dropped)


@pytest.mark.parametrize("kind", [Kind.SIGNED_OUT, Kind.FULL, Kind.GATEWAY])
@pytest.mark.parametrize("after", [0, 3, 9])
def test_a_server_that_gives_up_parks_the_run(
    kind: Kind, after: int, world: World, line: FaultProxy, dropped: Path
) -> None:
    line.plan = FaultPlan(
        [Fault(kind, where="PUT /hatrac/.*(png|csv|txt|/[0-9]+)$", after=after, per_request=None)]
    )
    told = world.upload(dropped)
    assert told.parked is not None
    assert told.parked.cause
    assert told.parked.remedy
    assert not told.outcomes.keys() & {"failed", "held"}
    assert told.outcomes["cancelled"] > 0
    assert all(line["error"] for line in told.receipt["files"] if line["outcome"] == "cancelled")
    line.plan = FaultPlan([])
    again = world.upload(dropped)
    assert not again.outcomes.keys() & {"failed", "held", "cancelled"}
    assert_everything_once(world, dropped)


def test_a_dead_catalog_parks_with_every_object_kept(world: World, line: FaultProxy, dropped: Path) -> None:
    line.plan = FaultPlan([Fault(Kind.SIGNED_OUT, where="POST /ermrest/.*File", per_request=None)])
    told = world.upload(dropped)
    assert told.parked is not None
    assert world.rows() == []
    line.plan = FaultPlan([])
    again = world.upload(dropped)
    assert again.outcomes == {"new": len(NAMES) + 1}
    # What had arrived before the run ended is not sent again.
    whole = sum(path.stat().st_size for path in (dropped / SESSION).iterdir())
    assert told.finished.sent_bytes + again.finished.sent_bytes <= whole
    assert_everything_once(world, dropped)


def test_a_part_that_never_arrived_is_sent_again(world: World, line: FaultProxy, dropped: Path) -> None:
    """The server notices the hole when it is asked to publish; the job is given up and made anew."""
    line.plan = FaultPlan([Fault(Kind.SWALLOWED, where="PUT /hatrac/.*upload/[^/]+/1$", at_most=1)])
    told = world.upload(dropped)
    assert line.plan.struck[Kind.SWALLOWED] == 1
    assert told.outcomes == {"new": len(NAMES) + 1}
    assert_everything_once(world, dropped)
