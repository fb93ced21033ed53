from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable

import pytest

from server.auth import failed_tokens
from server.auth.failed_tokens import LIMIT, WINDOW_SECONDS, FailedTokens

# The number of places in server.auth.failed_tokens, without those that addresses share.
PLACES = 16_384
SMALL_SETS = 16


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failed(clock: Clock) -> FailedTokens:
    return FailedTokens(clock)


def run_in_child(work: Callable[[], object]) -> int:
    """Fork a process that ends after its work. Returns its id."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def test_a_wrong_token_is_refused_after_the_limit_and_until_the_window_ends(failed: FailedTokens, clock: Clock) -> None:
    first = failed.add("192.0.2.1")
    assert (first.number, first.refused, first.retry_after) == (1, False, WINDOW_SECONDS)
    clock.seconds += 20.5
    assert [failed.add("192.0.2.1").refused for _ in range(LIMIT)] == [False] * (LIMIT - 1) + [True]
    assert failed.add("192.0.2.1").retry_after == 40  # 39.5 s, rounded up
    clock.seconds += WINDOW_SECONDS - 20.5
    last = failed.add("192.0.2.1")
    assert (last.refused, last.retry_after) == (True, 1)
    clock.seconds += 0.001
    assert failed.add("192.0.2.1").number == 1


def test_thousands_of_wrong_tokens_do_not_end_the_limit(failed: FailedTokens) -> None:
    assert sum(failed.add("192.0.2.1").refused for _ in range(70_000)) == 70_000 - LIMIT


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "::FFFF:c000:201", True),
        ("192.0.2.1", "64:ff9b::c000:201", True),  # RFC 6052
        ("64:ff9b::c000:201", "64:ff9b::c000:202", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("::1", "::2", True),
        ("unix", "unix", True),
        ("unix", "", False),
        ("unix", "192.0.2.1", False),
    ],
)
def test_what_counts_as_one_address(failed: FailedTokens, one: str, other: str, same: bool) -> None:  # noqa: FBT001
    failed.add(one)
    assert (failed.add(other).number == 2) is same


def test_an_attacker_with_many_addresses_resets_no_count_and_throttles_no_address(failed: FailedTokens) -> None:
    for _ in range(LIMIT):
        failed.add("192.0.2.1")
    for i in range(4 * PLACES):
        failed.add(f"2001:db8:{i >> 16:x}:{i & 0xFFFF:x}::1")
    assert failed.add("192.0.2.1").refused
    assert not any(failed.add(f"198.51.100.{i}").refused for i in range(256))


def test_addresses_without_a_place_are_counted_together_until_places_are_free(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed_tokens, "_SETS", SMALL_SETS)
    failed = FailedTokens(clock)

    def refused(count: int) -> int:
        return sum(failed.add(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}").refused for i in range(count))

    for i in range(64 * SMALL_SETS):  # each set gets more than eight of them
        for _ in range(LIMIT):
            failed.add(f"2001:db8:0:{i:x}::1")
    assert failed.add("2001:db8::1").refused
    assert refused(100) == 100
    clock.seconds += WINDOW_SECONDS + 1.0
    assert refused(100) == 0


@pytest.mark.parametrize("memory", [True, False], ids=["in memory", "in a file"])
def test_all_processes_count_together(monkeypatch: pytest.MonkeyPatch, *, memory: bool) -> None:
    def forbidden(_: str) -> int:
        raise PermissionError

    if not memory:  # as in a container that forbids it
        monkeypatch.setattr(os, "memfd_create", forbidden)
    failed = FailedTokens()
    each = 40  # below the largest count that is kept
    children = [run_in_child(lambda: [failed.add("192.0.2.1") for _ in range(each)]) for _ in range(4)]
    for child in children:
        os.waitpid(child, 0)
    assert failed.add("192.0.2.1").number == 4 * each + 1


def test_a_process_that_is_killed_or_stopped_while_it_counts_stops_no_other() -> None:
    failed = FailedTokens()
    ready, tell = os.pipe()

    def hold() -> None:
        with failed._locked():  # noqa: SLF001 - the moment at which it is killed
            os.write(tell, b"x")
            signal.pause()

    child = run_in_child(hold)
    assert os.read(ready, 1) == b"x"
    os.kill(child, signal.SIGSTOP)
    os.waitpid(child, os.WUNTRACED)
    assert failed.add("192.0.2.1").number == 1
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert failed.add("192.0.2.1").number == 2
    assert failed._lock()  # noqa: SLF001 - the kernel has released it
    for end in (ready, tell):
        os.close(end)


def test_processes_that_are_killed_at_any_moment_leave_a_table_that_counts() -> None:
    failed = FailedTokens()
    ready, tell = os.pipe()

    def attack() -> None:
        for i in itertools.count():
            failed.add(f"10.0.{i >> 8 & 255}.{i & 255}")
            os.write(tell, b"x")

    for i in range(20):
        child = run_in_child(attack)
        for _ in range(i):
            os.read(ready, 1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert [failed.add("192.0.2.1").refused for _ in range(LIMIT + 1)] == [False] * LIMIT + [True]
    for end in (ready, tell):
        os.close(end)
