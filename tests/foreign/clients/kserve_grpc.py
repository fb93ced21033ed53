"""KServe's InferenceGRPCClient, which retries what is UNAVAILABLE, and the calls of KServe's description."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import grpc
import pytest
from kserve import InferenceGRPCClient, InferInput, InferRequest, InferResponse
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from kserve.protocol.infer_type import RequestedOutput

from tests.foreign.clients.given import MODEL, OUTPUTS, Address, Asked, Tensor, stacked

T = TypeVar("T")


def called(plain: Address, call: Callable[[InferenceGRPCClient], Awaitable[T]], **options: Any) -> T:  # noqa: ANN401
    """What a call with a client returns."""

    async def run() -> T:
        async with InferenceGRPCClient(plain.grpc, **options) as client:
            return await call(client)

    return asyncio.run(run())


def request(
    tensors: Sequence[Tensor],
    parameters: dict[str, Any] | None = None,
    *,
    raw: bool = True,
    version: str = "v3.0",
    outputs: Sequence[RequestedOutput] = (),
) -> InferRequest:
    inputs = []
    for tensor in tensors:
        inputs.append(InferInput(tensor.name, tensor.shape, tensor.datatype))
        inputs[-1].set_data_from_numpy(tensor.values, binary_data=raw)
    return InferRequest(
        MODEL,
        inputs,
        request_id="this one",
        parameters=parameters or {},
        model_version=version,
        request_outputs=list(outputs) or None,
    )


def check(asked: Asked, response: InferResponse, item: int = 0) -> None:
    asked.check({each.name: each.as_numpy() for each in response.outputs}, response.model_version, item)


def refused(plain: Address, asked: InferRequest, **options: Any) -> tuple[grpc.StatusCode, str]:  # noqa: ANN401
    """The status and the text of a refusal."""
    with pytest.raises(grpc.RpcError) as error:
        called(plain, lambda client: client.infer(asked), **options)
    return error.value.code(), error.value.details() or ""


def test_health(plain: Address) -> None:
    async def told(client: InferenceGRPCClient) -> list[bool]:
        return [
            await client.is_server_live(),
            await client.is_server_ready(),
            await client.is_model_ready(MODEL),
        ]

    assert called(plain, told) == [True, True, True]


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "contents"])
def test_the_answer_is_that_of_predict(plain: Address, asked: Asked, *, raw: bool) -> None:
    sent = request(asked.tensors, asked.parameters, raw=raw)
    response = called(plain, lambda client: client.infer(sent))
    check(asked, response)
    assert (response.id, response.model_name) == ("this one", MODEL)
    assert [each.name for each in response.outputs] == OUTPUTS


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "contents"])
def test_a_batch_has_an_answer_for_each_item(plain: Address, several: list[Asked], *, raw: bool) -> None:
    sent = request(stacked(several), several[0].parameters, raw=raw)
    response = called(plain, lambda client: client.infer(sent))
    for item, each in enumerate(several):
        check(each, response, item)


def test_only_the_outputs_that_are_asked_for_are_answered(plain: Address, hold: Asked) -> None:
    sent = request(hold.tensors, outputs=[RequestedOutput("signal"), RequestedOutput("confidence")])
    response = called(plain, lambda client: client.infer(sent))
    assert [each.name for each in response.outputs] == ["signal", "confidence"]


def test_a_user_gets_its_variant(plain: Address, hold: Asked, user: dict[str, str]) -> None:
    sent = request(hold.tensors, hold.parameters | {"user_id": user["id"]}, version="")
    response = called(plain, lambda client: client.infer(sent))
    assert response.parameters["variant"].string_param == user["variant"]


def test_faults_are_named(plain: Address, hold: Asked) -> None:
    code, text = refused(plain, request(hold.tensors, version="v9.9"))
    assert (code, "v9.9" in text) == (grpc.StatusCode.NOT_FOUND, True)
    wrong = [Tensor("candles", hold.tensors[0].values[:, :, :4])]
    for raw in (True, False):
        code, text = refused(plain, request(wrong, raw=raw))
        assert (code, "candles.shape" in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    code, text = refused(plain, request(hold.tensors, {"timeout": 1}))
    assert (code, "deadline" in text) == (grpc.StatusCode.DEADLINE_EXCEEDED, True)


def test_tls_and_a_token(secured: Address, hold: Asked) -> None:
    options = {"use_ssl": True, "root_certificates": secured.authority}
    assert refused(secured, request(hold.tensors), **options)[0] is grpc.StatusCode.UNAUTHENTICATED
    headers = [("authorization", f"Bearer {secured.token}")]
    check(hold, called(secured, lambda client: client.infer(request(hold.tensors), headers=headers), **options))


def test_models_are_unloaded_and_loaded_by_kserves_messages(plain: Address) -> None:
    """Its description has the model's name in another field than Triton's, and an answer."""
    with grpc.insecure_channel(plain.grpc) as channel:
        stub = GRPCInferenceServiceStub(channel)
        version = (("version", "v1"),)
        answer = stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name=MODEL), metadata=version)
        assert (answer.model_name, answer.isUnloaded) == (MODEL, True)
        answer = stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=MODEL), metadata=version)
        assert (answer.model_name, answer.isLoaded) == (MODEL, True)
