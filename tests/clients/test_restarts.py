"""Signals that the Node client asks for while the server restarts: each is answered and counted once."""

from __future__ import annotations

import json

import pytest

from tests.clients.places import node


@pytest.mark.parametrize(("signals", "restarts"), [(500, 2), pytest.param(10_000, 10, marks=pytest.mark.long)])
def test_no_signal_is_lost_or_counted_twice_over_restarts(signals: int, restarts: int) -> None:
    found = json.loads(node("test/restarts.mjs", str(signals), str(restarts)).splitlines()[-1])
    assert (found["signals"], found["distinct"], found["exported"], found["lost"]) == (signals,) * 3 + (0,)
