"""Credentials come from the environment and are never shown."""

from __future__ import annotations

import pytest

from uploader.model.errors import SettingsError
from uploader.remote.credentials import Credentials, from_environment
from uploader.remote.http import Connection


def test_a_token_signs_as_bearer_and_a_cookie_as_webauthn() -> None:
    assert from_environment({"NANOFERRY_TOKEN": "abc\n"}).headers() == {"Authorization": "Bearer abc"}
    assert from_environment({"NANOFERRY_TOKEN": "Bearer abc"}).headers() == {"Authorization": "Bearer abc"}
    assert from_environment({"NANOFERRY_COOKIE": "abc"}).headers() == {"Cookie": "webauthn=abc"}
    assert from_environment({"NANOFERRY_COOKIE": "webauthn=abc;"}).headers() == {"Cookie": "webauthn=abc"}


def test_without_either_requests_go_out_unsigned() -> None:
    assert from_environment({}).is_anonymous
    assert from_environment({"NANOFERRY_TOKEN": " "}).headers() == {}


def test_both_at_once_are_refused() -> None:
    with pytest.raises(SettingsError, match="Both"):
        from_environment({"NANOFERRY_TOKEN": "a", "NANOFERRY_COOKIE": "b"})


@pytest.mark.parametrize("value", ["abc def", "abc\r\nX-Evil: 1", "ab\u00e9"])
def test_what_no_header_can_hold_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_environment({"NANOFERRY_TOKEN": value})
    assert "ab" not in str(caught.value).replace("characters", "")


@pytest.mark.parametrize("secret", [Credentials(token="geheim"), Credentials(cookie="geheim")])
def test_credentials_hide_in_messages(secret: Credentials) -> None:
    assert "geheim" not in repr(secret)
    assert "geheim" not in f"{secret}"


def test_a_connection_shown_in_a_traceback_hides_its_login() -> None:
    connection = Connection("http://127.0.0.1:1", Credentials(token="geheim"))
    assert "geheim" not in "".join(repr(value) for value in vars(connection).values())
    connection.close()
