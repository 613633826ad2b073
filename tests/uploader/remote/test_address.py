"""A server's address as people type it."""

from __future__ import annotations

import pytest

from uploader.model.errors import SettingsError
from uploader.remote.address import base_url, is_loopback


@pytest.mark.parametrize(
    ("typed", "exact"),
    [
        ("catalog.example.org", "https://catalog.example.org"),
        (" https://catalog.example.org/ ", "https://catalog.example.org"),
        ("https://Catalog.Example.ORG:443", "https://catalog.example.org"),
        ("catalog.example.org:8443", "https://catalog.example.org:8443"),
        ("localhost:8080/", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("https://localhost", "https://localhost"),
    ],
)
def test_addresses_are_made_exact(typed: str, exact: str) -> None:
    assert base_url(typed) == exact


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("my server", "space"),
        ("ftp://catalog.example.org", "not a web address"),
        ("http://catalog.example.org", "clear text"),
        ("https://catalog.example.org/ermrest/catalog/1", "after the host"),
        ("https://catalog.example.org?x=1", "after the host"),
        ("https://:8080", "no host"),
        ("https://catalog.example.org:port", "can't be read"),
        ("https://catalog.example.org:99999", "can't be read"),
        ("https://[::1", "can't be read"),
        ("https://a..example.org", "no host name"),
        ("größe.example.org", "ASCII form"),
        (f"{'a' * 64}.example.org", "no host name"),
    ],
)
def test_bad_addresses_say_why_and_how_they_should_look(typed: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as caught:
        base_url(typed)
    assert "https://catalog.example.org" in caught.value.remedy


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        base_url("https://me:geheim@catalog.example.org")
    assert "geheim" not in str(caught.value)


def test_only_this_machine_is_loopback() -> None:
    assert all(
        is_loopback(host) for host in ("localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "a.localhost")
    )
    assert not any(is_loopback(host) for host in ("localhost.example.org", "10.0.0.1", "example.org", ""))
