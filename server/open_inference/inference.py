"""A request for inference, whatever its transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

import msgspec
import numpy as np

from core.errors import InvalidInput, quoted
from server.api.schemas.open_inference import MODEL, InferParameters, OutputName
from server.http.bodies.json_decoding import decode
from server.http.errors import NotFound
from server.open_inference.common import Common
from server.open_inference.tensors import DTYPES, Elements, GivenTensor, declared, elements

OUTPUTS: tuple[str, ...] = get_args(OutputName)

_parameters_decoder = msgspec.json.Decoder(InferParameters)


class WantedOutput(NamedTuple):
    """An output that the answer has. binary: whether the client asked for it as bytes."""

    name: str
    binary: bool = False


_ALL = {binary: tuple(WantedOutput(name, binary) for name in OUTPUTS) for binary in (False, True)}


class TensorPlace(NamedTuple):
    """Where a tensor's elements are. begin: of its bytes in the body; 0 if they are not in the body.

    item_bytes: of each item.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    item_bytes: int


class InferenceHead(NamedTuple):
    """A request without the bytes of its body, so that it can be remembered for further ones with the same head.

    version: of the path; None if it names none. id: None if the request has none. binary: the names of the outputs, if
    all are answered as binary data. common: of all items. places: by the tensor's name. own: the bytes of tensors that
    are not in the body.
    """

    version: str | None
    id: str | None
    parameters: InferParameters
    outputs: tuple[WantedOutput, ...]
    binary: str | None
    common: Common
    places: Mapping[str, TensorPlace]
    own: Mapping[str, memoryview]

    @classmethod
    def of(
        cls,
        version: str | None,
        request_id: str | None,
        parameters: InferParameters,
        given: Sequence[GivenTensor],
        outputs: Sequence[WantedOutput] = (),
    ) -> InferenceHead:
        """A head from its parts. Without `outputs` the answer has all. Raises InvalidInput."""
        places: dict[str, TensorPlace] = {}
        own: dict[str, memoryview] = {}
        for i, tensor in enumerate(given):
            name, shape, data = tensor.name, tuple(tensor.shape), tensor.data
            if name in places:
                raise InvalidInput.at(f"inputs[{i}].name", f"{quoted(name)} is sent twice; send it once")
            size = declared(name, tensor.datatype, shape, f"inputs[{i}]").size
            if isinstance(data, slice):
                begin = data.start
            else:
                begin, own[name] = 0, elements(tensor, f"inputs[{i}]").reshape(-1).view(np.uint8).data
            places[name] = TensorPlace(DTYPES[tensor.datatype], shape, begin, size // shape[0])
        wanted = _wanted(outputs, parameters)
        common = Common.of(parameters, {name: place.shape for name, place in places.items()})
        names = ",".join([output.name for output in wanted])
        binary = names if all(output.binary for output in wanted) else None
        return cls(version, request_id, parameters, wanted, binary, common, places, own)


class Inference(NamedTuple):
    """A request."""

    head: InferenceHead
    body: memoryview

    @classmethod
    def of(
        cls,
        version: str | None,
        request_id: str | None,
        parameters: InferParameters,
        given: Sequence[GivenTensor],
        outputs: Sequence[WantedOutput] = (),
    ) -> Inference:
        """A request from its parts, which are not in a body: see InferenceHead.of."""
        return cls(InferenceHead.of(version, request_id, parameters, given, outputs), memoryview(b""))

    def item(self, name: str, index: int) -> memoryview:
        """The bytes of one item of a tensor."""
        place = self.head.places[name]
        begin = place.begin + index * place.item_bytes
        return self.head.own.get(name, self.body)[begin : begin + place.item_bytes]

    def elements(self, name: str, index: int) -> Elements:
        """The elements of one item of a tensor."""
        place = self.head.places[name]
        return np.frombuffer(self.item(name, index), place.dtype).reshape(place.shape[1:])


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
