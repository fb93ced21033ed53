"""The whole description of the API."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson

from core.errors import ServiceError
from core.version import VERSION
from server.api import endpoints
from server.api.endpoint import Endpoint
from server.api.openapi import examples
from server.api.openapi.components import schemas
from server.api.schemas.json_schema import TEXT, Schema, ref
from server.api.schemas.shared import envelope
from server.auth.access import Level
from server.http.bodies.body import BINARY
from server.http.deadline import HEADER, MOST_MS
from server.http.errors import ENVELOPE, PROTOCOL, FailureForm
from server.http.headers import JSON_LENGTH

_ABOUT = (
    "Predict hold, long or short from candles. Unknown fields of a body are ignored, except when an experiment is"
    " created. Numbers as strings are refused. Every failure has `error`, a sentence for the log, and `code`, which is"
    " stable and meant for programs."
)
# The parts of the API, in the order in which a page shows them, with the modules of their handlers.
_PARTS = (
    ("Predictions", "Candles in, signal out.", ("predict", "batch", "compare", "explain")),
    ("Versions", "Which detectors there are, and which of them answers.", ("models", "versions")),
    (
        "Experiments",
        "Two versions compared on real users, and the outcomes of their predictions.",
        ("experiments", "planning", "evaluation", "notes", "report", "export", "outcomes"),
    ),
    ("Open Inference Protocol", "The same detectors for clients of KServe and Triton.", ()),
    ("Dashboard", "The page that shows what the server does, and its sessions.", ("dashboard",)),
    ("Server", "Health, metrics, and this description.", ()),  # all others
)
_PART_OF = {module: name for name, _, modules in _PARTS for module in modules}
_IN_PATH = re.compile(r"{(\w+)}")
_TIMEOUT: Schema = {"name": HEADER, "in": "header", "schema": {"type": "integer", "minimum": 1, "maximum": MOST_MS}}
_WAITS = "The milliseconds that the client waits. Work that has not begun by then is not done."
_BODY_WAITS = "The milliseconds in which the body must arrive."
_LENGTH: Schema = {"type": "integer", "minimum": 0}
_LENGTH_SENT = (
    "Only with binary data: the bytes of the JSON object, which the binary data of the inputs follow. 0: the whole body"
    " is one series of candles, five FP64 each."
)
_LENGTH_ANSWERED = "Only with binary data: the bytes of the JSON object, which the binary data of the outputs follow."
_RETRY_AFTER: Schema = {
    "Retry-After": {
        "description": "With OVERLOADED and RATE_LIMITED: retry after these seconds.",
        "schema": {"type": "integer"},
    }
}
_WITH_RETRY_AFTER = frozenset({"OVERLOADED", "RATE_LIMITED"})
# Codes of failures that only a server with tokens has.
_OF_TOKENS = frozenset({"UNAUTHORIZED", "RATE_LIMITED"})


@cache
def document(*, tokens: bool) -> bytes:
    """The description as JSON. tokens: whether the server requires tokens."""
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for endpoint in endpoints.ENDPOINTS:
        paths[endpoint.path][endpoint.method.lower()] = _operation(endpoint, tokens=tokens)
    components: dict[str, Any] = {"schemas": schemas(), "examples": examples.components() | _failure_examples()}
    if tokens:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    tags = [{"name": name, "description": text} for name, text, _ in _PARTS]
    info = {"title": "Reversal", "version": VERSION, "description": _ABOUT}
    return orjson.dumps({"openapi": "3.1.0", "info": info, "tags": tags, "paths": paths, "components": components})


def _operation(it: Endpoint, *, tokens: bool) -> dict[str, Any]:
    part = (
        "Open Inference Protocol" if it.failures is PROTOCOL else _PART_OF.get(it.handler.partition(".")[0], "Server")
    )
    found: dict[str, Any] = {"operationId": it.operation_id, "summary": it.summary, "tags": [part]}
    if parameters := list(_parameters(it)):
        found["parameters"] = parameters
    if it.request is not None:
        most = f"At most {it.largest_body:,} bytes, both as it is sent and decompressed."
        kind = it.request.__name__
        content: dict[str, Schema] = {"application/json": {"schema": ref(kind)} | examples.of_body(kind)}
        content |= {media: {} for media in it.other_bodies}
        found["requestBody"] = {"description": most, "required": it.requires_body, "content": content}
    found["responses"] = {str(it.status): _success(it)} | _failures(it, tokens=tokens)
    if tokens and it.level is not Level.OPEN:
        found["security"] = [{"token": []}]
    return found


def _parameters(it: Endpoint) -> Iterator[Schema]:
    for name in _IN_PATH.findall(it.path):
        example = examples.of_parameter(it.operation_id, name)
        yield {"name": name, "in": "path", "required": True, "schema": TEXT} | example
    for name, schema in it.query.items():
        yield {"name": name, "in": "query", "schema": schema}
    if BINARY in it.other_bodies:
        yield {"name": JSON_LENGTH, "in": "header", "description": _LENGTH_SENT, "schema": _LENGTH}
    if "DEADLINE_EXCEEDED" in it.implied_codes:
        yield _TIMEOUT | {"description": _BODY_WAITS if it.answered_by == "keeper" else _WAITS}


def _success(it: Endpoint) -> dict[str, Any]:
    content: dict[str, Schema] = {media: {} for media in it.media}
    if it.answer is not None:
        schema = ref(it.answer) if it.bare else envelope(ref(it.answer))
        content = {media: {"schema": schema} for media in it.media} | {page: {} for page in it.pages}
    found: dict[str, Any] = {"description": it.summary, "content": content}
    if BINARY in it.pages:
        found["headers"] = {JSON_LENGTH: {"description": _LENGTH_ANSWERED, "schema": _LENGTH}}
    return found


def _failures(it: Endpoint, *, tokens: bool) -> dict[str, Any]:
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys((*it.implied_codes, *it.codes, *_codes_of_level(it, tokens=tokens))):
        if code in _OF_TOKENS and not tokens:
            continue
        by_status[it.failures.status(code, in_body=False)].append(code)
    for code in it.codes_in_body:
        by_status[it.failures.status(code, in_body=True)].append(code)
    found = {str(status): _failure(it, codes) for status, codes in sorted(by_status.items())}
    if it.unwell:
        found["503"] = _success(it) | {"description": "It is not."}
    return found


def _codes_of_level(it: Endpoint, *, tokens: bool) -> Iterator[str]:
    if it.level is Level.ADMIN or not tokens:  # without tokens: for unknown hosts and pages of other origins
        yield "FORBIDDEN"
    if it.level is Level.OPEN:
        return
    yield "INTERNAL"
    if tokens:
        yield from ("UNAUTHORIZED", "RATE_LIMITED")


def _failure(it: Endpoint, codes: list[str]) -> dict[str, Any]:
    described = {
        "description": " ".join(f"{code}: {_MEANINGS[code]}" for code in codes),
        "x-codes": codes,
        "content": {"application/json": {"schema": ref(it.failures.schema), "examples": _examples(it.failures, codes)}},
    }
    return described | ({"headers": _RETRY_AFTER} if _WITH_RETRY_AFTER & {*codes} else {})


def _examples(form: FailureForm, codes: list[str]) -> dict[str, Any]:
    """References to `_failure_examples`. Without them a page shows the first code of all for every status."""
    return {code: {"$ref": f"#/components/examples/{form.schema}-{code}"} for code in codes}


def _failure_examples() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for code, meaning in _MEANINGS.items():
        bare = {"error": meaning, "code": code}
        whole = {"success": False, "data": None, **bare, "timestamp": "2026-01-01T00:00:00+00:00"}
        for form, value in ((ENVELOPE, whole), (PROTOCOL, bare)):
            found[f"{form.schema}-{code}"] = {"summary": code, "value": value}
    return found


def _meanings(kind: type[ServiceError]) -> Iterator[tuple[str, str]]:
    """The first line of the docstring of each error, by code."""
    for each in kind.__subclasses__():
        if "code" in vars(each):
            yield each.code, (each.__doc__ or "").split("\n", 1)[0]
        yield from _meanings(each)


_MEANINGS = {"INTERNAL": "A bug in the server; its log has the details.", **dict(_meanings(ServiceError))}
