"""tritonclient's gRPC client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest
from tritonclient.grpc import InferInput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from tests.foreign.clients.given import MODEL, OUTPUTS, Address, Asked, Tensor, stacked

T = TypeVar("T")


def called(plain: Address, call: Callable[[InferenceServerClient], Awaitable[T]]) -> T:
    """What a call with a client returns."""

    async def run() -> T:
        async with InferenceServerClient(plain.grpc) as client:
            return await call(client)

    return asyncio.run(run())


def inputs(tensors: Sequence[Tensor]) -> list[InferInput]:
    found = []
    for tensor in tensors:
        found.append(InferInput(tensor.name, tensor.shape, tensor.datatype))
        found[-1].set_data_from_numpy(tensor.values)
    return found


def check(asked: Asked, result: InferResult, item: int = 0) -> None:
    asked.check({name: result.as_numpy(name) for name in OUTPUTS}, result.get_response().model_version, item)


async def infer(client: InferenceServerClient, asked: Asked, **options: Any) -> None:  # noqa: ANN401
    """Ask, and check the answer."""
    check(asked, await client.infer(MODEL, inputs(asked.tensors), model_version=asked.version,
        parameters=asked.parameters, **options))  # fmt: skip


def test_health_and_metadata(plain: Address) -> None:
    async def told(client: InferenceServerClient) -> None:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(MODEL, "v3.0")
        assert (await client.get_server_metadata()).name == MODEL
        assert [each.name for each in (await client.get_model_metadata(MODEL)).outputs] == OUTPUTS
        assert (await client.get_model_config(MODEL)).config.max_batch_size == 1024
        assert {each.version for each in (await client.get_model_repository_index()).models} >= {"v3.0", "v3.1", "v3.2"}
        assert (await client.get_inference_statistics(MODEL, "v3.0")).model_stats[0].version == "v3.0"

    called(plain, told)


def test_a_version_is_unloaded_and_loaded(plain: Address) -> None:
    async def change(client: InferenceServerClient) -> None:
        try:
            await client.unload_model(MODEL, headers={"version": "v1"})
            assert not await client.is_model_ready(MODEL, "v1")
        finally:
            await client.load_model(MODEL, headers={"version": "v1"})
        assert await client.is_model_ready(MODEL, "v1")

    called(plain, change)


def test_the_answer_is_that_of_predict(plain: Address, asked: Asked) -> None:
    called(plain, lambda client: infer(client, asked))


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_messages_may_be_compressed(plain: Address, hold: Asked, packing: str) -> None:
    called(plain, lambda client: infer(client, hold, compression_algorithm=packing))


def test_requests_at_the_same_time(plain: Address, several: list[Asked]) -> None:
    async def ask(client: InferenceServerClient) -> None:
        await asyncio.gather(*(infer(client, each) for each in several * 8))

    called(plain, ask)


def test_a_batch_has_an_answer_for_each_item(plain: Address, several: list[Asked]) -> None:
    result = called(plain, lambda client: client.infer(MODEL, inputs(stacked(several)), model_version="v3.0"))
    for item, each in enumerate(several):
        check(each, result, item)


def test_faults_are_named(plain: Address, hold: Asked) -> None:
    async def refused(client: InferenceServerClient, tensors: Sequence[Tensor], **options: Any) -> tuple[str, str]:  # noqa: ANN401
        with pytest.raises(InferenceServerException) as error:
            await client.infer(MODEL, inputs(tensors), **options)
        return error.value.status(), error.value.message()

    status, text = called(plain, lambda client: refused(client, hold.tensors, model_version="v9.9"))
    assert (status, "v9.9" in text) == ("StatusCode.NOT_FOUND", True)
    wrong = [Tensor("candles", hold.tensors[0].values[:, :, :4])]
    status, text = called(plain, lambda client: refused(client, wrong))
    assert (status, "candles.shape" in text) == ("StatusCode.INVALID_ARGUMENT", True)
    status, text = called(plain, lambda client: refused(client, hold.tensors, timeout=1))
    assert (status, "deadline" in text) == ("StatusCode.DEADLINE_EXCEEDED", True)


def test_tls_and_a_token(secured: Address, hold: Asked) -> None:
    async def ask() -> None:
        async with InferenceServerClient(secured.grpc, ssl=True, root_certificates=secured.authority) as client:
            with pytest.raises(InferenceServerException) as error:
                await client.infer(MODEL, inputs(hold.tensors))
            assert error.value.status() == "StatusCode.UNAUTHENTICATED"
            headers = {"authorization": f"Bearer {secured.token}"}
            check(hold, await client.infer(MODEL, inputs(hold.tensors), model_version="v3.0", headers=headers))

    asyncio.run(ask())
