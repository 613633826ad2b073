"""A patient catalog: one thread writes at a time, rows that may be there are not inserted again, reads are ours."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from health_stage import StillClock, health_on
from loopback_server import Answer, Asked, LoopbackServer, text
from port_fakes import MemoryCatalog

from uploader.engine.health.host import SURE_S, HostHealth
from uploader.engine.health.patient_catalog import PatientCatalog
from uploader.model.errors import NotSignedIn, Unreachable
from uploader.remote.credentials import Credentials
from uploader.remote.ermrest import ErmrestCatalog
from uploader.remote.http import Connection
from uploader.remote.retry import Repeats

TABLE = "lab:Image"


@dataclass
class AdapterCatalog(MemoryCatalog):
    """Each of its calls is one request, which goes through `repeats`."""

    repeats: Repeats | None = None
    before: Callable[[], None] = lambda: None

    def repeated_by(self, repeats: Repeats) -> AdapterCatalog:
        self.repeats = repeats
        return self

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        assert self.repeats is not None
        whole = MemoryCatalog.insert

        def send() -> list[dict[str, Any]]:
            self.before()
            return whole(self, table, rows)

        return self.repeats(send, repeat_in_doubt=bool(self.keys.get(table)), writes=True)


def lost() -> Unreachable:
    error = Unreachable("the reply is lost")
    error.in_doubt = True
    return error


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


def test_a_table_with_a_key_takes_the_rows_again(clock: StillClock) -> None:
    catalog = AdapterCatalog(keys={TABLE: [("Name",)]}, lose_replies=1, lost=lost)
    PatientCatalog(catalog, health_on(clock)).insert(TABLE, [{"Name": "a"}])
    assert [row["Name"] for row in catalog.tables[TABLE]] == ["a"]
    assert len(catalog.calls) == 2


def test_rows_without_a_key_that_may_be_there_are_left_to_who_knows_how_to_find_them(
    clock: StillClock,
) -> None:
    catalog = AdapterCatalog(lose_replies=1, lost=lost)
    with pytest.raises(Unreachable) as caught:
        PatientCatalog(catalog, health_on(clock)).insert(TABLE, [{"Name": "a"}])
    assert caught.value.in_doubt
    assert [row["Name"] for row in catalog.tables[TABLE]] == ["a"]


def test_one_thread_writes_at_a_time(clock: StillClock) -> None:
    inside: list[int] = []
    most_inside: list[int] = []
    meet = threading.Barrier(4)

    def before() -> None:
        inside.append(1)
        most_inside.append(len(inside))
        threading.Event().wait(0.005)
        inside.pop()

    patient = PatientCatalog(AdapterCatalog(before=before), health_on(clock))

    def write() -> None:
        meet.wait()
        patient.insert(TABLE, [{"Name": "a"}])

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert most_inside == [1, 1, 1, 1]


@dataclass
class Login:
    """A login that is dead until somebody asks for it."""

    is_alive: bool = True
    asked: int = 0

    def ask(self) -> None:
        self.asked += 1
        if not self.is_alive:
            self.is_alive = True
            raise NotSignedIn("Signed out.")


@dataclass
class GuardedCatalog(AdapterCatalog):
    """Shows its rows to who is signed in, and nothing to others, without a word."""

    login: Login = field(default_factory=Login)

    def rows_by_key(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return [{"Name": "a"}] if self.login.is_alive else []

    def rows(self, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        yield from self.rows_by_key()


def guarded(clock: StillClock) -> tuple[GuardedCatalog, HostHealth]:
    catalog = GuardedCatalog()
    return catalog, health_on(clock, sign_in_probe=catalog.login.ask, login_patience_s=math.inf)


def test_rows_looked_up_with_a_dead_login_are_looked_up_again(clock: StillClock) -> None:
    catalog, health = guarded(clock)
    patient = PatientCatalog(catalog, health)
    clock.sleep(SURE_S)
    catalog.login.is_alive = False
    assert patient.rows_by_key(TABLE, "Name", ["a"]) == [{"Name": "a"}]


def test_a_listing_during_which_the_login_ended_is_no_listing(clock: StillClock) -> None:
    catalog, health = guarded(clock)
    patient = PatientCatalog(catalog, health)
    clock.sleep(SURE_S)
    catalog.login.is_alive = False
    with pytest.raises(NotSignedIn, match="while rows were read"):
        list(patient.rows(TABLE, {}))
    assert list(patient.rows(TABLE, {})) == [{"Name": "a"}]


def test_aborted_transactions_of_a_real_client_are_repeated_soon(clock: StillClock) -> None:
    aborts = iter(range(9))

    def answer(asked: Asked) -> Answer:
        if asked.method == "POST":
            if next(aborts, None) is not None:
                return text(503, "The service is temporarily unavailable. Detail: Transaction aborted.")
            return text(200, '[{"RID": "1"}]', Content_Type="application/json")
        return text(200, '{"schemas": {}}', Content_Type="application/json")

    server = LoopbackServer(answer)
    connection = Connection(server.url, Credentials(token="secret"))
    try:
        catalog = ErmrestCatalog(connection, "1", clock=clock)
        patient = PatientCatalog(catalog, health_on(clock))
        assert patient.insert(TABLE, [{"Name": "a"}]) == [{"RID": "1"}]
    finally:
        connection.close()
        server.close()
    assert [line.split()[0] for line in server.lines()].count("POST") == 10
    assert clock.now_s - 1000.0 < 10.0
