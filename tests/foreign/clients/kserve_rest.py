"""KServe's InferenceRESTClient. It has no parameter for a version, so the version is a part of the model's name."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest
from kserve import InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

from tests.foreign.clients.given import MODEL, OUTPUTS, Address, Asked, Tensor, stacked

T = TypeVar("T")

VERSIONED = f"{MODEL}/versions/v3.0"


def called(call: Callable[[InferenceRESTClient], Awaitable[T]], **options: Any) -> T:  # noqa: ANN401 - of RESTConfig
    """What a call with a client returns."""

    async def run() -> T:
        async with InferenceRESTClient(RESTConfig(protocol="v2", **options)) as client:
            return await call(client)

    return asyncio.run(run())


def request(
    tensors: Sequence[Tensor],
    parameters: dict[str, Any] | None = None,
    *,
    binary: bool = False,
    outputs: Sequence[RequestedOutput] = (),
) -> InferRequest:
    inputs = []
    for tensor in tensors:
        inputs.append(InferInput(tensor.name, tensor.shape, tensor.datatype))
        inputs[-1].set_data_from_numpy(tensor.values, binary_data=binary)
    told = (parameters or {}) | ({"binary_data_output": True} if binary else {})
    return InferRequest(MODEL, inputs, request_id="this one", parameters=told, request_outputs=list(outputs) or None)


def check(asked: Asked, response: InferResponse, item: int = 0) -> None:
    outputs = {each.name: each.as_numpy() for each in response.outputs}
    # Its REST client reads neither the version nor the names that were asked for.
    asked.check(outputs, None, item)


def refused(plain: Address, asked: InferRequest, model: str = MODEL) -> tuple[int, str]:
    """The status and the text of a refusal."""
    with pytest.raises(httpx.HTTPStatusError) as error:
        called(lambda client: client.infer(f"http://{plain.http}", asked, model_name=model))
    return error.value.response.status_code, str(error.value)


def test_health(plain: Address) -> None:
    async def told(client: InferenceRESTClient) -> list[bool]:
        url = f"http://{plain.http}"
        models = [await client.is_model_ready(url, name) for name in (MODEL, VERSIONED, f"{MODEL}/versions/v9", "x")]
        return [await client.is_server_live(url), await client.is_server_ready(url), *models]

    assert called(told) == [True, True, True, True, False, False]


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
def test_the_answer_is_that_of_predict(plain: Address, asked: Asked, *, binary: bool) -> None:
    sent = request(asked.tensors, asked.parameters, binary=binary)
    response = called(lambda client: client.infer(f"http://{plain.http}", sent, model_name=VERSIONED))
    check(asked, response)
    assert (response.id, response.model_name) == ("this one", MODEL)
    assert [each.name for each in response.outputs] == OUTPUTS


def test_a_dictionary_may_be_the_request(plain: Address, hold: Asked) -> None:
    inputs = [
        {"name": each.name, "shape": each.shape, "datatype": each.datatype, "data": each.values.tolist()}
        for each in hold.tensors
    ]
    sent = {"inputs": inputs, "parameters": hold.parameters}
    check(hold, called(lambda client: client.infer(f"http://{plain.http}", sent, model_name=VERSIONED)))


def test_only_the_outputs_that_are_asked_for_are_answered(plain: Address, hold: Asked) -> None:
    sent = request(hold.tensors, outputs=[RequestedOutput("signal"), RequestedOutput("confidence")])
    response = called(lambda client: client.infer(f"http://{plain.http}", sent, model_name=VERSIONED))
    assert [each.name for each in response.outputs] == ["signal", "confidence"]
    assert response.get_output_by_name("signal").data == ["hold"]


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
def test_a_batch_has_an_answer_for_each_item(plain: Address, several: list[Asked], *, binary: bool) -> None:
    sent = request(stacked(several), several[0].parameters, binary=binary)
    response = called(lambda client: client.infer(f"http://{plain.http}", sent, model_name=VERSIONED))
    for item, each in enumerate(several):
        check(each, response, item)


def test_a_user_gets_its_variant_and_others_none(plain: Address, hold: Asked, user: dict[str, str]) -> None:
    def told(**parameters: str) -> dict[str, Any]:
        sent = request(hold.tensors, hold.parameters | parameters)
        response = called(lambda client: client.infer(f"http://{plain.http}", sent, model_name=MODEL))
        return response.parameters or {}

    assert told(user_id=user["id"])["variant"] == user["variant"]
    assert "variant" not in told()


def test_faults_are_named(plain: Address, hold: Asked) -> None:
    status, text = refused(plain, request(hold.tensors), f"{MODEL}/versions/v9.9")
    assert (status, "v9.9" in text and "v3.0" in text) == (404, True)
    status, text = refused(plain, request(hold.tensors), "resnet")
    assert (status, "resnet" in text) == (404, True)
    for binary in (True, False):
        wrong = [Tensor("features", np.zeros((1, 20, 3), np.float32))]
        status, text = refused(plain, request(wrong, binary=binary), VERSIONED)
        assert (status, "features" in text) == (400, True)


def test_tls_and_a_token(secured: Address, hold: Asked) -> None:
    async def ask(client: InferenceRESTClient) -> InferResponse:
        url = f"https://{secured.http}"
        assert await client.is_server_ready(url)
        with pytest.raises(httpx.HTTPStatusError) as error:
            await client.infer(url, request(hold.tensors), model_name=VERSIONED)
        assert error.value.response.status_code == 401
        headers = {"Authorization": f"Bearer {secured.token}"}
        return await client.infer(url, request(hold.tensors, binary=True), model_name=VERSIONED, headers=headers)

    check(hold, called(ask, verify=ssl.create_default_context(cafile=secured.authority)))
