"""Requests as bytes on a connection of the test's own, and the server's end of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from core.serving.routing import Question, Result
from server.http.connections.runner import HttpRunner
from server.worker.fast_path.connection import FastConnection
from tests.server.questions import asks
from tests.server.worker_fixture import Worker
from tests.sockets import is_read
from tests.waiting import until

VOLATILE = ("timestamp", "prediction_id")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def lasting(self) -> dict[str, Any]:
        """The body without the values that differ with every answer."""
        data = self.body["data"]
        kept = data and {key: value for key, value in data.items() if key not in VOLATILE}
        return {**self.body, "data": kept, "timestamp": None}


def request(body: bytes, path: str = "/reversal/predict", first: str = "POST {} HTTP/1.1", **headers: str) -> bytes:
    given = {"Host": "x", "Content-Length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}
    lines = [first.format(path), *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """A connection to a server with or without the fast path. It counts the requests that took aiohttp's path."""

    def __init__(self, runner: HttpRunner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._runner = runner
        self.reader = reader
        self.writer = writer

    @property
    def usual(self) -> int:
        """Requests that took aiohttp's path."""
        assert self._runner.server is not None
        return self._runner.server.requests_count

    async def send(self, *pieces: bytes) -> None:
        """Send the pieces. The server has received each piece before the next is sent."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if len(pieces) > 1:
                await until(lambda: is_read(self.writer.get_extra_info("socket")))

    async def receive_bytes(self) -> tuple[int, dict[str, str], bytes]:
        """The status, the headers and the body of the next answer."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode()
        status, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(status.split()[1]), headers, await self.reader.readexactly(int(headers["Content-Length"]))

    async def receive(self) -> Answer:
        status, headers, body = await self.receive_bytes()
        return Answer(status, headers, json.loads(body))

    async def ask(self, *pieces: bytes) -> Answer:
        await self.send(*pieces)
        return await self.receive()


@asynccontextmanager
async def connected(runner: HttpRunner, port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    own = writer.get_extra_info("sockname")
    await until(lambda: runner.server is not None and own in [each.peername for each in runner.server.connections])
    yield Connection(runner, reader, writer)
    writer.close()


class Service(NamedTuple):
    worker: Worker
    runner: HttpRunner
    port: int

    @property
    def is_fast(self) -> bool:
        """Whether the connections have the fast path."""
        assert self.runner.server is not None
        return all(isinstance(each, FastConnection) for each in self.runner.server.connections)

    def connect(self) -> Any:  # noqa: ANN401
        return connected(self.runner, self.port)

    def handler_of(self, connection: Connection) -> Any:  # noqa: ANN401
        """The server's end of a connection."""
        assert self.runner.server is not None
        own = connection.writer.get_extra_info("sockname")
        return next(each for each in self.runner.server.connections if each.peername == own)


# Marks tests that are about the fast path itself.
on_the_fast_path = pytest.mark.parametrize("fast_path", [True], ids=["fast path"])


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


BODY = encoded(asks(0.82))
JSON, ODD = "application/json", "application/json; charset=utf-8"


class Slow:
    """A predictor that counts its questions and runs a step of the test before each prediction."""

    def __init__(self, worker: Worker, step: Callable[[], None]) -> None:
        self.asked: list[int] = []
        self._predict = worker.predictor.predict
        self.step = step
        worker.predictor.predict = self  # type: ignore[method-assign]

    def __call__(self, snapshot: Any, questions: Sequence[Question]) -> list[Result]:  # noqa: ANN401 - passed on
        self.asked.append(len(questions))
        self.step()
        return self._predict(snapshot, questions)
