"""Bodies of REST: each form is the same request, and each fault is named."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidInput, ServiceError
from server.http.bodies import sizes
from server.http.errors import MalformedJson
from server.open_inference.answers import InferenceAnswer, OutputTensor
from server.open_inference.inference import Inference
from server.open_inference.rest import encoded, inference
from tests.server.open_inference.tensors_of import (
    HEADER,
    HOUR,
    bars,
    binary,
    body,
    outputs,
    tensor,
    times,
    windows,
)

REQUEST = body(candles=bars(0.4, 0.9), timestamps=times(2), parameters={"pair": "EUR/USD"}, more={"id": "7"})

SIGNAL = {"name": "signal"}
SHARED = {"shared_memory_region": "x", "shared_memory_byte_size": 8}
TENSOR = {"name": "candles", "datatype": "FP64", "shape": [1, 1, 5]}


def sent(request: Any, header: str | None = None) -> Inference:  # noqa: ANN401
    return inference(request if isinstance(request, bytes) else json.dumps(request).encode(), header, "v1")


def read(found: Inference, name: str) -> NDArray[Any]:
    """All elements of a tensor."""
    return np.array([found.elements(name, item) for item in range(found.head.common.items)])


def refused(request: Any, header: str | None = None) -> tuple[str, str]:  # noqa: ANN401
    """The code of the refusal of a body, and its place."""
    with pytest.raises(ServiceError) as error:
        sent(request, header)
    details = error.value.details
    return error.value.code, details[0].path if details else ""


def changed(path: str, value: Any) -> dict[str, Any]:  # noqa: ANN401
    """REQUEST with another value at a place; without it if the value is `...`."""
    found: dict[str, Any] = json.loads(json.dumps(REQUEST))
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    at: Any = found
    for step in steps:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return found


@pytest.mark.parametrize("form", ["nested", "flat", "binary", "mixed"])
def test_every_form_is_the_same_request(form: str) -> None:
    request, header = json.dumps(REQUEST).encode(), None
    if form == "flat":
        flat = [each | {"data": np.array(each["data"]).ravel().tolist()} for each in REQUEST["inputs"]]
        request = json.dumps(REQUEST | {"inputs": flat}, indent=1).encode()
    elif form != "nested":
        request, headers = binary(REQUEST, None if form == "binary" else ("candles",))
        header = headers[HEADER]
    found = sent(request, header)
    assert (found.head.version, found.head.id, found.head.parameters.pair) == ("v1", "7", "EUR/USD")
    assert np.array_equal(read(found, "candles"), bars(0.4, 0.9))
    assert np.array_equal(read(found, "timestamps"), times(2))
    assert [output.name for output in found.head.outputs] == ["stage1_prob", "stage2_prob", "signal", "confidence"]
    assert not any(output.binary for output in found.head.outputs)


def test_the_raw_form_is_one_series_of_candles_and_asks_for_binary_outputs() -> None:
    found = sent(bars(0.4).tobytes(), "0")
    assert np.array_equal(read(found, "candles"), bars(0.4))
    assert (found.head.id, found.head.parameters.pair) == (None, "XXX/XXX")
    assert all(output.binary for output in found.head.outputs)


def test_the_outputs_and_their_form_are_as_requested() -> None:
    wanted = [{"name": "signal"}, {"name": "confidence", "parameters": {"binary_data": False}}]
    found = sent(REQUEST | {"outputs": wanted, "parameters": {"binary_data_output": True}})
    assert found.head.outputs == (("signal", True), ("confidence", False))
    assert len(sent(REQUEST | {"outputs": []}).head.outputs) == len(sent(REQUEST | {"outputs": None}).head.outputs) == 4


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("inputs", ..., "inputs"),
        ("inputs", None, "inputs"),
        ("inputs", {}, "inputs"),
        ("inputs", [1], "inputs[0]"),
        ("inputs", [tensor("candles", bars(0.4))] * 2, "inputs[1].name"),
        ("inputs", [tensor("candles", bars(0.4))] * 17, "inputs"),
        ("inputs.0.name", "prices", "inputs[0].name"),
        ("inputs.0.name", ..., "inputs[0].name"),
        ("inputs.0.name", None, "inputs[0].name"),
        ("inputs.0", {"name": "prices", "shape": [1], "datatype": 1}, "inputs[0].datatype"),
        ("inputs.0", {"name": 1, "shape": 1, "datatype": "FP64"}, "inputs[0].name"),
        ("inputs.0", {"shape": 1}, "inputs[0].shape"),
        ("inputs.1.shape", ..., "timestamps.shape"),
        ("inputs.0.datatype", "FP32", "candles.datatype"),
        ("inputs.0.datatype", 64, "candles.datatype"),
        ("inputs.0.shape", [2, 20], "candles.shape"),
        ("inputs.0.shape", [2, 20, -5], "candles.shape"),
        ("inputs.0.shape", [2, 20, "5"], "candles.shape[2]"),
        ("inputs.0.shape", [2, 20, 5.0], "candles.shape[2]"),
        ("inputs.0.shape", "[2, 20, 5]", "candles.shape"),
        ("inputs.0.shape", [1] * 9, "candles.shape"),
        ("inputs.0.shape", [4, 10, 5], "candles.data"),
        ("inputs.0.shape", [2, 19, 5], "candles.data[0]"),
        ("inputs.0.data", ..., "candles.data"),
        ("inputs.0.data", None, "candles.data"),
        ("inputs.0.data", "AAAA", "candles.data"),
        ("inputs.0.data", [], "candles"),
        ("inputs.0.data", [[]], "candles.data"),
        ("inputs.0.data", [[[[1.0]]]], "candles.data"),
        ("inputs.0.data.1.3", [1.0] * 4, "candles.data[1][3]"),
        ("inputs.0.data.1.3.2", None, "candles.data[1][3][2]"),
        ("inputs.0.data.1.3.2", "1.1", "candles.data[1][3][2]"),
        ("inputs.0.data.1.3.2", True, "candles.data[1][3][2]"),
        ("inputs.0.data", [1.0] * 199, "candles"),
        ("inputs.0.data", [[1.0] * 100] * 2, "candles.data"),
        ("inputs.0.data", [[[1.0] * 5, 1.0]], "candles.data[0][1]"),
        ("inputs.1.data.0.3", 1.5, "timestamps[0][3]"),
        ("inputs.1.data.0.3", "2025-01-01", "timestamps.data[0][3]"),
        ("inputs.1.data.0.3", 2**63, "timestamps[0][3]"),
        ("inputs.0.parameters", {"binary_data_size": 8}, "candles.data"),
        ("inputs.0.parameters", {"binary_data_size": "8"}, "candles.parameters.binary_data_size"),
        ("inputs.0.parameters", [], "candles.parameters"),
        ("outputs", [{"name": "signals"}], "outputs[0].name"),
        ("outputs", [{"name": "signal"}] * 2, "outputs[1].name"),
        ("outputs", [{}], "outputs[0].name"),
        ("outputs", [SIGNAL | {"parameters": {"classification": 2}}], "outputs[0].parameters.classification"),
        ("outputs", [SIGNAL | {"parameters": SHARED}], "outputs[0].parameters.shared_memory_region"),
        ("inputs.0", TENSOR | {"parameters": SHARED}, "candles.parameters.shared_memory_region"),
        ("outputs", [{"name": "signal", "parameters": {"binary_data": 1}}], "outputs[0].parameters.binary_data"),
        ("id", 7, "id"),
        ("parameters", [], "parameters"),
        ("parameters.pair", "EURUSD", "parameters.pair"),
        ("parameters.pair", None, "parameters.pair"),
        ("parameters.timeframe", "2h", "parameters.timeframe"),
        ("parameters.timeout", -1, "parameters.timeout"),
        ("parameters.timeout", 1.5, "parameters.timeout"),
        ("parameters.timestamps", "last", "parameters.timestamps"),
        ("parameters.user_id", True, "parameters.user_id"),
        ("parameters.binary_data_output", "true", "parameters.binary_data_output"),
    ],
)
def test_a_fault_in_json_is_named(path: str, value: Any, place: str) -> None:  # noqa: ANN401
    assert refused(changed(path, value)) == ("VALIDATION_ERROR", place)


@pytest.mark.parametrize(("data", "brackets"), [([[1.0] * 5] * 20, 2), ([[[[1.0]]]], 4)])
def test_data_of_other_levels_than_the_shape_are_told_what_to_be(data: Any, brackets: int) -> None:  # noqa: ANN401
    with pytest.raises(InvalidInput, match=f"begins with {brackets} brackets; send a flat array, or one with 3 levels"):
        sent(changed("inputs.0.data", data))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]]", b'{"inputs":[NaN]}', b'{"inputs":[{"data":[Infinity]}]}', b"\xff", b"[" * 5_000]
)
def test_what_is_not_json_is_malformed(text: bytes) -> None:
    assert refused(text) == ("MALFORMED_JSON", "")
    assert refused(text + bytes(40), str(len(text)) if text else None)[0] == "MALFORMED_JSON"


def test_unknown_fields_and_parameters_are_ignored() -> None:
    extra = {"priority": 1, "sequence_id": 3, "mine": "x"}
    found = sent(REQUEST | {"model_name": "x", "parameters": REQUEST["parameters"] | extra})
    assert found.head.parameters.pair == "EUR/USD"


class TestBinary:
    BODY, HEADERS = binary(REQUEST)
    LENGTH = int(HEADERS[HEADER])

    @pytest.mark.parametrize("header", ["", "-1", "1.5", "x", "٣", "1" * 10, "+5", " 5"])
    def test_a_header_that_is_no_length_is_refused(self, header: str) -> None:
        assert refused(self.BODY, header) == ("VALIDATION_ERROR", HEADER)

    def test_a_header_beyond_the_body_is_refused(self) -> None:
        assert refused(self.BODY, str(len(self.BODY) + 1)) == ("VALIDATION_ERROR", HEADER)

    def test_without_the_header_the_binary_data_are_not_json(self) -> None:
        for data in (self.BODY[self.LENGTH :], bytes(8), b"2"):
            with pytest.raises(MalformedJson, match=f"the header {HEADER} is missing"):
                sent(self.BODY[: self.LENGTH] + data)
        assert refused(self.BODY[: self.LENGTH]) == ("VALIDATION_ERROR", "candles.parameters.binary_data_size")

    @pytest.mark.parametrize("wrong", [-1, 1])
    def test_a_header_that_is_not_the_length_of_the_json_object_is_named(self, wrong: int) -> None:
        length = self.LENGTH + wrong
        with pytest.raises(MalformedJson, match=f"the {length} bytes that {HEADER} tells are not a JSON object: "):
            sent(self.BODY, str(length))

    @pytest.mark.parametrize("cut", [1, 8, 320, 1_000])
    def test_a_body_that_is_cut_is_refused(self, cut: int) -> None:
        name = "timestamps" if cut <= 320 else "candles"
        place = f"{name}.parameters.binary_data_size"
        assert refused(self.BODY[:-cut], str(self.LENGTH)) == ("VALIDATION_ERROR", place)

    def test_bytes_behind_the_last_tensor_are_refused(self) -> None:
        assert refused(self.BODY + b"x", str(self.LENGTH)) == ("VALIDATION_ERROR", "")

    @pytest.mark.parametrize("size", [-1, 0, 1, 1_599, 1_601, 2**62, 2**70])
    def test_a_size_that_does_not_fit_is_refused(self, size: int) -> None:
        head = json.loads(self.BODY[: self.LENGTH])
        head["inputs"][0]["parameters"]["binary_data_size"] = size
        text = json.dumps(head).encode()
        code, place = refused(text + self.BODY[self.LENGTH :], str(len(text)))
        assert (code, place.split(".")[0]) == ("VALIDATION_ERROR", "candles")

    @pytest.mark.parametrize("size", [1, 39, 41, 4_799])
    def test_a_raw_body_that_is_no_whole_candles_is_refused(self, size: int) -> None:
        assert refused(bytes(size), "0") == ("VALIDATION_ERROR", "candles")

    def test_a_raw_body_of_too_many_candles_is_refused(self) -> None:
        assert refused(bytes(40 * 2_001), "0") == ("VALIDATION_ERROR", "candles.shape")

    def test_more_values_than_json_may_have_are_told_the_binary_form(self) -> None:
        request = body(candles=np.ones((100, 120, 5)))
        with pytest.raises(InvalidInput, match="send less, or send the tensors as binary data"):
            sent(request)
        data, headers = binary(request)
        assert sent(data, headers[HEADER]).head.places["candles"].shape == (100, 120, 5)

    def test_a_large_json_object_is_refused_before_it_is_decoded(self) -> None:
        text = b'{"id":"' + b"x" * sizes.SINGLE + b'"}'
        assert refused(text)[0] == refused(text, str(len(text)))[0] == "PAYLOAD_TOO_LARGE"
        tracemalloc.start()
        try:
            refused(text)
            assert tracemalloc.get_traced_memory()[1] < sizes.SINGLE  # nor is it copied
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("only", [("candles", "timestamps"), ("candles",), ("timestamps",)])
def test_a_head_that_is_known_says_nothing_about_the_data(only: tuple[str, ...]) -> None:
    for version, price, ahead in (("v1", 0.4, 0), ("v1", 0.9, 0), ("v2", 0.9, 0), ("v2", 0.9, 1)):
        stamps = times(1, 3) + (HOUR * ahead)
        data, headers = binary(body(candles=bars(price, count=3), timestamps=stamps), only)
        for _ in range(2):
            found = inference(data, headers[HEADER], version)
            assert found.head.version == version
            assert np.array_equal(read(found, "candles"), bars(price, count=3))
            assert np.array_equal(read(found, "timestamps"), stamps)
        with pytest.raises(InvalidInput):  # the number of bytes behind it does matter
            inference(data + bytes(8), headers[HEADER], version)
    for count in (1, 2):
        for price in (0.4, 0.9):
            raw = bars(price, count=count)
            assert np.array_equal(read(sent(raw.tobytes(), "0"), "candles"), raw)


@pytest.mark.parametrize("path", ["parameters", "inputs.0.parameters", "outputs.0.parameters"])
def test_parameters_may_be_null(path: str) -> None:
    request = json.loads(json.dumps(REQUEST | {"outputs": [{"name": "signal"}]}))
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    at: Any = request
    for step in steps:
        at = at[step]
    at[last] = None
    found = sent(request)
    assert found.head.parameters.pair == ("XXX/XXX" if path == "parameters" else "EUR/USD")
    assert found.head.outputs == (("signal", False),)
    assert np.array_equal(read(found, "candles"), bars(0.4, 0.9))


@pytest.mark.parametrize("nested", [True, False])
def test_an_integer_may_be_written_with_a_fraction_of_zero(*, nested: bool) -> None:
    written = times(2).astype(np.float64)
    request = changed("inputs.1.data", written.tolist() if nested else written.ravel().tolist())
    assert ".0" in json.dumps(request["inputs"][1]["data"])
    assert np.array_equal(read(sent(request), "timestamps"), times(2))
    for wrong in (0.5, 1e300):
        written[1, 3] = wrong
        request = changed("inputs.1.data", written.tolist() if nested else written.ravel().tolist())
        assert refused(request) == ("VALIDATION_ERROR", "timestamps[1][3]")


def test_nan_is_a_text_in_json_and_nan_in_binary_data() -> None:
    def of(*, binary: bool) -> InferenceAnswer:
        tensors = [
            OutputTensor("stage2_prob", "FP64", [0.1, np.nan], binary),
            OutputTensor("signal", "BYTES", ["long", "hold"], binary),
        ]
        return InferenceAnswer("v1", "é", {"warnings": "[]"}, tensors)

    plain, packed = encoded(of(binary=False)), encoded(of(binary=True))
    assert (plain.content_type, plain.header) == ("application/json", None)
    assert json.loads(plain.body)["outputs"][0]["data"] == [0.1, "NaN"]
    assert packed.content_type == "application/octet-stream"
    for each in (plain, packed):
        head, values = outputs(each.body, each.header)
        assert (head["id"], head["model_version"], head["parameters"]) == ("é", "v1", {"warnings": "[]"})
        assert values["signal"] == ["long", "hold"]
        assert np.array_equal(values["stage2_prob"], [0.1, np.nan], equal_nan=True)


def test_windows_are_read_in_their_own_datatype() -> None:
    found = sent(body(features_stage1=windows(0.1), features_stage2=windows(0.7)))
    assert found.head.places["features_stage1"].dtype == np.float32
    assert sent(body(raw_features=windows(0.1))).head.places["raw_features"].dtype == np.float64
