"""Bodies of REST: JSON, JSON with binary tensors behind it, and one binary tensor without any JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from math import isnan, prod
from typing import Any, NamedTuple, TypeVar

import msgspec
import orjson
from msgspec import UNSET, UnsetType

from core.errors import InvalidInput, quoted
from server.api.schemas.open_inference import (
    MODEL,
    UNSUPPORTED,
    Datatype,
    InferBody,
    InferInput,
    InferParameters,
    InputParameters,
    OutputParameters,
)
from server.http.bodies import seen, sizes
from server.http.bodies.body import BINARY, JSON, check_text
from server.http.bodies.json_decoding import decode
from server.http.errors import MalformedJson, PayloadTooLarge
from server.http.headers import JSON_LENGTH
from server.open_inference.answers import InferenceAnswer, OutputTensor
from server.open_inference.inference import Inference, InferenceHead, WantedOutput
from server.open_inference.tensors import (
    CANDLE_FIELDS,
    INPUTS,
    DeclaredTensor,
    GivenTensor,
    InputTensor,
    check_bytes,
    declared,
    element,
)

# The header of Triton's binary tensor data extension.
HEADER = JSON_LENGTH

# The tensor that is sent without JSON, and the parameter that tells where a binary tensor is.
_RAW = "candles"
_CANDLE_BYTES = 8 * len(CANDLE_FIELDS)
_SIZE = "binary_data_size"
_MOST_DIGITS = 9
# A place in an input, but not its name.
_IN_INPUT = re.compile(r"inputs\[(?P<index>\d+)\]\.(?!name\Z)")
_BRACKETS = re.compile(rb"[\[ \t\n\r]*")

B = TypeVar("B", bound=msgspec.Struct)

_body_decoder = msgspec.json.Decoder(InferBody)
_decoders: dict[tuple[bool, int], msgspec.json.Decoder[Any]] = {
    (False, 1): msgspec.json.Decoder(list[float]),
    (False, 2): msgspec.json.Decoder(list[list[float]]),
    (False, 3): msgspec.json.Decoder(list[list[list[float]]]),
    # With float, because some clients write 1.0 for 1.
    (True, 1): msgspec.json.Decoder(list[int | float]),
    (True, 2): msgspec.json.Decoder(list[list[int | float]]),
}


def inference(body: bytes | bytearray, header: str | None, version: str | None) -> Inference:
    """The request in a body. Raises MalformedJson, InvalidInput or PayloadTooLarge.

    header: the value of HEADER, if it was sent; `0` for a body that is one tensor of candles. version: of the path.
    """
    whole, size = memoryview(body), len(body)
    length = size if header is None else _length(header, size)
    if length > sizes.SINGLE:  # checked before it is copied, which takes long for 32 MiB
        raise PayloadTooLarge(f"the JSON object is larger than {sizes.SINGLE:,} bytes; send the tensors as binary data")
    if header is None:
        return Inference(_head(bytes(whole), size, version, is_told=False), whole)
    if length == 0:
        return Inference(_head_of_candles(size, version), whole)
    # Nothing in a head depends on the bytes behind the JSON, only on their number.
    read = _known_head if length <= _KEPT_BYTES else _head
    return Inference(read(bytes(whole[:length]), size, version, is_told=True), whole)


def _head(text: bytes, whole: int, version: str | None, *, is_told: bool) -> InferenceHead:
    """The request in the JSON of a body. whole: the bytes of the body. is_told: whether HEADER tells those of JSON."""
    try:
        check_text(text)
        found = decode(_body_decoder, text)
    except MalformedJson as error:
        raise _no_object(error, text, is_told=is_told) from None
    except InvalidInput as error:
        raise _of_tensor(error, text) from None
    given, begin = [], len(text)
    for i, tensor in enumerate(found.inputs):
        declaration = declared(tensor.name, tensor.datatype, tensor.shape, f"inputs[{i}]")
        told = UNSET if tensor.parameters is None else tensor.parameters.binary_data_size
        if isinstance(told, UnsetType):
            data: Any = _listed(tensor, declaration.kind)
        else:
            end = begin + _size(tensor, declaration, told, whole - begin, is_told=is_told)
            data, begin = slice(begin, end), end
        given.append(GivenTensor(tensor.name, tensor.datatype, tensor.shape, data))
    if begin < whole:
        message = (
            f"the body has {whole - begin:,} bytes behind the binary data of its inputs; {_SIZE} of each must tell all"
        )
        raise InvalidInput.at("", message)
    parameters = found.parameters or InferParameters()
    return InferenceHead.of(version, found.id, parameters, given, _outputs(found, parameters))


# A client that sends binary data mostly sends the same JSON before them.
_known_head = lru_cache(maxsize=256)(_head)
_KEPT_BYTES = 1024


def _length(header: str, size: int) -> int:
    if not (header.isascii() and header.isdecimal() and len(header) <= _MOST_DIGITS):
        raise InvalidInput.at(HEADER, f"must be the bytes of the JSON object, not {quoted(header)}")
    if int(header) > size:
        raise InvalidInput.at(HEADER, f"is {int(header):,}, but the body has {size:,} bytes")
    return int(header)


def _no_object(error: MalformedJson, text: bytes, *, is_told: bool) -> MalformedJson:
    """The error for the part of a body that should be its JSON object. is_told: whether HEADER tells its length."""
    if is_told:
        return MalformedJson(f"the {len(text):,} bytes that {HEADER} tells are not a JSON object: {error}")
    if _SIZE.encode() in text:
        return MalformedJson(f"the header {HEADER} is missing; send it with the bytes of the JSON object, without data")
    return error


def _of_tensor(error: InvalidInput, text: bytes) -> InvalidInput:
    """The error with the name of its tensor in place of `inputs[0]`, as all later checks have it."""
    detail = error.details[0]
    if not detail.path and text.count(b",") > sizes.VALUES:
        return InvalidInput.at("", f"{detail.message}, or send the tensors as binary data")
    found = _IN_INPUT.match(detail.path)
    if found is None:
        return error
    name = seen.text_of(seen.value_at(text, ("inputs", int(found["index"]), "name")))
    if name not in INPUTS:
        return error
    return InvalidInput.at(f"{name}.{detail.path[found.end() :]}", detail.message)


@lru_cache(maxsize=64)
def _head_of_candles(size: int, version: str | None) -> InferenceHead:
    """The request in a body without JSON: candles, and all outputs as binary data. size: of the body."""
    count, more = divmod(size, _CANDLE_BYTES)
    if more:
        message = f"must have {_CANDLE_BYTES} bytes for each candle (five FP64), but the body has {size:,} bytes"
        raise InvalidInput.at(_RAW, message)
    given = GivenTensor(_RAW, "FP64", (1, count, len(CANDLE_FIELDS)), slice(0, size))
    return InferenceHead.of(version, None, InferParameters(binary_data_output=True), [given])


def _size(tensor: InferInput, declaration: DeclaredTensor, size: int, left: int, *, is_told: bool) -> int:
    """The bytes of a binary tensor, `size` as it was sent."""
    name = declaration.kind.name
    if tensor.data is not UNSET:
        raise InvalidInput.at(f"{name}.data", f"cannot be sent together with {_SIZE}; send one of them")
    if not is_told:
        raise InvalidInput.at(
            f"{name}.parameters.{_SIZE}", f"needs the header {HEADER}, with the bytes of the JSON object"
        )
    if not 0 <= size <= left:
        raise InvalidInput.at(
            f"{name}.parameters.{_SIZE}", f"must be from 0 to {left:,}, the bytes that the body has left"
        )
    check_bytes(declaration, tensor.shape, size)
    return size


def _listed(tensor: InferInput, kind: InputTensor) -> Sequence[float]:
    """The elements of `data` in row-major order, which may be nested as the shape says, or flat."""
    place, raw = f"{kind.name}.data", tensor.data
    if not isinstance(raw, msgspec.Raw):
        if tensor.parameters is not None:
            _check_supported(tensor.parameters, kind.name)
        raise InvalidInput.at(place, f"missing; send the elements, or {_SIZE} and binary data")
    rank = len(tensor.shape)
    brackets = _BRACKETS.match(memoryview(raw))
    depth = 0 if brackets is None else brackets[0].count(b"[")
    is_flat = depth <= 1
    decoder = _decoders[kind.datatype == "INT64", 1 if is_flat else rank]
    try:
        found = decode(decoder, raw, place)
    except InvalidInput:
        if depth in (0, 1, rank):
            raise
        message = f"begins with {depth} brackets; send a flat array, or one with {rank} levels as the shape has"
        raise InvalidInput.at(place, message) from None
    return found if is_flat else _flat(found, tensor.shape, place)


def _flat(nested: Sequence[Any], shape: Sequence[int], place: str) -> list[float]:
    """The elements of arrays within each other. Raises InvalidInput if an array has not the length of its dimension."""
    rows: list[Any] = [nested]
    for axis, size in enumerate(shape):
        if any(len(row) != size for row in rows):
            wrong = next(i for i, row in enumerate(rows) if len(row) != size)
            where = [wrong // prod(shape[k:axis]) % shape[k - 1] for k in range(1, axis + 1)]
            raise InvalidInput.at(element(place, where), f"must have {size:,} elements, has {len(rows[wrong]):,}")
        rows = [*chain.from_iterable(rows)]
    return rows


def _outputs(body: InferBody, parameters: InferParameters) -> list[WantedOutput]:
    found = []
    for i, output in enumerate(body.outputs or ()):
        own = output.parameters or OutputParameters()
        _check_supported(own, f"outputs[{i}]")
        binary = parameters.binary_data_output if own.binary_data is None else own.binary_data
        found.append(WantedOutput(output.name, binary))
    return found


def _check_supported(parameters: InputParameters | OutputParameters, place: str) -> None:
    for name in UNSUPPORTED:
        if getattr(parameters, name, UNSET) is not UNSET:
            raise InvalidInput.at(f"{place}.parameters.{name}", "is not supported; leave it out")


class EncodedAnswer(NamedTuple):
    """The body of an answer, its content type, and the value of HEADER; null if the body has no binary data."""

    body: bytes
    content_type: str
    header: str | None


def encoded(answer: InferenceAnswer) -> EncodedAnswer:
    """An answer as a body. JSON has no NaN, so it is the text that protobuf writes for it in JSON."""
    head: dict[str, Any] = {"model_name": MODEL, "model_version": answer.version}
    if answer.id is not None:
        head["id"] = answer.id
    if answer.parameters:
        head["parameters"] = answer.parameters
    binary = [tensor.raw() for tensor in answer.outputs if tensor.binary]
    if len(binary) == len(answer.outputs):
        sizes_of = [(tensor.name, tensor.datatype, len(tensor.values)) for tensor in answer.outputs]
        head["outputs"] = _binary_outputs(tuple(sizes_of), tuple(map(len, binary)))
    else:
        data = iter(binary)
        head["outputs"] = [_output(tensor, len(next(data)) if tensor.binary else None) for tensor in answer.outputs]
    text = orjson.dumps(head)
    if not binary:
        return EncodedAnswer(text, JSON, None)
    return EncodedAnswer(b"".join([text, *binary]), BINARY, str(len(text)))


@lru_cache(maxsize=64)  # nearly all answers have the same outputs of the same sizes
def _binary_outputs(told: tuple[tuple[str, Datatype, int], ...], sizes: tuple[int, ...]) -> orjson.Fragment:
    found = [
        {"name": name, "datatype": datatype, "shape": [count], "parameters": {_SIZE: size}}
        for (name, datatype, count), size in zip(told, sizes, strict=True)
    ]
    return orjson.Fragment(orjson.dumps(found))


def _output(tensor: OutputTensor, size: int | None) -> dict[str, Any]:
    """An output in the JSON of an answer. size: of its binary data; null if its elements are in the JSON."""
    told: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    if size is not None:
        return told | {"parameters": {_SIZE: size}}
    values = tensor.values if tensor.datatype == "BYTES" else [_numeric(each) for each in tensor.values]
    return told | {"data": values}


def _numeric(value: float) -> float | str:
    return "NaN" if isnan(value) else value


def optional(decoder: msgspec.json.Decoder[B], body: bytes) -> B:
    """The value of a body that may also be empty. Raises MalformedJson or InvalidInput."""
    text = body if body.strip() else b"{}"
    check_text(text)
    return decode(decoder, text)
