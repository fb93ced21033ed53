"""Messages of predictions without a server: odd ones, costly ones, and what an answer looks like as bytes."""

from __future__ import annotations

import random

import pytest

from core.errors import InvalidInput, ServiceError
from server.grpc import open_inference_pb2 as pb
from server.grpc.messages import encoded, inference, request_of
from server.grpc.wire import check_size
from server.http.errors import PayloadTooLarge
from server.open_inference.answers import InferenceAnswer, OutputTensor
from server.worker.open_inference.infer import Asked
from tests.server.grpc.caller import message, outputs, scalars
from tests.server.open_inference.tensors_of import bars, body, times, windows

MUTATIONS = 2_500
SEEDS = [
    message(body(candles=bars(0.4, 0.9), timestamps=times(2), parameters={"user_id": "u", "timeout": 9}), raw=True),
    message(body(candles=bars(0.4), timestamps=times()), raw=False, version="v3"),
    message(body(features=windows(0.4)), raw=False),
    message(body(raw_features_stage1=windows(0.4), raw_features_stage2=windows(0.4)), raw=True),
]


def mutated(draw: random.Random, seeds: list[bytes]) -> bytes:
    """A seed with bytes changed, removed, repeated or taken from another one."""
    found = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        at = draw.randrange(len(found) + 1)
        end = min(len(found), at + draw.choice((1, 2, 8, 64)))
        kind = draw.randrange(5)
        if kind == 0:
            found[at:end] = draw.randbytes(end - at)
        elif kind == 1:
            del found[at:end]
        elif kind == 2:
            found[at:at] = found[at:end] * draw.choice((1, 3))
        elif kind == 3:
            other = draw.choice(seeds)
            begin = draw.randrange(len(other))
            found[at:end] = other[begin : begin + draw.choice((1, 8, 64))]
        elif at < len(found):
            found[at] ^= 1 << draw.randrange(8)
    return bytes(found)


def test_a_mutated_message_is_a_request_or_a_refusal() -> None:
    draw = random.Random(1)  # noqa: S311 - the same messages in every run
    seeds = [each.SerializeToString() for each in SEEDS]
    ended, codes = {"asked": 0, "refused": 0}, set[str]()
    for _ in range(MUTATIONS):
        try:
            asked = Asked.of(inference(request_of(mutated(draw, seeds))), 0.0, 1.0, "")
            for item in range(asked.questions.count):
                asked.questions.question(item)
            ended["asked"] += 1
        except ServiceError as error:
            codes.add(error.code)
            ended["refused"] += 1
    assert codes <= {"VALIDATION_ERROR", "PAYLOAD_TOO_LARGE"}
    assert min(ended.values()) > MUTATIONS // 20, ended


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


# Messages of up to 32 MiB of which a decoder would make a hundred times as much.
COSTLY: dict[str, tuple[bytes, type[ServiceError]]] = {
    "empty inputs": (b"\x2a\x00" * (16 << 20), InvalidInput),
    "large inputs": ((b"\x2a" + varint(1 << 20) + b"\x22\x00" * (1 << 19)) * 30, PayloadTooLarge),
    "unknown fields": (b"\xf8\x01\x00" * 100_000, InvalidInput),
    "a group": (b"\x0b" + bytes(4 << 20), PayloadTooLarge),
    "raw tensors behind a group": (b"\x0b\x0c\x3a" + varint(3 << 20) + bytes(3 << 20), PayloadTooLarge),
    "fixed numbers, then much": (b"\x31" + bytes(8) + b"\x35" + bytes(4) + b"\x0b" * (4 << 20), PayloadTooLarge),
}
SHORT = {
    "a length without its bytes": b"\x3a" + varint(1 << 40) + bytes(1 << 20),
    "a number without an end": bytes([0xFF]) * (1 << 20),
}


@pytest.mark.parametrize(("sent", "error"), COSTLY.values(), ids=COSTLY)
def test_a_costly_message_is_refused_before_it_is_decoded(sent: bytes, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        check_size(sent)


@pytest.mark.parametrize("sent", SHORT.values(), ids=SHORT)
def test_a_message_that_does_not_end_is_refused_by_the_decoder(sent: bytes) -> None:
    check_size(sent)
    with pytest.raises(InvalidInput, match="is not a"):
        request_of(sent)


def test_raw_tensors_may_be_large() -> None:
    request = message(body(candles=bars(*[0.4] * 1_000, count=800)), raw=True)
    sent = request.SerializeToString()
    assert len(sent) > 30 << 20
    assert request_of(sent) == request


def answer(*, parameters: dict[str, str | float | bool]) -> InferenceAnswer:
    tensors = [
        OutputTensor("signal", "BYTES", ["hold", "long"], binary=False),
        OutputTensor("confidence", "FP64", [0.25, 0.75], binary=False),
    ]
    return InferenceAnswer("v3", "ä", parameters, tensors)


@pytest.mark.parametrize("raw", [True, False])
def test_an_answer_has_the_same_values_in_both_forms(*, raw: bool) -> None:
    parameters: dict[str, str | float | bool] = {"a": "text", "b": True, "c": 3, "d": 0.5}
    found = pb.ModelInferResponse.FromString(encoded(answer(parameters=parameters), raw=raw))
    assert (found.model_name, found.model_version, found.id) == ("reversal", "v3", "ä")
    assert scalars(found) == parameters
    assert outputs(found) == {"signal": ["hold", "long"], "confidence": [0.25, 0.75]}
    assert [(each.name, each.datatype, [*each.shape]) for each in found.outputs] == [
        ("signal", "BYTES", [2]),
        ("confidence", "FP64", [2]),
    ]
