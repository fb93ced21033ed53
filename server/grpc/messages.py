"""Messages of predictions: bytes to an `Inference`, and an `InferenceAnswer` to bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from core.errors import InvalidInput
from server.api.schemas.open_inference import MODEL, UNSUPPORTED
from server.grpc.open_inference_pb2 import (
    InferParameter,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
    ModelRepositoryParameter,
)
from server.grpc.wire import check_size
from server.open_inference.answers import InferenceAnswer
from server.open_inference.inference import Inference, WantedOutput, parameters_of
from server.open_inference.tensors import INPUTS, GivenTensor, declared

M = TypeVar("M", bound=Message)

_BINARY = "binary_data_output"
# The field of the contents by datatype.
_FIELDS = {"FP32": "fp32_contents", "FP64": "fp64_contents", "INT64": "int64_contents"}
_MOST_TENSORS = 16


def parsed(kind: type[M], message: bytes) -> M:
    """A message. Raises InvalidInput if the bytes are not one."""
    try:
        return kind.FromString(message)
    except DecodeError:
        raise InvalidInput.at("", f"the message is not a {kind.DESCRIPTOR.full_name}") from None


def request_of(message: bytes) -> ModelInferRequest:
    """A request for inference. Raises InvalidInput or PayloadTooLarge."""
    check_size(message)
    return parsed(ModelInferRequest, message)


def scalars(parameters: Mapping[str, InferParameter] | Mapping[str, ModelRepositoryParameter]) -> dict[str, Any]:
    """Parameters by name. One without a value is left out."""
    found = {}
    for name, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        if choice is not None:
            found[name] = getattr(parameter, choice)
    return found


def is_raw(request: ModelInferRequest) -> bool:
    """Whether the answer has bytes in place of contents: as the parameter says, otherwise as the request has them."""
    if _BINARY in request.parameters:
        return request.parameters[_BINARY].bool_param
    return bool(request.raw_input_contents)


def inference(request: ModelInferRequest) -> Inference:
    """The request in a message. Raises InvalidInput."""
    parameters = parameters_of(scalars(request.parameters))
    outputs = []
    if request.outputs:
        _check_few("outputs", len(request.outputs))
        for i, output in enumerate(request.outputs):
            _check_supported(output.parameters, f"outputs[{i}]")
            outputs.append(WantedOutput(output.name))
    return Inference.of(request.model_version or None, request.id or None, parameters, _given(request), outputs)


def _given(request: ModelInferRequest) -> list[GivenTensor]:
    inputs, raw = request.inputs, request.raw_input_contents
    _check_few("inputs", len(inputs))
    if raw and len(raw) != len(inputs):
        message = f"must have the bytes of each of the {len(inputs)} inputs, has {len(raw)} elements"
        raise InvalidInput.at("raw_input_contents", message)
    given = []
    for i, tensor in enumerate(inputs):
        if tensor.parameters:
            _check_supported(tensor.parameters, tensor.name if tensor.name in INPUTS else f"inputs[{i}]")
        name, datatype, shape = tensor.name, tensor.datatype, tuple(tensor.shape)
        if raw:
            if tensor.HasField("contents"):
                raise InvalidInput.at(f"inputs[{i}].contents", "cannot be sent together with raw_input_contents")
            data: Any = raw[i]
        else:
            declared(name, datatype, shape, f"inputs[{i}]")  # its datatype chooses the field
            data = _elements(name, datatype, tensor.contents)
        given.append(GivenTensor(name, datatype, shape, data))
    return given


def _elements(name: str, datatype: str, contents: InferTensorContents) -> Sequence[float]:
    field = _FIELDS[datatype]
    if wrong := [found.name for found, _ in contents.ListFields() if found.name != field]:
        raise InvalidInput.at(f"{name}.contents.{wrong[0]}", f"elements of {datatype} belong into {field}")
    elements: Sequence[float] = getattr(contents, field)
    return elements


def _check_few(name: str, count: int) -> None:
    if count > _MOST_TENSORS:
        raise InvalidInput.at(name, f"must have at most {_MOST_TENSORS} elements, has {count:,}")


def _check_supported(parameters: Mapping[str, InferParameter], place: str) -> None:
    """Raise InvalidInput for a parameter that is not ignored. KServe's client sends `binary_data_size`, which is."""
    for name in UNSUPPORTED:
        if name in parameters:
            raise InvalidInput.at(f"{place}.parameters.{name}", "is not supported; leave it out")


def encoded(answer: InferenceAnswer, *, raw: bool) -> bytes:
    """An answer as a message. raw: whether its outputs are bytes in place of contents.

    Messages that follow each other are one message, so the part that nearly all answers share is made once.
    """
    told = tuple((tensor.name, tensor.datatype) for tensor in answer.outputs)
    own = ModelInferResponse(id=answer.id or "")
    for name, value in answer.parameters.items():
        _set(own.parameters[name], value)
    if raw:
        own.raw_output_contents.extend([tensor.raw() for tensor in answer.outputs])
        count = len(answer.outputs[0].values)
        return _head(answer.version, told, count) + own.SerializeToString()
    own.model_name, own.model_version = MODEL, answer.version
    for tensor in answer.outputs:
        output = own.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if tensor.datatype == "BYTES":
            output.contents.bytes_contents.extend([value.encode() for value in tensor.values])
        else:
            output.contents.fp64_contents.extend(tensor.values)
    return own.SerializeToString()


@lru_cache(maxsize=64)
def _head(version: str, told: tuple[tuple[str, str], ...], count: int) -> bytes:
    head = ModelInferResponse(model_name=MODEL, model_version=version)
    for name, datatype in told:
        head.outputs.add(name=name, datatype=datatype, shape=[count])
    return head.SerializeToString()


def _set(parameter: InferParameter, value: str | float | bool) -> None:  # noqa: FBT001 - a value of three types
    if isinstance(value, str):
        parameter.string_param = value
    elif isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int):
        parameter.int64_param = value
    else:
        parameter.double_param = value
