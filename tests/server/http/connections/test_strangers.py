"""Connections without a request: each is counted, and a second has at most one line of each kind."""

from __future__ import annotations

import logging
import math
from collections import Counter

import pytest

from server.http.connections.strangers import KINDS, Kind, Strangers

EVENTS: dict[Kind, str] = {
    "not_http": "request_unreadable",
    "tls": "connection_failed",
    "silent": "connection_silent",
}


class At:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_thousand_of_each_kind_in_a_second_are_one_line_each_and_then_their_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    counts: Counter[Kind] = Counter()
    clock = At()
    strangers = Strangers(lambda kind: counts.update([kind]), clock)
    for i in range(1000):
        for kind in EVENTS:
            strangers.note(kind, f"10.0.0.{i % 250}", "Odd")
        clock.now += 0.0005
        strangers.flush()
    assert counts == dict.fromkeys(KINDS, 1000)
    assert caplog.messages == [f"{event} address=10.0.0.0 error=Odd count=1" for event in EVENTS.values()]
    caplog.clear()
    clock.now += 1.0
    strangers.flush()
    assert caplog.messages == [f"{event} address=10.0.0.249 error=Odd count=999" for event in EVENTS.values()]
    caplog.clear()
    strangers.flush(math.inf)
    assert caplog.messages == []


def test_the_last_ones_are_logged_when_the_server_stops(caplog: pytest.LogCaptureFixture) -> None:
    strangers = Strangers(lambda _: None, At())
    for _ in range(3):
        strangers.note("tls", None, "")
    strangers.flush(math.inf)
    assert [each.rpartition(" ")[2] for each in caplog.messages] == ["count=1", "count=2"]
