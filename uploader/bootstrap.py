"""The one place where real adapters are built and wired: settings in, an engine out."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from uploader.model.errors import SettingsError
from uploader.model.ports import Catalog, Clock, ObjectStore, Ports
from validation.spec.model import Spec

if TYPE_CHECKING:
    from uploader.embedded.endpoint import Endpoint
    from uploader.engine.choice import Choice
    from uploader.engine.control.levers import Levers
    from uploader.engine.health.host import HostHealth
    from uploader.engine.limits import Limits
    from uploader.engine.run import Engine
    from uploader.remote.ermrest import ErmrestCatalog
    from uploader.remote.http import Connection
    from uploader.remote.session import Session

DEFAULT_CATALOG = "1"
LONGEST_NAP_S = 0.1
DEFAULT_SPEC = "em-session"
"""What a newcomer's folder is read by when neither they nor the catalog name a spec."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are: the server, its catalog, and our own memory."""

    server: str
    """Base URL; empty: the embedded catalog of this account."""
    catalog: str
    state_dir: Path
    """Journal, receipts and locks: local to this machine."""
    embedded_dir: Path
    """Data folder of the embedded catalog."""

    @classmethod
    def from_environment(
        cls,
        *,
        server: str | None = None,
        catalog: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Settings:
        """Command line first, then NANOFERRY_* variables, then what fits this system."""
        source = os.environ if environment is None else environment
        state_dir = _state_dir(source)
        return cls(
            server=server or source.get("NANOFERRY_SERVER", ""),
            catalog=catalog or source.get("NANOFERRY_CATALOG", "") or DEFAULT_CATALOG,
            state_dir=state_dir,
            embedded_dir=state_dir / "catalog",
        )


def _state_dir(environment: Mapping[str, str]) -> Path:
    named = environment.get("NANOFERRY_STATE_DIR", "")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_state_path

    return user_state_path("nanoferry", appauthor=False, roaming=False)


class SystemClock:
    """The real time; its waits can be cut short, so that a stopped run need not sit out an outage."""

    def __init__(self) -> None:
        self._is_hurried = False

    def hurry(self) -> None:
        """End every wait now and from now on; safe in a signal handler."""
        self._is_hurried = True

    def now(self) -> str:
        """UTC as RFC 3339."""
        return datetime.now(UTC).isoformat(timespec="milliseconds")

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        until = time.monotonic() + seconds
        while not self._is_hurried and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LONGEST_NAP_S))


@dataclass(frozen=True, slots=True)
class Remote:
    """A server that knows who we are."""

    connection: Connection
    catalog: ErmrestCatalog
    store: ObjectStore
    endpoint: Endpoint | None
    """Set when it is the embedded catalog."""
    session: Session
    revive: Callable[[Callable[[], bool]], None]
    """Starts the embedded catalog again when it has died; leaves a named server alone. Takes what stops it."""


@contextmanager
def connect(
    settings: Settings, clock: Clock | None = None, *, pace: Callable[[int], None] | None = None
) -> Iterator[Remote]:
    """The named server, or the embedded one, which is started when it is not running.

    `pace` is called with the size of each piece of a body before it is sent. Raises NotSignedIn, Unreachable or
    SettingsError, each with its remedy.
    """
    from uploader.engine.health.probes import Revival
    from uploader.remote.address import base_url
    from uploader.remote.credentials import Credentials, from_environment
    from uploader.remote.ermrest import ErmrestCatalog
    from uploader.remote.hatrac import HatracStore
    from uploader.remote.http import Connection
    from uploader.remote.retry import ONCE
    from uploader.remote.session import require_session

    clock = clock or SystemClock()
    endpoint = None
    if settings.server:
        url, credentials = base_url(settings.server), from_environment()
    else:
        from uploader.embedded.lifecycle import ensure_running

        endpoint = ensure_running(settings.embedded_dir)
        url, credentials = endpoint.url, Credentials(token=endpoint.token)
    connection = Connection(url, credentials, pace=pace)
    try:
        # A dead login reads as anonymous: better known before a disk is scanned.
        session = require_session(connection)
        catalog = ErmrestCatalog(connection, settings.catalog, clock=clock)
        revive = _left_alone if endpoint is None else Revival(connection, settings.embedded_dir)
        # Whoever makes namespaces repeats whole calls: two loops would multiply each other.
        store = HatracStore(connection, clock=clock, policy=ONCE)
        yield Remote(connection, catalog, store, endpoint, session, revive)
    finally:
        connection.close()


def _left_alone(_stop: Callable[[], bool]) -> None:
    """A named server is for others to start."""


def init_catalog(remote: Remote, spec_text: str | None = None) -> list[str]:
    """Create the nanoscience model, its terms and the spec annotation; returns what was created, in words."""
    from uploader.remote.deploy import SPEC_TAG, init_catalog
    from validation.spec.load import find
    from validation.specset import data_dir

    text = spec_text if spec_text is not None else find(DEFAULT_SPEC).read_text("utf-8")
    terms = json.loads((data_dir() / "catalog" / "terms.json").read_text("utf-8"))
    return init_catalog(remote.catalog, _model_document(), terms, {SPEC_TAG: text})


def _model_document() -> dict[str, Any]:
    from validation.specset import data_dir

    document: dict[str, Any] = json.loads((data_dir() / "catalog" / "nanoscience.json").read_text("utf-8"))
    return document


@contextmanager
def open_engine(
    settings: Settings,
    *,
    roots: Sequence[Path],
    spec: Spec | None,
    offline: bool = False,
    sends: bool = True,
    limits: Limits | None = None,
    choice: Choice | None = None,
) -> Iterator[Engine]:
    """An engine over these folders, holding them until the block ends.

    Without a spec the catalog's own is used. A new embedded catalog is given the nanoscience model by a run that
    `sends`; to any other run it looks as if it had been. With a `choice` it is the engine of watched folders, which
    runs again and again and takes what is chosen each time. Raises SettingsError for folders that are none,
    JournalLocked when another engine holds one, and what `connect` raises.
    """
    from uploader.engine.control.levers import Levers
    from uploader.engine.limits import Limits
    from uploader.engine.run import Engine
    from uploader.engine.workers import PooledExtractor
    from uploader.journal.lock import hold_root
    from uploader.journal.store import open_journal
    from uploader.stages.roots import make_root, outermost

    clock = SystemClock()
    levers = Levers.of(limits or Limits(), clock)
    dropped = list({root.key: root for root in map(make_root, roots)}.values())
    with ExitStack() as stack:
        journal = open_journal(settings.state_dir)
        stack.callback(journal.close)
        # A hold covers what lies below, so a folder inside another one needs none of its own.
        for root in outermost(dropped):
            stack.enter_context(hold_root(settings.state_dir, root))
        identity: Mapping[str, str] = {}
        if offline:
            catalog, store = cast(Catalog, _Nowhere()), cast(ObjectStore, _Nowhere())
            chosen = spec or _default_spec()
        else:
            pace = partial(levers.bandwidth.take, stop=levers.ending)
            remote = stack.enter_context(connect(settings, clock, pace=pace))
            chosen = spec or spec_of(remote)
            levers = replace(levers, health=_health(remote, levers))
            store, catalog = _patient(remote, levers, _prepared(remote, chosen, sends=sends))
            identity = {"id": remote.session.client_id, "display_name": remote.session.display_name}
        extractor = PooledExtractor()
        stack.callback(extractor.close)
        ports = Ports(store, catalog, journal, extractor, clock)
        yield Engine(
            ports,
            roots=dropped,
            spec=chosen,
            offline=offline,
            state_dir=settings.state_dir,
            identity=identity,
            on_stop=clock.hurry,
            levers=levers,
            choice=choice,
        )


def _health(remote: Remote, levers: Levers) -> HostHealth:
    """What looks after the server for all who talk to it."""
    from uploader.engine.health.host import HostHealth
    from uploader.engine.health.probes import ServerProbe, SignInProbe

    session = remote.session
    return HostHealth(
        levers.clock,
        ServerProbe(
            remote.connection, remote.catalog.catalog_id, revive=partial(remote.revive, levers.ending)
        ),
        sign_in_probe=SignInProbe(remote.connection, session.client_id, session.display_name),
        patience_s=levers.limits.patience_s,
        login_patience_s=levers.limits.login_patience_s,
        on_park=levers.news.parked,
        on_resume=levers.news.resumed,
        stop=levers.ending,
        is_held=lambda: not levers.gate.is_open,
    )


def _patient(remote: Remote, levers: Levers, catalog: Catalog) -> tuple[ObjectStore, Catalog]:
    """Store and catalog that wait out outages, the store at the pace that the line bears."""
    from uploader.engine.health.patient_catalog import PatientCatalog
    from uploader.engine.health.patient_store import PatientStore
    from uploader.engine.pacing.paced_store import PacedStore
    from uploader.stages.transfer import SMALL_BYTES

    if levers.health is None:
        raise AssertionError("a server that is there has its health looked after")
    paced = PacedStore(
        remote.store, levers.gate, levers.controller, levers.clock, SMALL_BYTES, stop=levers.ending
    )
    if catalog is remote.catalog:
        catalog = PatientCatalog(remote.catalog, levers.health)
    return PatientStore(paced, levers.health), catalog


@dataclass(frozen=True, slots=True)
class _Nowhere:
    """The target of an offline run: it has a name and is never asked anything."""

    server: str = "offline"
    catalog_id: str = ""


def spec_of(remote: Remote) -> Spec:
    """The spec that the catalog carries, or the newcomers' one on an embedded catalog without any."""
    from uploader.remote.deploy import spec_annotation
    from validation.spec.load import load_document, load_text

    found = spec_annotation(remote.catalog)
    if found is None:
        if remote.endpoint is not None:
            return _default_spec()
        raise SettingsError(
            f"The catalog {remote.catalog.catalog_id} carries no spec.",
            detail="Nothing was read or sent.",
            remedy="Name one with --spec, or ask the catalog's owner to run `nanoferry catalog init`.",
        )
    tag, value = found
    source = f"{remote.catalog.server} catalog {remote.catalog.catalog_id}, annotation {tag}"
    if isinstance(value, str):
        return load_text(value, source)
    return load_document(cast(Mapping[str, Any], value), source)


def _default_spec() -> Spec:
    from validation.spec.load import find, load

    return load(find(DEFAULT_SPEC))


def _prepared(remote: Remote, spec: Spec, *, sends: bool) -> Catalog:
    """The catalog to work with: a new embedded one gets the nanoscience model when the spec is about to use it."""
    wanted = any(rule.table.schema == "nanoscience" for rule in spec.rules)
    if remote.endpoint is None or not wanted:
        return remote.catalog
    if any(name.startswith("nanoscience:") for name in remote.catalog.facts().tables):
        return remote.catalog
    if not sends:
        from uploader.remote.unmade import UnmadeCatalog

        return UnmadeCatalog(remote.catalog.server, remote.catalog.catalog_id, _model_document())
    init_catalog(remote)
    return remote.catalog


def at(settings: Settings, embedded_dir: Path) -> Settings:
    """The same settings with another embedded catalog."""
    return replace(settings, server="", embedded_dir=embedded_dir)
