from __future__ import annotations

from itertools import count

import pytest

from server.keeper.dashboard import events
from server.keeper.dashboard.events import SHOWN, Events
from server.protocol.pages import ShownSignal

_numbers = count(1)


def signal(latency: float = 0.0) -> ShownSignal:
    """A signal that differs from all others by its prediction's id."""
    shown = ("at", "EUR/USD", "1h", "hold", 0.9, 0.1, None, 0.5, "v1", latency)
    return ShownSignal(*shown, (), None, None, str(next(_numbers)), None, 7)


def told(of: Events, *signals: ShownSignal, more: int = 0, size: int = 100) -> str:
    """Add an event with signals, and with further answers that are not among them; returns its id."""
    number = of.next()
    of.add_signals(signals, of.answered + len(signals) + more, size)
    return number


def test_a_new_page_gets_the_newest_signals() -> None:
    of, signals = Events(), [signal() for _ in range(SHOWN + 50)]
    for each in signals:
        told(of, each)
    missed = of.since(None)
    assert (missed.resumed, missed.missed, missed.changed) == (False, None, ())
    assert list(missed.signals) == signals[50:]


def test_a_page_resumes_with_what_it_has_not_seen() -> None:
    of = Events()
    seen = told(of, signal(), more=1000)
    later = [signal(), signal()]
    told(of, later[0], more=3)
    of.next()
    of.add_change("models")
    told(of, later[1], more=4)
    assert of.since(seen) == (True, 7, later, ("models",))
    assert of.since(of.last) == (True, 0, [], ())


def test_a_page_that_was_away_for_too_long_is_told_how_much_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT_SIGNALS", 300)
    of = Events()
    seen = told(of, signal())
    for _ in range(400):
        told(of, signal())
    missed = of.since(seen)
    assert (missed.resumed, missed.missed, len(missed.signals)) == (False, 400 - SHOWN, SHOWN)


def test_a_page_that_was_away_longer_than_counts_are_kept_is_told_that_it_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "KEPT_COUNTS", 10)
    monkeypatch.setattr(events, "KEPT_SIGNALS", 5)
    of = Events()
    seen = told(of, signal())
    for _ in range(20):
        told(of, signal())
    assert of.since(seen)[:2] == (False, None)


@pytest.mark.parametrize(("limit", "value"), [("KEPT_SIGNALS", 40), ("KEPT_EVENTS", 10), ("KEPT_BYTES", 1_000)])
def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(events, limit, value)
    of = Events()
    ids = [told(of, *(signal() for _ in range(4))) for _ in range(100)]
    assert [of.since(each).resumed for each in ids] == [False] * 89 + [True] * 11


@pytest.mark.parametrize(
    "last",
    ["", "x", "other-1", "{epoch}-", "{epoch}--1", "{epoch}-1e3", "{epoch}-4", "{epoch}-" + "9" * 40, "1-{epoch}"],
)
def test_an_id_that_is_not_of_this_start_resumes_nothing(last: str) -> None:
    of = Events()
    for _ in range(3):
        told(of, signal())
    missed = of.since(last.format(epoch=of.epoch))
    assert (missed.resumed, missed.missed, len(missed.signals)) == (False, None, 3)


def test_each_start_has_another_epoch() -> None:
    assert Events().epoch != Events().epoch
