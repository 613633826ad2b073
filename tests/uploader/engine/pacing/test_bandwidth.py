"""The limit: exact, shared, changed and stopped at any moment."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_server import SimulatedClock

from uploader.engine.pacing.bandwidth import Bandwidth, lower_limit, parse_rate
from uploader.model.errors import Cancelled, SettingsError

KIB = 1024


class RealClock(SimulatedClock):
    def monotonic(self) -> float:
        return time.monotonic()


class TimePasses:
    """Stands for the condition: who waits moves the clock."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def wait(self, timeout_s: float) -> None:
        self._clock.sleep(timeout_s)

    def notify_all(self) -> None: ...


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


def limited(clock: SimulatedClock, limit_bytes_per_s: int) -> Bandwidth:
    bandwidth = Bandwidth(clock, limit_bytes_per_s)
    bandwidth._changed = TimePasses(clock)  # type: ignore[assignment]
    return bandwidth


@given(st.lists(st.integers(1, 256 * KIB), min_size=50, max_size=200), st.integers(1000, 10**9))
def test_the_rate_is_the_limit_whatever_the_slices(sizes: list[int], limit: int) -> None:
    clock = SimulatedClock()
    bandwidth = limited(clock, limit)
    for size in sizes:
        bandwidth.take(size)
    # A take that is due within 2 ms does not wait for it.
    assert clock.now_s == pytest.approx(sum(sizes) / limit, abs=0.0021)


def test_a_quiet_hour_is_not_saved_up(clock: SimulatedClock) -> None:
    bandwidth = limited(clock, 1_000_000)
    clock.sleep(3600)
    began_s = clock.now_s
    for _ in range(100):
        bandwidth.take(100_000)
    assert clock.now_s - began_s == pytest.approx(10.0, rel=0.02)


def test_the_moments_between_two_files_are_made_up_for(clock: SimulatedClock) -> None:
    bandwidth = limited(clock, 10_000_000)
    for _ in range(50):
        bandwidth.take(200 * KIB)
        clock.sleep(0.010)  # the answer, and the next file
    assert 50 * 200 * KIB / clock.now_s == pytest.approx(10_000_000, rel=0.05)


def test_without_a_limit_nothing_waits(clock: SimulatedClock) -> None:
    bandwidth = limited(clock, 0)
    bandwidth.take(10**12)
    assert clock.now_s == 0.0


def test_a_limit_set_later_begins_then(clock: SimulatedClock) -> None:
    bandwidth = limited(clock, 0)
    bandwidth.take(10**9)
    clock.sleep(10)
    bandwidth.set_limit(1_000_000)
    bandwidth.take(2_000_000)
    assert clock.now_s == pytest.approx(12.0, abs=0.01)
    bandwidth.set_limit(4_000_000)
    bandwidth.take(2_000_000)
    assert clock.now_s == pytest.approx(12.5, abs=0.01)
    assert bandwidth.limit_bytes_per_s == 4_000_000


@pytest.mark.parametrize("limit", [0, 10**9])
def test_who_waits_goes_by_a_new_limit_at_once(limit: int) -> None:
    bandwidth = Bandwidth(RealClock(), 1000)
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(bandwidth.take, 10**6) for _ in range(16)]
        began_s = time.monotonic()
        bandwidth.set_limit(limit)
        for each in waiting:
            each.result(10)
        assert time.monotonic() - began_s < 2.0  # an hour otherwise; the machine may be busy


def test_a_stop_wakes_who_waits() -> None:
    bandwidth = Bandwidth(RealClock(), 1000)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(bandwidth.take, 10**9) for _ in range(4)]
        bandwidth.stop()
        for each in waiting:
            with pytest.raises(Cancelled):
                each.result(10)
    with pytest.raises(Cancelled):
        bandwidth.take(10**9)


def test_a_waiting_thread_asks_its_own_stop(clock: SimulatedClock) -> None:
    with pytest.raises(Cancelled):
        limited(clock, 1000).take(10**9, lambda: clock.now_s > 1.0)
    assert clock.now_s < 1.5


def test_after_a_stop_what_need_not_wait_may_end(clock: SimulatedClock) -> None:
    bandwidth = limited(clock, 0)
    bandwidth.stop()
    bandwidth.take(64 * KIB)


@pytest.mark.long
def test_sixteen_threads_keep_the_limit_for_ten_seconds() -> None:
    limit = 20_000_000
    bandwidth = Bandwidth(RealClock(), limit)
    taken = [0] * 16
    ended = threading.Event()

    def send(number: int) -> None:
        while not ended.is_set():
            bandwidth.take(64 * KIB)
            taken[number] += 64 * KIB

    with ThreadPoolExecutor(16) as pool:
        began_s = time.monotonic()
        for number in range(16):
            pool.submit(send, number)
        ended.wait(10.0)
        lasted_s, total = time.monotonic() - began_s, sum(taken)
        ended.set()
    print(f"\n16 threads at 20 MB/s for 10 s: {total / lasted_s / 1e6:.2f} MB/s")  # noqa: T201
    assert total / lasted_s == pytest.approx(limit, rel=0.05)
    assert min(taken) > 0.8 * max(taken)


@pytest.mark.parametrize(
    ("text", "bytes_per_s"),
    [
        ("20MB/s", 20_000_000),
        ("20 MB/s", 20_000_000),
        (" 2.5MiB/s ", 2_621_440),
        ("800kB", 800_000),
        ("800KB/s", 800_000),
        ("64 KiB/s", 65_536),
        ("1GB/s", 1_000_000_000),
        ("100Mbit/s", 12_500_000),
        ("100 mbit", 12_500_000),
        ("8Mbps", 1_000_000),
        ("1500000", 1_500_000),
        ("full", 0),
        ("Off", 0),
        ("none", 0),
        ("unlimited", 0),
    ],
)
def test_rates_as_people_write_them(text: str, bytes_per_s: int) -> None:
    assert parse_rate(text) == bytes_per_s


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not a rate"),
        ("fast", "not a rate"),
        ("-3MB/s", "not a rate"),
        ("2,5MB/s", "not a rate"),
        ("20Mb/s", "bytes or bits"),
        ("20mb", "bytes or bits"),
        ("20MB/h", "not a rate"),
        ("20TB/s", "not a unit"),
        ("20 parsecs", "not a unit"),
        ("0", "below 1 kB/s"),
        ("0.5kB/s", "below 1 kB/s"),
    ],
)
def test_what_is_no_rate_is_answered_with_examples(text: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word) as told:
        parse_rate(text)
    assert "MB/s" in told.value.remedy


@given(st.text(max_size=20))
def test_any_text_is_a_rate_or_a_settings_error(text: str) -> None:
    with suppress(SettingsError):
        assert parse_rate(text) >= 0


def test_the_lower_of_two_limits_where_0_is_none() -> None:
    assert lower_limit(0, 5000) == 5000
    assert lower_limit(7000, 5000) == 5000
    assert lower_limit(0, 0) == 0
