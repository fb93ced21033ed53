"""What a test's server answers is what /openapi.json describes, and nothing beside it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema_rs
from aiohttp import web

from server.api.openapi.document import document

METHODS = {"HEAD": "GET"}


@cache
def description(*, tokens: bool = True) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(document(tokens=tokens))
    return described


def described(method: str, path: str, status: int) -> dict[str, Any]:
    """What is said of an answer, with tokens or without. Raises KeyError where nothing is."""
    found: dict[str, Any] = {}
    for tokens in (False, True):
        found |= description(tokens=tokens)["paths"][path][method.lower()]["responses"]
    answer: dict[str, Any] = found[str(status)]
    return answer


@cache
def _validator(method: str, path: str, status: int) -> jsonschema_rs.Draft202012Validator | None:
    """Null where any content will do. Raises KeyError for what is not described."""
    (media,) = described(method, path, status)["content"].values()
    if "schema" not in media:
        return None
    components = {"schemas": description()["components"]["schemas"]}
    return jsonschema_rs.Draft202012Validator(_strict(media["schema"] | {"components": components}))


def _strict(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """The same, but without room for what is not named. Only whole records list what they require."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    if "properties" in schema and "required" in schema and "additionalProperties" not in schema:
        found["additionalProperties"] = False
    return found


def check(method: str, path: str, status: int, body: bytes) -> None:
    """Raise where the answer of an endpoint is not described."""
    method = METHODS.get(method, method)
    validator = _validator(method, path, status)
    if validator is None:
        return
    answer = json.loads(body)
    validator.validate(answer)
    if "code" in answer:
        assert answer["code"] in described(method, path, status)["x-codes"]


async def preparing(request: web.Request, response: web.StreamResponse) -> None:
    """The signal handler that looks at every answer. Endpoints that only the test has are its own affair."""
    route = request.match_info.route
    path = route.resource.canonical if route.resource is not None else ""
    if path in description()["paths"] and isinstance(response, web.Response) and isinstance(response.body, bytes):
        check(request.method, path, response.status, response.body)
