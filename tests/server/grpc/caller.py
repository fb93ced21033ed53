"""A client of gRPC for the port of a test's worker, and requests as messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc
import numpy as np
from aiohttp import web
from google.protobuf.message import Message
from grpc.aio import AioRpcError

from server.grpc import open_inference_pb2 as pb
from server.grpc.calls import SERVICE
from server.grpc.port import GrpcPort
from tests.processes import free_port
from tests.server.open_inference.tensors_of import CODES
from tests.server.worker_fixture import Worker

FIELDS = {"FP32": "fp32_contents", "FP64": "fp64_contents", "INT64": "int64_contents"}
_SECONDS = 30


class Called(NamedTuple):
    """How a call ended: the answer, or the status with its text."""

    code: grpc.StatusCode
    answer: Any
    text: str
    metadata: dict[str, str]


class Caller:
    """Calls one port. `metadata`: of every call."""

    def __init__(self, port: int, metadata: Mapping[str, str] | None = None) -> None:
        self.target = f"127.0.0.1:{port}"
        self.metadata = metadata or {}
        self.channel = grpc.aio.insecure_channel(self.target)

    def method(self, name: str) -> Any:  # noqa: ANN401 - gRPC's
        """A method that takes bytes, and returns bytes."""
        return self.channel.unary_unary(f"/{SERVICE}/{name}")

    def streaming(self, name: str) -> Any:  # noqa: ANN401 - gRPC's
        """The same method for a client that sends its message later."""
        return self.channel.stream_unary(f"/{SERVICE}/{name}")

    def stub(self, kind: Any) -> Any:  # noqa: ANN401
        """A generated client. Its types are those of the library's other kind of channel."""
        return kind(self.channel)

    async def called(self, name: str, request: Message | bytes, **options: Any) -> Called:  # noqa: ANN401
        """How a call ends. `options`: of gRPC."""
        sent = request if isinstance(request, bytes) else request.SerializeToString()
        metadata = tuple((self.metadata | options.pop("metadata", {})).items())
        call = self.method(name)(sent, metadata=metadata, **{"timeout": _SECONDS} | options)
        try:
            answer = getattr(pb, f"{name}Response").FromString(await call)
        except AioRpcError as error:
            trailing = error.trailing_metadata() or ()
            return Called(error.code(), None, error.details() or "", {str(k): str(v) for k, v in trailing})
        trailing = await call.trailing_metadata()
        return Called(grpc.StatusCode.OK, answer, "", {str(k): str(v) for k, v in trailing or ()})

    async def ok(self, name: str, request: Message | None = None, **options: Any) -> Any:  # noqa: ANN401
        """The answer to a call that must succeed."""
        found = await self.called(name, request or getattr(pb, f"{name}Request")(), **options)
        assert found.code is grpc.StatusCode.OK, found
        return found.answer


def counted(worker: Worker, method: str) -> dict[str, float]:
    """The calls of a method by status."""
    return {code: child._value.get() for (name, code), child in worker.metrics.grpc_calls.items() if name == method}  # noqa: SLF001


@asynccontextmanager
async def served(app: web.Application, metadata: Mapping[str, str] | None = None) -> AsyncIterator[Caller]:
    """A port of a running application, and its client."""
    number = free_port()
    port = GrpcPort(app, [f"127.0.0.1:{number}"])
    await port.start()
    caller = Caller(number, metadata)
    try:
        yield caller
    finally:
        await caller.channel.close()
        await port.stop(0, asyncio.Event())


def message(body: Mapping[str, Any], *, raw: bool, model: str = "reversal", version: str = "") -> pb.ModelInferRequest:
    """The request of a body of REST. raw: whether its tensors are bytes."""
    request = pb.ModelInferRequest(model_name=model, model_version=version, id=body.get("id", ""))
    for name, value in (body.get("parameters") or {}).items():
        put(request.parameters[name], value)
    for tensor in body["inputs"]:
        added = request.inputs.add(name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"])
        with np.errstate(over="ignore"):
            values = np.array(tensor["data"]).astype(CODES[tensor["datatype"]])
        if raw:
            request.raw_input_contents.append(values.tobytes())
        else:
            getattr(added.contents, FIELDS[tensor["datatype"]]).extend(values.ravel().tolist())
    return request


def put(parameter: pb.InferParameter, value: Any) -> None:  # noqa: ANN401
    """Set a parameter in the field of its type."""
    if isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int):
        parameter.int64_param = value
    elif isinstance(value, float):
        parameter.double_param = value
    else:
        parameter.string_param = value


def outputs(answer: pb.ModelInferResponse) -> dict[str, list[Any]]:
    """The elements of each output, whichever form it has."""
    found: dict[str, list[Any]] = {}
    for i, each in enumerate(answer.outputs):
        if not answer.raw_output_contents:
            contents = each.contents
            found[each.name] = [text.decode() for text in contents.bytes_contents] or list(contents.fp64_contents)
        elif each.datatype == "FP64":
            found[each.name] = np.frombuffer(answer.raw_output_contents[i], "<f8").tolist()
        else:
            rest, texts = answer.raw_output_contents[i], []
            while rest:
                end = 4 + int.from_bytes(rest[:4], "little")
                texts.append(rest[4:end].decode())
                rest = rest[end:]
            found[each.name] = texts
    return found


def scalars(answer: pb.ModelInferResponse) -> dict[str, Any]:
    """The parameters of an answer."""
    return {name: getattr(each, each.WhichOneof("parameter_choice") or "") for name, each in answer.parameters.items()}


def warned(answer: pb.ModelInferResponse) -> list[str]:
    """The codes of its warnings."""
    return [each["code"] for each in json.loads(scalars(answer).get("warnings", "[]"))]
