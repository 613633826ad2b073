"""The fault table, first part: what lines and servers do. After each fault a plain re-run ends with everything once.

`make long` writes the table to docs/faults.md. The engine runs in this process, behind the fault proxy.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aftermath import DONE, Dropped, check, drop
from fault_proxy import Fault, FaultPlan, FaultProxy, Kind
from ferries import until
from ferry_world import World
from loopback_server import Asked
from scaled import AT_ONCE, scale

from uploader import bootstrap
from uploader.embedded.server import in_thread
from uploader.engine import workers
from uploader.engine.limits import Limits
from uploader.model.errors import UploaderError
from uploader.model.events import Event, FileFinished, Parked
from uploader.model.files import FileResult
from validation.check import Depth

MOST_RUNS = 6

WHOLE = r"^PUT /hatrac/.*\.txt$"
CHUNK = r"^PUT /hatrac/.*;upload/[^/]+/[0-9]+$"
OPEN = r"^POST /hatrac/.*;upload$"
FINALISE = r"^POST /hatrac/.*;upload/[^/]+$"
CHECKSUM = r"^PUT /hatrac/.*;metadata/"
NAMESPACE = r"^PUT /hatrac/[^;.]*$"
FILE_ROWS = r"^POST /ermrest/.*File"
PARENT_ROWS = r"^POST /ermrest/.*(Project|Sample|Dataset)"
READS = r"^GET /ermrest/"
BYTES = r"^PUT /hatrac/.*(\.txt|upload/[^/]+/[0-9]+)$"
ANYTHING = r"^[A-Z]+ /(hatrac|ermrest)"


@dataclass
class Scene:
    """A world, the line to its server, and the folder that is being sent."""

    world: World
    line: FaultProxy
    dropped: Dropped
    monkeypatch: pytest.MonkeyPatch
    ends: list[Callable[[], None]] = field(default_factory=list)
    """What makes an end of the faults that last."""

    def lift(self) -> None:
        """The cause is gone."""
        while self.ends:
            self.ends.pop()()

    def interrupted(self) -> None:
        """Whatever is on its way is caught."""
        self.line.ledger.interrupted(AT_ONCE)


Act = Callable[[Scene], None]


@dataclass(frozen=True)
class Case:
    """A fault: by a plan of the proxy, by an act at some moment of the first run, or both."""

    fault: str
    plan: tuple[Fault, ...] = ()
    act: Act = lambda _: None
    at_body: int = 0
    """The act comes while the so-manieth file or chunk is on the line; 0: before the run."""
    lasts: bool = False
    """Until the engine parks or ends; otherwise each request is befallen a few times only."""

    def __str__(self) -> str:
        return self.fault


def refuse(scene: Scene) -> None:
    scene.interrupted()
    scene.line.go_down()
    scene.ends.append(scene.line.come_up)


def forget_the_name(scene: Scene) -> None:
    """The network changes: connections are reset, and the name of the server is not known any more."""
    real = socket.getaddrinfo

    def unknown(host: Any, *rest: Any, **named: Any) -> Any:
        if host == "localhost":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *rest, **named)

    scene.interrupted()
    scene.monkeypatch.setattr(socket, "getaddrinfo", unknown)
    scene.ends.append(lambda: scene.monkeypatch.setattr(socket, "getaddrinfo", real))
    scene.line.cut_all()


def reset_everything(scene: Scene) -> None:
    scene.interrupted()
    scene.line.cut_all()


def set_the_clock_back(scene: Scene) -> None:
    scene.monkeypatch.setattr(bootstrap.SystemClock, "now", lambda _: "2001-01-01T00:00:00.000+00:00")
    scene.line.skewed_dates = True


def burst(kind: Kind, where: str = ANYTHING, times: int = 2, rate: float = 0.5) -> tuple[Fault, ...]:
    return (Fault(kind, where, rate=rate, per_request=times, retry_after_s=0),)


def for_good(kind: Kind, where: str, after: int = 4) -> tuple[Fault, ...]:
    return (Fault(kind, where, after=after, per_request=None),)


def late(where: str, rate: float = 1.0) -> tuple[Fault, ...]:
    return (Fault(Kind.LATE, where, rate=rate, delay_s=0.25),)


def storm(seed: int) -> Case:
    kinds = (
        *(Kind.CUT_BEFORE, Kind.CUT_BODY, Kind.RESET_BODY, Kind.CUT_AFTER, Kind.CUT_REPLY, Kind.CUT_HEAD),
        *(Kind.CLOSE_IDLE, Kind.ABORTED, Kind.BUSY, Kind.SLOW_DOWN, Kind.GATEWAY, Kind.GATEWAY_LATE),
    )
    return Case(
        f"all of these at random, seed {seed}",
        tuple(Fault(kind, ANYTHING, rate=0.04, retry_after_s=0) for kind in kinds),
    )


CASES = (
    Case("connection refused before the run", act=refuse, lasts=True),
    Case("connection refused in the middle", act=refuse, at_body=20, lasts=True),
    Case("every connection reset at once", act=reset_everything, at_body=20),
    Case("line cut before the request arrives", burst(Kind.CUT_BEFORE)),
    Case("line cut in the middle of a file", burst(Kind.CUT_BODY, WHOLE)),
    Case("reset mid-chunk", burst(Kind.RESET_BODY, CHUNK)),
    Case("line cut mid-chunk", burst(Kind.CUT_BODY, CHUNK)),
    Case("cut after the last byte of a file, before the answer", burst(Kind.CUT_AFTER, WHOLE, 1)),
    Case("cut after the last byte of a chunk, before the answer", burst(Kind.CUT_AFTER, CHUNK)),
    Case("cut in the head of the answer", burst(Kind.CUT_HEAD)),
    Case("cut in the body of the answer", burst(Kind.CUT_REPLY)),
    Case("idle connections closed by the server", burst(Kind.CLOSE_IDLE, times=9)),
    Case("slow loris answers", (Fault(Kind.TRICKLE, BYTES, after=9, at_most=2),)),
    Case("burst of 500", burst(Kind.BROKEN)),
    Case("burst of 502, web pages", burst(Kind.GATEWAY)),
    Case("burst of 503 Transaction aborted", burst(Kind.ABORTED)),
    Case("burst of 503 with Retry-After", burst(Kind.BUSY)),
    Case("burst of 504 after the server has done it", burst(Kind.GATEWAY_LATE)),
    Case("burst of 429", burst(Kind.SLOW_DOWN)),
    Case("502 for good", for_good(Kind.GATEWAY, BYTES), lasts=True),
    Case(
        "sign-in page of a hotel (200, HTML) for all",
        for_good(Kind.PORTAL, ANYTHING, 20),
        lasts=True,
    ),
    Case("sign-in page of a hotel (200, HTML) in place of bytes", burst(Kind.PORTAL, BYTES)),
    Case("sign-in page of a hotel (200, HTML) in place of rows", burst(Kind.PORTAL, FILE_ROWS, 1, 1.0)),
    Case("truncated JSON from the catalog's reads", burst(Kind.TORN_JSON, READS, 1)),
    Case("truncated JSON from the catalog's writes", burst(Kind.TORN_JSON, FILE_ROWS, 1, 1.0)),
    Case("lost reply of a namespace", burst(Kind.CUT_AFTER, NAMESPACE, 1, 1.0)),
    Case("lost reply of opening a job", burst(Kind.CUT_AFTER, OPEN, 1, 1.0)),
    Case("lost reply of finalise", burst(Kind.CUT_AFTER, FINALISE, 1, 1.0)),
    Case("lost reply of a checksum", burst(Kind.CUT_AFTER, CHECKSUM, 1, 1.0)),
    Case("lost reply of parents", burst(Kind.CUT_AFTER, PARENT_ROWS, 1, 1.0)),
    Case("lost reply of rows", burst(Kind.CUT_AFTER, FILE_ROWS, 1, 1.0)),
    Case("files and chunks that arrive after the client has given up", late(BYTES, 0.3)),
    Case("rows that arrive after the client has given up", late(FILE_ROWS)),
    Case("parents that arrive after the client has given up", late(PARENT_ROWS)),
    Case("namespaces that arrive after the client has given up", late(NAMESPACE)),
    Case("a finalise that arrives after the client has given up", late(FINALISE)),
    Case("lost reply of rows, every time", for_good(Kind.CUT_AFTER, FILE_ROWS, 0), lasts=True),
    Case("lost reply of finalise, every time", for_good(Kind.CUT_AFTER, FINALISE, 0), lasts=True),
    Case("job vanished on the server", (Fault(Kind.VANISHED, CHUNK, after=6, at_most=1),)),
    Case("chunk acknowledged and lost", (Fault(Kind.SWALLOWED, CHUNK, after=6, at_most=1),)),
    Case("token expires mid-chunk", for_good(Kind.SIGNED_OUT, CHUNK), lasts=True),
    Case("token expires, everything is refused", for_good(Kind.SIGNED_OUT, ANYTHING, 60), lasts=True),
    Case(
        "token expires, reads come back empty",
        (*for_good(Kind.ANONYMOUS, r"^GET /(ermrest|authn)", 12), *for_good(Kind.SIGNED_OUT, BYTES, 12)),
        lasts=True,
    ),
    Case("quota full (507)", for_good(Kind.FULL, BYTES, 20), lasts=True),
    Case("clocks of server and PC decades apart", burst(Kind.WRONG_CLOCK), act=set_the_clock_back, at_body=4),
    Case("DNS failure in the middle", act=forget_the_name, at_body=20, lasts=True),
    storm(1),
    storm(2),
)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The end state of a run that nothing disturbs."""
    home = tmp_path_factory.mktemp("quiet")
    with pytest.MonkeyPatch.context() as monkeypatch, in_thread(home / "state" / "catalog") as endpoint:
        monkeypatch.setattr(workers, "PooledExtractor", workers.InlineExtractor)
        scale(monkeypatch.setattr)
        world = World(home, endpoint)
        assert set(world.upload(drop(home / "data").folder).outcomes) == {"new"}
        return world.end_state()


@pytest.fixture
def scene(world: World, data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A catalog that holds the model already, behind a line that does nothing bad yet."""
    scale(monkeypatch.setattr, read_timeout_s=1.0)
    empty = world.home / "empty"
    empty.mkdir()
    world.upload(empty)
    monkeypatch.setenv("NANOFERRY_TOKEN", world.endpoint.token)
    with FaultProxy(world.endpoint.url, FaultPlan([])) as line:
        world.server = line.url.replace("127.0.0.1", "localhost")
        # A burst is waited out; what lasts ends as soon as the engine says that it is parked.
        world.limits = Limits(patience_s=600.0)
        yield Scene(world, line, drop(data), monkeypatch)


def run_once(scene: Scene) -> bool:
    """One run, as the person sees it; whether everything was done."""
    outcomes: list[str] = []
    try:
        with scene.world.engine(scene.dropped.folder) as engine:
            for event in engine.run(dry_run=False, strict=False, depth=Depth.HEADERS):
                _heard(event, scene, outcomes)
    except UploaderError:
        return False
    return len(outcomes) == len(scene.dropped.bodies) and set(outcomes) <= DONE


def _heard(event: Event, scene: Scene, outcomes: list[str]) -> None:
    if isinstance(event, Parked):
        assert event.cause
        assert event.remedy
        scene.lift()
    if isinstance(event, FileFinished):
        # A fault of the line or the server is no fault of a file.
        result = event.result
        assert result.outcome not in ("failed", "held"), _why(result)
        outcomes.append(event.result.outcome)


def _why(result: FileResult) -> str:
    found = (one.message for one in result.issues if one.severity == "error")
    return f"{result.path} {result.outcome}: {result.error} {' '.join(found)}"


A_JOB_LEFT = "the engine looks for the job it may have opened too early, opens another, and one is left over"
KNOWN = pytest.param(
    Case("a job that is opened after the client has given up", late(OPEN)),
    marks=pytest.mark.xfail(reason=A_JOB_LEFT, raises=AssertionError),
)


@pytest.mark.parametrize("case", [*CASES, KNOWN], ids=str)
def test_after_a_fault_everything_is_there_once(case: Case, scene: Scene, quiet: dict[str, Any]) -> None:
    acted = 0

    def act(_: Asked) -> None:
        nonlocal acted
        if not acted and len(scene.line.ledger.bodies) >= case.at_body:
            acted = 1
            case.act(scene)

    # Signing in comes before any run: what happens then is the command's business.
    scene.line.plan = FaultPlan([Fault(Kind.DELAY, "authn", delay_s=0.0, per_request=None), *case.plan], 11)
    if case.lasts:
        scene.ends.append(lambda: setattr(scene.line, "plan", FaultPlan([], struck=scene.line.plan.struck)))
    if case.at_body:
        scene.line.before_forwarding = act
    else:
        case.act(scene)
    runs = 1
    while not run_once(scene):
        scene.lift()
        runs += 1
        assert runs <= MOST_RUNS
    struck = sum(count for kind, count in scene.line.plan.struck.items() if kind is not Kind.DELAY)
    scene.lift()
    scene.line.plan = FaultPlan([])
    assert struck + acted + case.lasts > 0
    until(lambda: scene.line.late == 0, "what was late has arrived")
    check(
        scene.world,
        scene.dropped,
        quiet,
        scene.line.ledger,
        fault=case.fault,
        faults=struck or 1,
        runs=runs,
    )
    before = scene.line.ledger.received_bytes
    assert run_once(scene)
    assert scene.line.ledger.received_bytes == before
