"""How an engine finds out that its server is back, that it is known there, and how it wakes an embedded one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback_server import Answer, Asked, LoopbackServer, text

from uploader.embedded.endpoint import Endpoint
from uploader.engine.health import probes
from uploader.engine.health.probes import Revival, ServerProbe, SignInProbe
from uploader.model.errors import Cancelled, NotSignedIn, SettingsError, Throttled, Unreachable
from uploader.remote.credentials import Credentials
from uploader.remote.http import Connection

OURS = "0d2c8ad6-3b7e-4a1f-9a4e-0f6c5d1e2b3a"
SESSION = '{"client": {"id": "%s", "display_name": "%s"}}'


@pytest.fixture
def reach() -> Iterator[Callable[..., Connection]]:
    """Connects to a server that answers by a function."""
    opened: list[Any] = []

    def start(answer: Callable[[Asked], Answer]) -> Connection:
        server = LoopbackServer(answer)
        connection = Connection(server.url, Credentials(token="secret"))
        opened.extend((connection, server))
        return connection

    yield start
    for one in opened:
        one.close()


def known_as(client_id: str, name: str) -> Callable[[Asked], Answer]:
    return lambda _: text(200, SESSION % (client_id, name), Content_Type="application/json")


@pytest.mark.parametrize("sick", ["/hatrac", "/ermrest/catalog/1"])
def test_a_gateway_that_answers_for_one_service_is_not_back(
    reach: Callable[..., Connection], sick: str
) -> None:
    probe = ServerProbe(reach(lambda asked: text(503 if asked.target == sick else 200, "ok")), "1")
    with pytest.raises(Throttled):
        probe()


@pytest.mark.parametrize("status", [200, 401, 403, 404])
def test_any_answer_of_both_services_shows_that_they_are_there(
    reach: Callable[..., Connection], status: int
) -> None:
    ServerProbe(reach(lambda _: text(status, "said")), "1")()


def test_a_dead_server_is_woken_before_it_is_asked(reach: Callable[..., Connection]) -> None:
    order: list[str] = []

    def answer(asked: Asked) -> Answer:
        order.append(asked.target)
        return text(200, "ok")

    ServerProbe(reach(answer), "1", revive=lambda: order.append("revived"))()
    assert order == ["revived", "/hatrac", "/ermrest/catalog/1"]


def test_who_began_the_run_goes_on(reach: Callable[..., Connection]) -> None:
    SignInProbe(reach(known_as("ada", "Ada")), "ada")()


def test_nothing_is_sent_in_another_persons_name(reach: Callable[..., Connection]) -> None:
    with pytest.raises(NotSignedIn, match="Somebody else has signed in: Eva") as caught:
        SignInProbe(reach(known_as("eva", "Eva")), "ada", "Ada")()
    assert "Sign in as Ada" in caught.value.remedy


def test_a_login_that_nobody_knows_is_none(reach: Callable[..., Connection]) -> None:
    with pytest.raises(NotSignedIn):
        SignInProbe(reach(lambda _: text(404, "none")), "ada")()


def an_embedded(_: Asked) -> Answer:
    return text(200, "ok", Nanoferry_Server_Id=OURS)


def found_at(url: str) -> Callable[..., Endpoint]:
    return lambda _data_dir, **_: Endpoint(url, "new", OURS, 1, "run")


def test_an_embedded_server_is_followed_to_its_new_port(
    reach: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connection, other = reach(an_embedded), reach(an_embedded)
    monkeypatch.setattr(probes, "ensure_running", found_at(other.base_url))
    Revival(connection, tmp_path)(lambda: False)
    assert connection.base_url == other.base_url


@pytest.mark.parametrize("announced", ["99999999-3b7e-4a1f-9a4e-0f6c5d1e2b3a", ""])
def test_another_server_in_its_place_is_waited_out_and_not_sent_to(
    reach: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, announced: str
) -> None:
    connection = reach(an_embedded)
    assert connection.identity == OURS
    ours = connection.base_url
    other = reach(lambda _: text(200, "ok", Nanoferry_Server_Id=announced))
    monkeypatch.setattr(probes, "ensure_running", found_at(other.base_url))
    with pytest.raises(Unreachable, match="Another server answers"):
        Revival(connection, tmp_path)(lambda: False)
    assert connection.base_url == ours


def test_a_folder_that_cannot_be_served_is_waited_for_like_a_server(
    reach: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(_data_dir: Path, **_: Any) -> Endpoint:
        raise SettingsError("The disk is full.", remedy="Make room.")

    monkeypatch.setattr(probes, "ensure_running", refuse)
    with pytest.raises(Unreachable, match="The disk is full"):
        Revival(reach(an_embedded), tmp_path)(lambda: False)


def test_a_stop_does_not_wait_for_a_server_that_starts(
    reach: Callable[..., Connection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Starting:
        pid = 1

        def poll(self) -> None:
            return None

    monkeypatch.setattr("uploader.embedded.lifecycle._spawn", lambda *_, **__: Starting())
    with pytest.raises(Cancelled):
        Revival(reach(an_embedded), tmp_path)(lambda: True)
