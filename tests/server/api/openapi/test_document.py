from __future__ import annotations

import inspect
import json
import re
from typing import Any

import jsonschema_rs
import pytest

from server.api.openapi.document import document
from server.api.openapi.operations import OPERATIONS
from server.auth.access import Level
from server.http.errors import STATUS
from server.worker.routes import ROUTES
from tests import described


def operations(*, tokens: bool) -> dict[tuple[str, str], dict[str, Any]]:
    paths = json.loads(document(tokens=tokens))["paths"]
    return {(method.upper(), path): each for path, methods in paths.items() for method, each in methods.items()}


def test_every_endpoint_is_described_and_nothing_else() -> None:
    assert set(operations(tokens=False)) == {(route.method, route.path) for route in ROUTES}


def test_the_token_that_each_needs_is_what_its_route_asks_for() -> None:
    levels = {(each.method, each.path): each.level for each in OPERATIONS}
    for route in ROUTES:
        guard = inspect.getclosurevars(route.handler).nonlocals.get("level")
        assert levels[route.method, route.path] is guard, route.path
    for place, told in operations(tokens=True).items():
        assert ("security" in told) is (levels[place] is not None)
        assert ("401" in told["responses"]) is (levels[place] is not None)
        assert ("403" in told["responses"]) is (levels[place] is Level.ADMIN)


def test_without_tokens_none_are_spoken_of() -> None:
    text = document(tokens=False)
    assert b"security" not in text
    assert b"UNAUTHORIZED" not in text.partition(b'"components"')[0]


def test_without_tokens_each_may_be_refused_for_its_host() -> None:
    for told in operations(tokens=False).values():
        assert told["responses"]["403"]["x-codes"] == ["FORBIDDEN"]


def test_schemas_are_good_ones_and_all_of_them_are_used() -> None:
    found = json.loads(document(tokens=True))
    schemas = found["components"]["schemas"]
    for schema in schemas.values():
        jsonschema_rs.meta.validate(schema)
    assert {*re.findall(r'"#/components/schemas/(\w+)"', json.dumps(found))} == set(schemas)


def test_every_code_is_told_where_it_may_be_met() -> None:
    told = {code for each in OPERATIONS for code in (*each.codes, *each.in_body)}
    of_every_endpoint = {"INTERNAL", "UNAUTHORIZED", "FORBIDDEN", "RATE_LIMITED", "NOT_FOUND", "METHOD_NOT_ALLOWED"}
    assert told | of_every_endpoint == set(STATUS)


@pytest.mark.parametrize("text", ["EUR/USD\n", "eur/usd", "EURUSD"])
def test_patterns_mean_what_they_do_in_the_decoder(text: str) -> None:
    pair = described.description()["components"]["schemas"]["PredictRequest"]["properties"]["pair"]
    assert jsonschema_rs.is_valid(pair, "EUR/USD")
    assert not jsonschema_rs.is_valid(pair, text)


def test_what_may_be_left_out_of_a_request_has_no_default_that_generators_take_for_a_promise() -> None:
    schemas = described.description()["components"]["schemas"]
    for name in ("PredictRequest", "CompareRequest", "Candle", "Evaluate"):
        properties, required = schemas[name]["properties"], set(schemas[name].get("required", ()))
        assert not [field for field, schema in properties.items() if "default" in schema], name
        assert required < set(properties)
    assert schemas["Candle"]["required"] == ["open", "high", "low", "close"]
