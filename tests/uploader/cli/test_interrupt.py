"""Ctrl-C once finishes cleanly, twice ends at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from uploader.cli.interrupt import stops_cleanly

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")

STUBBORN = """
import signal, sys
from uploader.cli.interrupt import stops_cleanly
with stops_cleanly(lambda: print("stop asked", flush=True)):
    print("ready", flush=True)
    while True:
        signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_the_engine_to_stop(number: int, capfd: pytest.CaptureFixture[str]) -> None:
    asked = []
    with stops_cleanly(lambda: asked.append(True)):
        os.kill(os.getpid(), number)
        assert asked == [True]
    assert "Press Ctrl-C again to stop at once" in capfd.readouterr().err


def test_afterwards_ctrl_c_is_what_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stops_cleanly(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_signal_ends_the_program_at_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "stop asked\n"
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)
        assert child.returncode == 130
