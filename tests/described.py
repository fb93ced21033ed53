"""Checks every answer of a test's server against /openapi.json. Fields that it does not describe are errors."""

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
    """The description of an answer, with tokens or without. Raises KeyError if there is none."""
    found: dict[str, Any] = {}
    for tokens in (False, True):
        found |= description(tokens=tokens)["paths"][path][method.lower()]["responses"]
    answer: dict[str, Any] = found[str(status)]
    return answer


@cache
def _validator(method: str, path: str, status: int, content_type: str) -> jsonschema_rs.Draft202012Validator | None:
    """The validator of a body; None if any body is allowed. Raises KeyError if the answer is not described."""
    media = described(method, path, status)["content"][content_type]
    if "schema" not in media:
        return None
    components = {"schemas": description()["components"]["schemas"]}
    return jsonschema_rs.Draft202012Validator(_strict(media["schema"] | {"components": components}))


def _strict(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """A copy of a schema that forbids undescribed properties. A schema without `required` still allows them."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    if "properties" in schema and "required" in schema and "additionalProperties" not in schema:
        found["additionalProperties"] = False
    return found


def check(method: str, path: str, status: int, body: bytes, content_type: str = "application/json") -> None:
    """Raise if the description does not allow an endpoint's answer."""
    method = METHODS.get(method, method)
    validator = _validator(method, path, status, content_type)
    if validator is None:
        return
    answer = json.loads(body)
    validator.validate(answer)
    if "code" in answer:
        assert answer["code"] in described(method, path, status)["x-codes"]


async def preparing(request: web.Request, response: web.StreamResponse) -> None:
    """Check every answer, as a handler of aiohttp's signal. Endpoints that only a test adds are not checked."""
    route = request.match_info.route
    path = route.resource.canonical if route.resource is not None else ""
    if path in description()["paths"] and isinstance(response, web.Response) and isinstance(response.body, bytes):
        check(request.method, path, response.status, response.body, response.content_type)
