"""Headless Chromium over the W3C WebDriver protocol, and a server with something to look at."""

from __future__ import annotations

import base64
import io
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from uploader.embedded.endpoint import Endpoint
from uploader.embedded.server import in_thread
from validation.specset import data_dir

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "Left": "\ue012",
    "Right": "\ue014",
    "Down": "\ue015",
    "Tab": "\ue004",
}
PATIENCE_S = 15
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,900",
)  # fmt: skip


@dataclass
class Browser:
    """One tab; `find` waits until what it looks for is there."""

    session_url: str
    http: requests.Session

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.http.request(
            method, self.session_url + path, json=body if method == "POST" else None, timeout=60
        )
        document = answer.json()
        if answer.status_code != 200:
            raise AssertionError(f"{method} {path}: {document['value']['message']}")
        return document["value"]

    def open(self, url: str) -> None:
        self.ask("POST", "/url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.ask("POST", "/execute/sync", script=script, args=list(arguments))

    def press(self, *keys: str) -> None:
        """Keys go to whatever has the focus, as from a keyboard."""
        actions = []
        for key in keys:
            for value in [KEYS[key]] if key in KEYS else list(key):
                actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self.ask("POST", "/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def until(self, script: str, *arguments: Any) -> Any:
        """The first truthy value of an expression; fails after the patience is over."""
        deadline = time.monotonic() + PATIENCE_S
        while not (value := self.run(f"return {script}", *arguments)):
            assert time.monotonic() < deadline, f"never true: {script}\n{self.text()}"
            time.sleep(0.02)
        return value

    def text(self) -> str:
        return str(self.run("return document.body.innerText"))

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))


@pytest.fixture(scope="session")
def driver_url() -> Iterator[str]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and its driver are not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while True:
                try:
                    requests.get(f"http://127.0.0.1:{port}/status", timeout=5)
                    break
                except requests.ConnectionError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
def browser(driver_url: str, tmp_path: Path) -> Iterator[Browser]:
    options = {
        "binary": shutil.which("chromium"),
        "args": [*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"],
    }
    wanted = {
        "capabilities": {
            "alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        }
    }
    with requests.Session() as http:
        http.trust_env = False
        started = http.post(f"{driver_url}/session", json=wanted, timeout=60).json()["value"]
        session_url = f"{driver_url}/session/{started['sessionId']}"
        try:
            yield Browser(session_url, http)
        finally:
            http.delete(session_url, timeout=30)


@dataclass
class Lab:
    """The rows and objects behind the page."""

    endpoint: Endpoint
    http: requests.Session

    def rows(self, path: str) -> list[dict[str, Any]]:
        answer = self.http.get(f"{self.endpoint.url}/ermrest/catalog/1{path}", timeout=30)
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def insert(self, table: str, **row: Any) -> dict[str, Any]:
        url = f"{self.endpoint.url}/ermrest/catalog/1/entity/nanoscience:{table}"
        answer = self.http.post(url, json=[row], timeout=30)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()[0])

    def create_model(self) -> None:
        model = json.loads((data_dir() / "catalog/nanoscience.json").read_text("utf-8"))
        url = f"{self.endpoint.url}/ermrest/catalog/1"
        assert (
            self.http.post(f"{url}/schema", json=list(model["schemas"].values()), timeout=30).status_code
            == 201
        )
        terms = json.loads((data_dir() / "catalog/terms.json").read_text("utf-8"))
        for table, rows in terms["nanoscience"].items():
            answer = self.http.post(
                f"{url}/entity/nanoscience:{table}?onconflict=skip", json=rows, timeout=30
            )
            assert answer.status_code == 200, answer.text

    def picture(self, name: str, shade: int) -> str:
        content = io.BytesIO()
        Image.new("L", (64, 48), shade).save(content, "PNG")
        answer = self.http.put(
            f"{self.endpoint.url}/hatrac/lab/{name}?parents=true",
            data=content.getvalue(),
            headers={"Content-Type": "image/png"},
            timeout=30,
        )
        return answer.text.strip()


@pytest.fixture
def empty_lab(tmp_path: Path) -> Iterator[Lab]:
    with in_thread(tmp_path / "data") as endpoint, requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {endpoint.token}"
        yield Lab(endpoint, http)


@pytest.fixture
def lab(empty_lab: Lab) -> Lab:
    """Two datasets; one with three files, whose texts try to be markup."""
    empty_lab.create_model()
    session = empty_lab.insert(
        "Dataset",
        Name="s1",
        Title="PbSe <img src=x onerror=alert(1)>",
        Technique="STEM",
        Metadata={"sample": "PbSe"},
    )
    empty_lab.insert("Dataset", Name="s2", Title="Porous sponge")
    for number in range(3):
        url = empty_lab.picture(f"{number}.png", 60 * (number + 1))
        empty_lab.insert(
            "File", Dataset=session["RID"], Path=f"frames/scan_{number}.ser", Filename=f"scan_{number}.ser", URL=url,
            Preview_URL=url if number else None, Bytes=4242, MD5=f"{number:032x}", Accelerating_Voltage_kV=300,
            Working_Distance_mm=4.02, Pixel_Size_m=[1.1e-11, 1.1e-11], Title="<script>document.title='gone'</script>",
        )  # fmt: skip
    return empty_lab
