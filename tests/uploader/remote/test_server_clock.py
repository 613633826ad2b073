"""The server's clock is compared with ours by the dates of its answers."""

from __future__ import annotations

import pytest

from uploader.remote.server_clock import ServerClock

AT_S = 1_795_233_600.0  # Sat, 21 Nov 2026 04:00:00 GMT
DATE = "Sat, 21 Nov 2026 04:00:00 GMT"


def test_the_difference_is_that_of_the_clocks() -> None:
    clock = ServerClock(wall_s=lambda: AT_S - 3600.0)
    assert clock.skew_s is None
    clock.hear({"Date": DATE})
    assert clock.skew_s == pytest.approx(3600.5)


@pytest.mark.parametrize("headers", [{}, {"Date": "soon"}, {"Date": DATE, "Age": "900"}])
def test_an_answer_without_its_own_time_says_nothing(headers: dict[str, str]) -> None:
    clock = ServerClock(wall_s=lambda: AT_S)
    clock.hear(headers)
    assert clock.skew_s is None


def test_it_is_looked_at_once_a_minute() -> None:
    now_s = [0.0]
    wall_s = [AT_S]
    clock = ServerClock(wall_s=lambda: wall_s[0], monotonic=lambda: now_s[0])
    clock.hear({"Date": DATE})
    wall_s[0] += 100.0
    clock.hear({"Date": DATE})
    assert clock.skew_s == pytest.approx(0.5)
    now_s[0] = 61.0
    clock.hear({"Date": DATE})
    assert clock.skew_s == pytest.approx(-99.5)
