"""Clumsy and hostile input on the command line: one clear message, the right exit code, nothing lost or let out."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from uploader.cli.main import run
from uploader.embedded.endpoint import Endpoint, read_endpoint
from uploader.embedded.lifecycle import stop
from uploader.embedded.server import in_thread

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("bad-input")]
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX file names, modes and descriptors")

TOKEN = "a-token-that-must-stay-secret"
SESSION = "PROJECT/SAMPLE/2025-01-01_bob_SEM"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with in_thread(tmp_path_factory.mktemp("bad-input") / "data") as endpoint:
        yield endpoint


@pytest.fixture
def on_server(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANOFERRY_SERVER", server.url)
    monkeypatch.setenv("NANOFERRY_TOKEN", server.token)
    assert run(["catalog", "init", "--json"]) == 0


Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    """Exit code of a command, and all it printed."""

    def call(*arguments: str | Path) -> tuple[int, str]:
        capfd.readouterr()
        code = run([str(each) for each in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out + err

    return call


def picture(path: bytes | Path) -> None:
    with open(path, "wb") as file:  # noqa: PTH123 - bytes, for names that are no text
        Image.effect_noise((16, 16), 50).save(file, "TIFF")


@posix
@pytest.mark.usefixtures("on_server")
def test_hostile_names_arrive_and_never_reach_the_terminal(tmp_path: Path, said: Said) -> None:
    folder = tmp_path / "drop" / SESSION
    folder.mkdir(parents=True)
    names = [
        "line\nSafe to delete? yes_001.tif",
        "\x1b[31mred\x1b]0;title\x07_002.tif",
        "h#%;?:&+ '\"_003.tif",
        "..%2F..%2Fetc_004.tif",
        "<img src=x onerror=alert(1)>_005.tif",
        "back\\slash_006.tif",
        "turned\u202egpj_007.tif",
        "{x.__class__}_008.tif",
        "\U0001f600_009.tif",
        "n" * 200 + "_010.tif",
    ]
    for name in names:
        picture(folder / name)
    receipt = tmp_path / "receipt.json"

    code, text = said("upload", "--dir", tmp_path / "drop", "--receipt", receipt)

    assert code == 0, text
    assert text.isascii() or not set("\x1b\x07\u202e") & set(text)
    assert not any(line.startswith("Safe to delete? yes") for line in text.split("\n"))
    written = receipt.read_bytes()
    assert b"\x1b" not in written
    assert sorted(Path(each["path"]).name for each in json.loads(written)["files"]) == sorted(names)
    code, text = said("verify", receipt, "--deep")
    assert code == 0, text
    assert f"{len(names)} files of {len(names)} safe to delete" in text


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these keep names as text")
@pytest.mark.usefixtures("on_server")
def test_a_name_that_no_row_can_carry_stays_behind(tmp_path: Path, said: Said) -> None:
    folder = tmp_path / SESSION.replace("SAMPLE", "BYTES")
    folder.mkdir(parents=True)
    picture(os.fsencode(folder) + b"/\xff\xfe_001.tif")

    code, text = said("upload", "--dir", tmp_path / "PROJECT")

    assert code == 1
    assert "Name is not UTF-8 (source.name_undecodable)" in text


def unknown_name(*_: object, **__: object) -> None:
    """Name look-ups without a network."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["upload", "--dir", ""], "is a variable not set?"),
        (["upload", "--dir", "{long}"], "cannot be looked at: File name too long"),
        (["upload", "--dir", "{empty}", "--spec", "{long}"], "cannot be looked at: File name too long"),
        (["inspect", "{long}"], "cannot be read: File name too long"),
        (["verify", "{long}"], "cannot be read: File name too long"),
        (
            ["upload", "--dir", "{empty}", "--server", "https://me:pass-word@example.org"],
            "user name or password",
        ),
        (
            ["upload", "--dir", "{empty}", "--server", "https://me:pass-word@h:port/ x"],
            "user name or password",
        ),
        (["upload", "--dir", "{empty}", "--server", "http://example.org"], "in clear text"),
        (
            ["upload", "--dir", "{empty}", "--server", "https://no-such-host.invalid"],
            "The name no-such-host.invalid is not known",
        ),
        (["serve", "--data", "{open}"], "Every user of this machine may write"),
    ],
)
@posix
def test_what_cannot_be_used_is_said_without_secrets(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", unknown_name)
    for name in ("empty", "open"):
        (tmp_path / name).mkdir()
    (tmp_path / "open").chmod(0o777)
    places = {
        "long": str(tmp_path / ("x" * 300)),
        "empty": str(tmp_path / "empty"),
        "open": str(tmp_path / "open"),
    }

    code, text = said(*(part.format(**places) for part in arguments))

    assert (code, words in text) == (2, True), text
    assert "pass-word" not in text


def hostile_answers() -> dict[str, Iterator[bytes]]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([packer.compress(b" " * (1 << 20)) for _ in range(64)]) + packer.flush()
    return {
        "without end": iter([head + b"\r\n[", *[b"1," * (1 << 16)] * 200]),
        "zip bomb": iter([head + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + bomb]),
        "nested": iter([head + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000]),
        "huge header": iter([b"HTTP/1.1 200 OK\r\nX: ", *[b"a" * 100_000] * 20]),
        "header flood": iter([b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n" * 100] * 20]),
        "short": iter([head + b"Content-Length: 500\r\n\r\n{}"]),
        "no number": iter([head + b"Content-Length: \xb2\r\n\r\n{}"]),
        "web page": iter(
            [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n<html>\x1b[31mxx"]
        ),
        "redirect": iter(
            [b"HTTP/1.1 302 F\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n"]
        ),
        "noise": iter([bytes(range(256)) * 8]),
    }


@contextmanager
def answering(blocks: Iterator[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives every caller these blocks; its address, and what it was sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def work() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        heard.append(connection.recv(65_536))
                        for block in blocks:
                            connection.sendall(block)
                    except OSError:
                        continue

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="closes a listening socket under its accept")
@pytest.mark.parametrize("kind", list(hostile_answers()))
def test_a_hostile_server_gets_no_further_than_a_message(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("uploader.remote.reply.LARGEST_REPLY_BYTES", 8 << 20)
    monkeypatch.setenv("NANOFERRY_TOKEN", TOKEN)
    with answering(hostile_answers()[kind]) as (url, _heard):
        code, text = said("upload", "--dir", tmp_path, "--server", url)
    assert code == 2, text
    assert "What to do:" in text
    assert TOKEN not in text
    assert "\x1b" not in text


@pytest.mark.skipif(sys.platform != "linux", reason="closes a listening socket under its accept")
def test_a_receipt_from_elsewhere_does_not_choose_where_the_login_goes(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NANOFERRY_TOKEN", TOKEN)
    receipt = tmp_path / "receipt.json"
    with answering(iter(())) as (url, heard):
        receipt.write_text(
            json.dumps(
                {
                    "schema": "nanoferry.receipt/1",
                    "run": "0123",
                    "started": "2026-01-01T00:00:00Z",
                    "finished": "2026-01-01T00:00:00Z",
                    "interrupted": False,
                    "server": url.removeprefix("http://"),
                    "catalog": "1",
                    "spec": {"id": "a", "version": "1", "digest": ""},
                    "roots": ["/"],
                    "issues": [],
                    "files": [],
                }
            ),
            "utf-8",
        )
        code, text = said("verify", receipt)
    assert code == 2
    assert "of no run of this account" in text
    assert heard == []


def shell(state: Path, command: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NANOFERRY_")}
    done = subprocess.run(
        ["bash", "-c", command],
        env={**environment, "NANOFERRY_STATE_DIR": str(state), "NF": f"{sys.executable} -m uploader", **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


@pytest.fixture
def own_state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    stop(tmp_path / "state" / "catalog")


@posix
def test_output_that_nobody_takes_ends_the_run_and_not_the_journal(own_state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "drop" / SESSION
    folder.mkdir(parents=True)
    for number in range(6):
        picture(folder / f"area_{number:03}.tif")
    upload = f"$NF upload --dir {tmp_path / 'drop'}"

    assert shell(own_state, f"set -o pipefail; {upload} --json | head -1").returncode == 1
    full = shell(own_state, f"{upload} > /dev/full")
    assert full.returncode == 2
    assert "No space left" in full.stderr
    assert shell(own_state, f"{upload} >&- 2>&- <&-").returncode == 0, "closed streams are nobody's journal"
    again = shell(
        own_state, f"{upload} --json", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", TERM="dumb"
    )
    assert again.returncode == 0
    assert json.loads(again.stdout.splitlines()[-1])["outcomes"] == {"same": 6}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_token_is_nowhere_but_in_its_two_files(own_state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "drop" / SESSION
    folder.mkdir(parents=True)
    picture(folder / "area_001.tif")
    report = tmp_path / "report.json"
    drop = tmp_path / "drop"
    done = shell(
        own_state,
        "umask 000; export NANOFERRY_COOKIE=cookie-of-another-server; $NF serve >/dev/null; unset NANOFERRY_COOKIE;"
        f" $NF upload --dir {drop}; $NF upload --dir {drop} --json; $NF validate {drop} -o {report};"
        " $NF status; $NF serve --json",
    )
    assert done.returncode == 0, done.stderr
    endpoint = read_endpoint(own_state / "catalog")
    assert endpoint is not None

    holders = [
        path
        for path in own_state.rglob("*")
        if path.is_file() and endpoint.token.encode() in path.read_bytes()
    ]
    assert sorted(path.name for path in holders) == ["endpoint.json", "token"]
    assert endpoint.token not in done.stdout + done.stderr + report.read_text("utf-8")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            assert endpoint.token.encode() not in (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has just ended
    assert b"cookie-of-another-server" not in Path(f"/proc/{endpoint.pid}/environ").read_bytes()

    open_to_others = [
        str(path) for path in own_state.rglob("*") if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    assert open_to_others == []


@pytest.mark.usefixtures("on_server")
def test_a_folder_that_cannot_be_opened_is_never_called_safe_to_delete(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "drop" / SESSION.replace("SAMPLE", "LOCKED")
    (folder / "locked").mkdir(parents=True)
    picture(folder / "area_001.tif")
    picture(folder / "locked" / "area_002.tif")
    scandir = os.scandir

    def forbidding(path: str | Path) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    receipt = tmp_path / "receipt.json"

    code, text = said("upload", "--dir", tmp_path / "drop", "--strict")
    assert code == 1, text
    assert "nothing was sent" in text
    code, text = said("upload", "--dir", tmp_path / "drop", "--receipt", receipt)
    assert code == 1, text
    assert "source.folder_unreadable" in text
    code, text = said("verify", receipt)
    assert code == 1, text
    assert "May the whole folder be deleted? no" in text
