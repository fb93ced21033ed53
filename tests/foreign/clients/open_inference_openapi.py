"""open-inference-openapi: the client that is generated from the protocol's own OpenAPI description.

It cannot name a version in a request for inference, so the version is a part of the model's name.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from open_inference.openapi.client import AsyncOpenInferenceClient, OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.errors import BadRequestError, NotFoundError
from open_inference.openapi.types import InferenceRequest, InferenceResponse, RequestInput, RequestOutput, TensorData

from tests.foreign.clients.given import MODEL, OUTPUTS, Address, Asked, Tensor, stacked

VERSIONED = f"{MODEL}/versions/v3.0"


@pytest.fixture
def client(plain: Address) -> Iterator[OpenInferenceClient]:
    with httpx.Client() as own:
        yield OpenInferenceClient(base_url=f"http://{plain.http}", httpx_client=own)


def request(tensors: list[Tensor], parameters: dict[str, Any] | None = None, *names: str) -> InferenceRequest:
    inputs = [
        RequestInput(
            name=each.name,
            shape=each.shape,
            datatype=each.datatype,
            data=TensorData.parse_obj(each.values.ravel().tolist()),
        )
        for each in tensors
    ]
    outputs = [RequestOutput(name=name) for name in names] or None
    return InferenceRequest(id="this one", inputs=inputs, parameters=parameters, outputs=outputs)


def outputs(response: InferenceResponse) -> dict[str, list[Any]]:
    return {each.name: each.data.__root__ for each in response.outputs}


def test_health_and_metadata(client: OpenInferenceClient) -> None:
    client.check_server_liveness()
    client.check_server_readiness()
    client.check_model_readiness(MODEL)
    client.check_model_version_readiness(MODEL, "v3.0")
    assert client.read_server_metadata().name == MODEL
    assert "v3.0" in (client.read_model_metadata(MODEL).versions or [])
    model = client.read_model_version_metadata(MODEL, "v3.0")
    assert ("candles", "FP64", [-1, -1, 5]) in [(each.name, each.datatype, each.shape) for each in model.inputs or []]


def test_what_does_not_exist_is_not_found(client: OpenInferenceClient) -> None:
    with pytest.raises(NotFoundError) as error:
        client.check_model_version_readiness(MODEL, "v9.9")
    assert "v9.9" in error.value.body["error"]
    with pytest.raises(NotFoundError):
        client.check_model_readiness("resnet")
    with pytest.raises(ApiError) as other:  # its description has no 404 for metadata
        client.read_model_metadata("resnet")
    assert other.value.status_code == 404


def test_the_answer_is_that_of_predict(client: OpenInferenceClient, asked: Asked) -> None:
    response = client.model_infer(VERSIONED, request=request(asked.tensors, asked.parameters))
    asked.check(outputs(response), response.model_version)
    assert response.id == "this one"
    assert [each.name for each in response.outputs] == OUTPUTS


def test_only_the_outputs_that_are_asked_for_are_answered(client: OpenInferenceClient, hold: Asked) -> None:
    response = client.model_infer(VERSIONED, request=request(hold.tensors, hold.parameters, "signal", "confidence"))
    assert outputs(response) == {"signal": ["hold"], "confidence": [hold.answer["confidence"]]}


def test_a_batch_has_an_answer_for_each_item(client: OpenInferenceClient, several: list[Asked]) -> None:
    response = client.model_infer(VERSIONED, request=request(stacked(several), several[0].parameters))
    found = outputs(response)
    for item, each in enumerate(several):
        each.check(found, response.model_version, item)
    assert math.isnan(found["stage2_prob"][0])


def test_faults_are_named(client: OpenInferenceClient, hold: Asked) -> None:
    with pytest.raises(ApiError) as missing:  # its description has no 404 for inference
        client.model_infer(f"{MODEL}/versions/v9.9", request=request(hold.tensors))
    assert missing.value.status_code == 404
    assert "v9.9" in missing.value.body["error"]
    with pytest.raises(BadRequestError) as wrong:
        client.model_infer(VERSIONED, request=request([Tensor("candles", -hold.tensors[0].values)]))
    assert "candles[0][0]" in wrong.value.body["error"]


def test_the_client_for_asyncio(plain: Address, several: list[Asked]) -> None:
    async def ask() -> list[InferenceResponse]:
        async with httpx.AsyncClient() as own:
            client = AsyncOpenInferenceClient(base_url=f"http://{plain.http}", httpx_client=own)
            await client.check_server_readiness()
            return await asyncio.gather(
                *(client.model_infer(VERSIONED, request=request(each.tensors)) for each in several * 4)
            )

    for each, response in zip(several * 4, asyncio.run(ask()), strict=True):
        each.check(outputs(response), response.model_version)


def test_tls_and_a_token(secured: Address, hold: Asked) -> None:
    headers = {"Authorization": f"Bearer {secured.token}"}
    context = ssl.create_default_context(cafile=secured.authority)
    with httpx.Client(verify=context, headers=headers) as own:
        client = OpenInferenceClient(base_url=f"https://{secured.http}", httpx_client=own)
        response = client.model_infer(VERSIONED, request=request(hold.tensors))
    hold.check(outputs(response), response.model_version)
