"""Management calls all the time, beside a load of predictions."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from tests.processes import Server, get, post

_PAUSE_SECONDS = 0.1


CREATED = 201
_SUCCESS = (200, CREATED)


class Call(NamedTuple):
    """When a call was sent and answered, by time.monotonic(), and its status."""

    sent: float
    ended: float
    status: int

    @property
    def failed(self) -> bool:
        """Whether the call was refused or failed."""
        return self.status not in _SUCCESS


@contextmanager
def managed(server: Server) -> Iterator[list[Call]]:
    """Call the server's management during the block: a call that writes, then one that reads. Yields the calls."""
    calls: list[Call] = []
    ending = threading.Event()
    url = f"{server.url}/reversal/experiments"

    def call() -> None:
        number = 0
        while not ending.wait(_PAUSE_SECONDS):
            number += 1
            body = {"experiment_id": f"draft-{number}", "name": "Test", "traffic_split": 0.5}
            body |= {"variant_a": "v1", "variant_b": "v2"}
            for send in (partial(post, url, body), partial(get, url)):
                sent = time.monotonic()
                status, _ = send()
                calls.append(Call(sent, time.monotonic(), status))

    thread = threading.Thread(target=call, name="management")
    thread.start()
    try:
        yield calls
    finally:
        ending.set()
        thread.join()
