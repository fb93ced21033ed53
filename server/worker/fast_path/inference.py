"""Requests of the Open Inference Protocol on the fast path."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

from core.errors import ServiceError
from core.serving.routing import Answered, Question
from server.api.endpoints import ENDPOINTS
from server.api.schemas.open_inference import MODEL
from server.http.admission import Admission
from server.http.bodies.body import BINARY, JSON
from server.http.headers import RAW_ANSWER, RAW_TENSORS, raw
from server.logs.request_id import HEADER as REQUEST_ID
from server.logs.request_id import during
from server.open_inference import rest
from server.open_inference.bodies import written
from server.worker.open_inference.infer import Asked, InferenceService, Inferred

CONTENT_TYPES = (JSON, BINARY)

# The endpoints of predictions by the protocol, each with the paths of the model's versions. A name that is written
# otherwise, such as with %20, takes aiohttp's path.
_PATHS = {
    each.path: re.compile(each.path.format(model=MODEL, version=r"(?P<version>[\w.-]+)"), re.ASCII)
    for each in ENDPOINTS
    if each.handler == "inference.infer"
}


class Target(NamedTuple):
    """What a path asks for. version: None if it names none. endpoint: as in the table of endpoints."""

    version: str | None
    endpoint: str


@lru_cache(maxsize=64)
def target_of(path: str) -> Target | None:
    """The target of a path; None if it is not one of a prediction by the protocol."""
    for endpoint, paths in _PATHS.items():
        if (found := paths.fullmatch(path)) is not None:
            return Target(found.groupdict().get("version"), endpoint)
    return None


class Written(NamedTuple):
    """A whole answer with its head, and the size of its body."""

    text: bytes
    size: int


class Exchange:
    """One request and its answer. admission: where the request has its place."""

    __slots__ = ("_asked", "_came", "_request_id", "_service", "_target", "_task", "admission")

    def __init__(self, service: InferenceService, target: Target, request_id: str) -> None:
        self.admission: Admission = service.admission
        self._service = service
        self._target = target
        self._came: float | None = None  # when `read` was called, of time.perf_counter
        self._request_id = request_id
        self._asked: Asked
        self._task: asyncio.Task[Inferred[rest.EncodedAnswer]] | None = None  # answers a request of several items

    @property
    def endpoint(self) -> str:
        """The path as in the table of endpoints."""
        return self._target.endpoint

    def read(self, body: bytes, headers: Mapping[str, str], came: float, until: float) -> int:
        """Decode a body, and return how many items it has.

        Raises UnknownVersion, MalformedJson, InvalidInput or PayloadTooLarge.
        """
        self._came = came
        self._service.check_version(self._target.version)
        inference = rest.inference(body, headers.get(rest.HEADER), self._target.version)
        self._asked = Asked.of(inference, came, until, self._request_id)
        return self._asked.questions.count

    def question(self) -> Question:
        """The question of a request of one item. Raises InvalidInput."""
        return self._asked.questions.question(0)

    def written(self, question: Question, result: Answered, parsed: float, date: str) -> Written:
        """The answer to a request of one item. parsed: when the question was known, of time.perf_counter."""
        (body, _, length), timing = self._service.written(self._asked, question, result, parsed, written)
        head = date.encode(), self._request_id.encode(), timing.encode()
        if length is None:
            return Written(RAW_ANSWER % (len(body), *head, body), len(body))
        return Written(RAW_TENSORS % (length.encode(), len(body), *head, body), len(body))

    def ask_several(self, done: Callable[[], None]) -> None:
        """Begin to answer a request of several items; calls `done` once `several` has the answer. Raises Overloaded."""
        self._service.batch_admission.enter()
        self.admission.leave()
        self.admission = self._service.batch_admission
        with during(self._request_id):
            task = asyncio.get_running_loop().create_task(self._service.infer_several(self._asked, written))
        self._task = task
        task.add_done_callback(lambda _: None if task.cancelled() else done())

    def several(self, date: str) -> Written:
        """The answer to a request of several items. Raises what made it fail."""
        assert self._task is not None  # noqa: S101 - it has called `done`
        return self._whole(self._task.result(), date)

    def abandon(self) -> None:
        """End the work for a client that has disconnected."""
        if self._task is not None:
            self._task.cancel()

    def failed(self, error: Exception) -> None:
        """Count a failure in the statistics of the protocol, unless the body was not looked at."""
        if self._came is not None and isinstance(error, ServiceError):
            self._service.count_failure(self._target.version, perf_counter() - self._came)

    def _whole(self, inferred: Inferred[rest.EncodedAnswer], date: str) -> Written:
        body, content_type, length = inferred.written
        headers = {"Content-Type": content_type, REQUEST_ID: self._request_id}
        if length is not None:
            headers[rest.HEADER] = length
        return Written(raw(200, headers, date, body), len(body))
