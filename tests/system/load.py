"""Clients of a running server: many that send predictions and keep every answer, and calls that manage it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import aiohttp

from tests.processes import post
from tests.waiting import wait_until

# The number of requests on one connection. The next connection can reach another worker.
PER_CONNECTION = 25
# The pause after a connection was refused or lost.
PAUSE_SECONDS = 0.02
_MOST_ANSWERS = 200_000
_TIMEOUT = aiohttp.ClientTimeout(total=30)

Body = Callable[[int, int], dict[str, Any]]


class Answer(NamedTuple):
    """The answer to one request. Times are of time.monotonic(). Status 0: the connection was lost, with the `error`."""

    sent: float
    came: float
    status: int
    data: dict[str, Any]
    error: str = ""

    @property
    def prediction_id(self) -> str | None:
        """The prediction's id; None without an experiment."""
        return self.data.get("prediction_id")

    @property
    def experiment(self) -> str | None:
        """The experiment's id; None without an experiment."""
        found = self.data.get("experiment")
        return None if found is None else found["experiment_id"]


def question(client: int, number: int) -> dict[str, Any]:
    """The body of a small prediction for the bundles of the `models` fixture: one of 97 users, one of 50 windows."""
    level = (number % 50) / 50
    return {
        "pair": ("EUR/USD", "GBP/USD", "USD/JPY")[client % 3],
        "features": [[level, level]] * 4,
        "user_id": f"user{(client * 31 + number) % 97}",
    }


class Load:
    """Several clients on keep-alive connections, in a separate thread."""

    def __init__(
        self,
        url: str,
        *,
        clients: int = 6,
        pause: float = 0.0,
        body: Body = question,
        per_connection: int = PER_CONNECTION,
    ) -> None:
        """`pause`: seconds between an answer and the client's next request."""
        self.clients = clients
        self.answers: list[Answer] = []
        self._url = f"{url}/reversal/predict"
        self._pause = pause
        self._body = body
        self._per_connection = per_connection
        self._ending = threading.Event()

    @property
    def refused(self) -> list[Answer]:
        """Answers with another status than 200. Lost connections are not among them."""
        return [answer for answer in self.answers if answer.status not in (0, 200)]

    @property
    def lost(self) -> list[Answer]:
        """Requests that got no answer."""
        return [answer for answer in self.answers if answer.status == 0]

    @property
    def answered_ids(self) -> set[str]:
        """The ids of all predictions under an experiment."""
        return {answer.prediction_id for answer in self.answers if answer.prediction_id is not None}

    def since(self, moment: float) -> list[Answer]:
        """Answers to requests that were sent after a moment."""
        return [answer for answer in self.answers if answer.sent > moment]

    def wait_for(self, count: int, seconds: float = 30) -> None:
        """Wait until `count` further predictions have been answered."""
        since = time.monotonic()
        wait_until(lambda: sum(answer.status == 200 for answer in self.since(since)) >= count, seconds)

    @contextmanager
    def running(self) -> Iterator[Load]:
        """Send requests until the block ends."""
        thread = threading.Thread(target=lambda: asyncio.run(self._all()), name="load")
        thread.start()
        try:
            yield self
        finally:
            self._ending.set()
            thread.join()

    async def _all(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self.clients)))

    async def _client(self, client: int) -> None:
        number = 0
        while not self._done():
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
                for number in range(number, number + self._per_connection):  # noqa: B020 - it continues from its last value
                    if self._done():
                        break
                    answer = await self._ask(session, json.dumps(self._body(client, number)).encode())
                    self.answers.append(answer)
                    await asyncio.sleep(self._pause if answer.status else PAUSE_SECONDS)

    def _done(self) -> bool:
        return self._ending.is_set() or len(self.answers) >= _MOST_ANSWERS

    async def _ask(self, session: aiohttp.ClientSession, body: bytes) -> Answer:
        sent = time.monotonic()
        headers = {"Content-Type": "application/json"}
        try:
            async with session.post(self._url, data=body, headers=headers) as response:
                answer = await response.json()
                came = time.monotonic()
                return Answer(sent, came, response.status, answer["data"] or {}, answer["error"] or "")
        except (aiohttp.ClientError, OSError) as error:
            return Answer(sent, time.monotonic(), 0, {}, repr(error))


def create(url: str, experiment_id: str, **fields: object) -> None:
    """Create an experiment, as a draft, that compares v1 with v2."""
    body = {"experiment_id": experiment_id, "name": "Test", "variant_a": "v1", "variant_b": "v2", "traffic_split": 0.5}
    status, answer = post(f"{url}/reversal/experiments", body | fields)
    assert status == 201, answer


def change(url: str, path: str) -> dict[str, Any]:
    """Send a management call, which must succeed. Returns its data."""
    status, answer = post(f"{url}/reversal/{path}")
    assert status == 200, answer
    data: dict[str, Any] = answer["data"]
    return data


def start_experiment(url: str, experiment_id: str, **fields: object) -> None:
    """Create an experiment and activate it."""
    create(url, experiment_id, **fields)
    change(url, f"experiments/{experiment_id}/activate")


def print_figures(figures: str) -> None:
    """Print the figures of a run. pytest shows them with -s, and if the test fails."""
    print(figures)  # noqa: T201 - pytest captures standard output


def message(path: str, body: bytes = b"", method: str = "POST", **headers: str) -> bytes:
    given = {"Host": "localhost", "Content-Length": str(len(body)), "Connection": "keep-alive", **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
