from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from server.api.endpoints import ENDPOINTS
from server.api.openapi.document import document
from server.api.openapi.meanings import MEANINGS
from server.auth.access import Level
from server.http.errors import STATUS
from tests import described
from tests.server.client import Client

# Open, and yet refused without the right token, or for a page of another origin.
SIGN_IN, SIGN_OUT = ("POST", "/dashboard/session"), ("POST", "/dashboard/session/end")


def operations(*, tokens: bool) -> dict[tuple[str, str], dict[str, Any]]:
    paths = json.loads(document(tokens=tokens))["paths"]
    return {(method.upper(), path): each for path, methods in paths.items() for method, each in methods.items()}


def test_every_endpoint_is_described_and_nothing_else(client: Client) -> None:
    assert client.app is not None
    routes = [route for route in client.app.router.routes() if route.method != "HEAD" and route.resource is not None]
    served = {(route.method, route.resource.canonical) for route in routes if route.resource is not None}
    assert set(operations(tokens=False)) == served
    assert len(served) == len(routes) == len(ENDPOINTS)


def test_each_belongs_to_a_part_of_the_api_that_is_described() -> None:
    parts: dict[str, set[str]] = {each["name"]: set() for each in json.loads(document(tokens=False))["tags"]}
    for (_, path), told in operations(tokens=False).items():
        (part,) = told["tags"]
        parts[part].add(path)
    assert all(parts.values())
    assert parts["Predictions"] >= {"/predict", "/reversal/predict", "/reversal/compare_raw"}
    assert parts["Server"] == {"/health", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/{file}"}
    assert all(path.startswith("/dashboard") for path in parts["Dashboard"])
    assert all(path.startswith("/v2") for path in parts["Open Inference Protocol"])
    assert all(path.startswith("/reversal/") for path in parts["Experiments"] | parts["Versions"])


def test_the_header_of_binary_data_is_told_where_bodies_have_them() -> None:
    for place, told in operations(tokens=False).items():
        is_binary = "application/octet-stream" in told.get("requestBody", {}).get("content", ())
        names = [each["name"] for each in told.get("parameters", ())]
        assert ("Inference-Header-Content-Length" in names) is is_binary, place
        assert (
            "Inference-Header-Content-Length" in next(iter(told["responses"].values())).get("headers", ())
        ) is is_binary, place
        assert is_binary is place[1].endswith("/infer")


def test_no_two_have_one_name() -> None:
    names = [told["operationId"] for told in operations(tokens=False).values()]
    assert len(set(names)) == len(names)


def test_the_token_that_each_needs_is_told() -> None:
    levels = {str(each): each.level for each in ENDPOINTS}
    for place, told in operations(tokens=True).items():
        level = levels[" ".join(place)]
        assert ("security" in told) is (level is not Level.OPEN)
        assert ("401" in told["responses"]) is (level is not Level.OPEN or place == SIGN_IN)
        assert ("403" in told["responses"]) is (level is Level.ADMIN or place in (SIGN_IN, SIGN_OUT))


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
    told = {code for each in ENDPOINTS for code in (*each.implied_codes, *each.codes, *each.codes_in_body)}
    of_every_endpoint = {"INTERNAL", "UNAUTHORIZED", "FORBIDDEN", "RATE_LIMITED", "NOT_FOUND", "METHOD_NOT_ALLOWED"}
    before_any_endpoint = {"MALFORMED_REQUEST", "EXPECTATION_FAILED", "HTTP_VERSION_NOT_SUPPORTED"}
    assert told | of_every_endpoint | before_any_endpoint == set(STATUS)


@pytest.mark.parametrize("text", ["EUR/USD\n", "eur/usd", "EURUSD"])
def test_patterns_mean_what_they_do_in_the_decoder(text: str) -> None:
    pair = described.description()["components"]["schemas"]["PredictRequest"]["properties"]["pair"]
    assert jsonschema_rs.is_valid(pair, "EUR/USD")
    assert not jsonschema_rs.is_valid(pair, text)


def test_every_field_of_a_request_is_explained() -> None:
    schemas = described.description()["components"]["schemas"]
    requests = {each.request.__name__ for each in ENDPOINTS if each.request is not None}
    checked: set[str] = set()
    while requests - checked:
        name = min(requests - checked)
        checked.add(name)
        text = json.dumps(schemas[name])
        requests |= {*re.findall(r'"#/components/schemas/(\w+)"', text)}
        for field, schema in schemas[name].get("properties", {}).items():
            assert len(schema.get("description", "")) > 5, f"{name}.{field} needs a description"
    assert checked >= MEANINGS.keys()
    for name, meanings in MEANINGS.items():
        assert meanings.keys() <= schemas[name]["properties"].keys()


def test_the_examples_of_failures_are_as_described() -> None:
    found = described.description()
    for told in operations(tokens=True).values():
        for answer in told["responses"].values():
            content = answer["content"].get("application/json", {})
            examples = content.get("examples", {})
            assert [*examples] == answer.get("x-codes", [])
            schema = {**content.get("schema", {}), "components": found["components"]}
            for code, example in examples.items():
                value = found["components"]["examples"][example["$ref"].rpartition("/")[2]]["value"]
                jsonschema_rs.validate(schema, value)
                assert value["code"] == code


def test_what_may_be_left_out_of_a_request_has_no_default_that_generators_take_for_a_promise() -> None:
    schemas = described.description()["components"]["schemas"]
    for name in ("PredictRequest", "CompareRequest", "Candle", "Evaluate"):
        properties, required = schemas[name]["properties"], set(schemas[name].get("required", ()))
        assert not [field for field, schema in properties.items() if "default" in schema], name
        assert required < set(properties)
    assert schemas["Candle"]["required"] == ["open", "high", "low", "close"]
