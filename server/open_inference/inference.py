"""A request for inference, whatever its transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

import msgspec

from core.errors import InvalidInput, quoted
from server.api.schemas.open_inference import MODEL, InferParameters, OutputName
from server.http.bodies.json_decoding import decode
from server.http.errors import NotFound
from server.open_inference.tensors import Elements, GivenTensor, elements

OUTPUTS: tuple[str, ...] = get_args(OutputName)

_parameters_decoder = msgspec.json.Decoder(InferParameters)


class WantedOutput(NamedTuple):
    """An output that the answer has. binary: whether the client asked for it as bytes."""

    name: str
    binary: bool = False


_ALL = {binary: tuple(WantedOutput(name, binary) for name in OUTPUTS) for binary in (False, True)}


class Inference(NamedTuple):
    """A request. version: of the path; None if it names none. id: None if the request has none.

    inputs: the elements by the tensor's name, each of the tensor's shape; the first dimension is the batch.
    """

    version: str | None
    id: str | None
    parameters: InferParameters
    inputs: dict[str, Elements]
    outputs: tuple[WantedOutput, ...]

    @classmethod
    def of(
        cls,
        version: str | None,
        request_id: str | None,
        parameters: InferParameters,
        given: Sequence[GivenTensor],
        outputs: Sequence[WantedOutput] = (),
    ) -> Inference:
        """A request from its parts. Without `outputs` the answer has all. Raises InvalidInput."""
        inputs: dict[str, Elements] = {}
        for i, tensor in enumerate(given):
            if tensor.name in inputs:
                raise InvalidInput.at(f"inputs[{i}].name", f"{quoted(tensor.name)} is sent twice; send it once")
            inputs[tensor.name] = elements(tensor, f"inputs[{i}]")
        return cls(version, request_id, parameters, inputs, _wanted(outputs, parameters))


def _wanted(outputs: Sequence[WantedOutput], parameters: InferParameters) -> tuple[WantedOutput, ...]:
    if not outputs:
        return _ALL[parameters.binary_data_output]
    seen: set[str] = set()
    for i, output in enumerate(outputs):
        if output.name not in OUTPUTS:
            message = f"there is no output {quoted(output.name)}; the outputs are {', '.join(OUTPUTS)}"
            raise InvalidInput.at(f"outputs[{i}].name", message)
        if output.name in seen:
            raise InvalidInput.at(f"outputs[{i}].name", f"{quoted(output.name)} is requested twice; request it once")
        seen.add(output.name)
    return tuple(outputs)


def parameters_of(scalars: Mapping[str, Any]) -> InferParameters:
    """Parameters from strings, numbers and booleans by name. Raises InvalidInput."""
    return decode(_parameters_decoder, msgspec.json.encode(dict(scalars)), "parameters")


def check_model(model: str) -> None:
    """Raise NotFound for a model that the server does not have."""
    if model != MODEL:
        raise NotFound(f"there is no model {quoted(model)}; the model is {MODEL}, and detectors are its versions")
