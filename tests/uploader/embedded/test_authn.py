"""Signing in, the page's link, and what a hostile web page may not do."""

from __future__ import annotations

import time

import pytest
import requests

from uploader.embedded.endpoint import LINK_LIFE_S, key_is_genuine, mint_key


def test_the_token_works_as_bearer_and_as_cookie(call, call_as, endpoint):
    by_bearer = call("GET", "/authn/session")
    by_cookie = call_as(None)("GET", "/authn/session", headers={"Cookie": f"webauthn={endpoint.token}"})
    assert by_bearer.status_code == by_cookie.status_code == 200
    session = by_bearer.json()
    assert session["client"] == session["attributes"][0] == by_cookie.json()["client"]
    assert session["expires"][10] == " "
    assert 0 < session["seconds_remaining"] <= 366 * 86400


def test_groups_are_attributes(call_as):
    session = call_as("t-writer")("GET", "/authn/session").json()
    assert session["client"]["id"] == "writer"
    assert [attribute["id"] for attribute in session["attributes"]] == ["writer", "writers"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("token", [None, "bogus"])
def test_nobody_has_no_session(call_as, method, token):
    answer = call_as(token)(method, "/authn/session")
    assert (answer.status_code, answer.text) == (404, "No existing login session found.\n")


def test_a_session_is_extended(call):
    before = call("GET", "/authn/session").json()["expires"]
    assert call("PUT", "/authn/session").json()["expires"] > before


def test_there_is_no_password_login(call, call_as):
    assert call_as(None)("POST", "/authn/session", data={"username": "a"}).status_code == 401
    assert call("POST", "/authn/session", data={"username": "a"}).status_code == 409


def test_a_foreign_host_name_is_refused(call):
    assert call("GET", "/authn/session", headers={"Host": "rebound.example"}).status_code == 421
    assert call("GET", "/", headers={"Host": "127.0.0.1:1"}).status_code == 421


def test_localhost_is_the_same_host(call, endpoint):
    port = endpoint.url.rpartition(":")[2]
    assert call("GET", "/authn/session", headers={"Host": f"localhost:{port}"}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_write_from_another_origin_is_refused(call, origin):
    namespace = {"Content-Type": "application/x-hatrac-namespace", "Origin": origin}
    assert call("PUT", "/hatrac/x", headers=namespace).status_code == 403
    assert call("GET", "/hatrac/x").status_code == 404


def test_a_write_from_our_own_page_is_taken(call, endpoint):
    namespace = {"Content-Type": "application/x-hatrac-namespace", "Origin": endpoint.url}
    assert call("PUT", "/hatrac/x", headers=namespace).status_code == 201


def test_ermrest_is_closed_to_nobody(call_as):
    assert call_as(None)("GET", "/ermrest/catalog/1").status_code == 401


class TestPageLink:
    def test_it_opens_the_page_once(self, endpoint):
        link = endpoint.page_link
        with requests.Session() as browser, requests.Session() as thief:
            opened = browser.get(link, timeout=10, allow_redirects=False)
            assert (opened.status_code, opened.headers["Location"]) == (303, "/")
            cookie = opened.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "samesite=strict" in cookie.lower()
            assert endpoint.token not in cookie
            assert browser.get(f"{endpoint.url}/authn/session", timeout=10).status_code == 200
            again = thief.get(link, timeout=10, allow_redirects=False)
            assert (again.status_code, again.headers.get("Set-Cookie")) == (403, None)
            assert browser.get(link, timeout=10).status_code == 200  # clicked twice in the same browser

    def test_signing_out_ends_the_page_only(self, endpoint, call):
        with requests.Session() as browser:
            browser.get(endpoint.page_link, timeout=10)
            assert browser.delete(f"{endpoint.url}/authn/session", timeout=10).status_code == 200
            assert browser.get(f"{endpoint.url}/authn/session", timeout=10).status_code == 404
        assert call("GET", "/authn/session").status_code == 200

    @pytest.mark.parametrize("key", ["", "x", "9999999999.abc.def", "é"])
    def test_made_up_keys_open_nothing(self, endpoint, call_as, key):
        assert call_as(None)("GET", "/open", params={"key": key}).status_code == 403

    def test_a_key_is_good_for_its_run_and_time_only(self):
        key = mint_key("token", "run")
        assert key_is_genuine(key, "token", "run")
        assert not key_is_genuine(key, "token", "later run")
        assert not key_is_genuine(key, "other token", "run")
        assert not key_is_genuine(key, "token", "run", now_s=time.time() + LINK_LIFE_S + 1)

    def test_the_page_runs_only_its_own_code(self, call_as):
        page = call_as(None)("GET", "/")
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        for path in ("/web/app.js", "/web/style.css", "/web/icon.svg"):
            assert call_as(None)("GET", path).status_code == 200
