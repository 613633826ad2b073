"""A clock that only tests move, and hints that only tests give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class FakeClock:
    def __init__(self) -> None:
        self.s = 1000.0

    def now(self) -> str:
        return "2026-03-01T12:00:00+00:00"

    def monotonic(self) -> float:
        return self.s

    def sleep(self, seconds: float) -> None:
        self.s += seconds


class FakeHints:
    def __init__(self, trouble: str = "") -> None:
        self.trouble = trouble
        self.has_changed = False
        self.followed: list[list[str]] = []
        self.is_closed = False

    def follow(self, folders: Sequence[Path]) -> str:
        self.followed.append([folder.name for folder in folders])
        return self.trouble

    def take(self) -> bool:
        changed, self.has_changed = self.has_changed, False
        return changed

    def close(self) -> None:
        self.is_closed = True
