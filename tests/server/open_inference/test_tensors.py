"""Input tensors: what is refused, and under which name."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidInput
from server.api.schemas.open_inference import MOST_ITEMS
from server.open_inference.tensors import INPUTS, GivenTensor, check_finite, elements

GOOD = GivenTensor("candles", "FP64", [2, 3, 5], np.arange(30.0).tobytes())


def place_of(given: GivenTensor) -> str:
    with pytest.raises(InvalidInput) as refused:
        elements(given, "inputs[7]")
    (detail,) = refused.value.details
    return detail.path


def test_bytes_and_elements_give_the_same_array() -> None:
    found = elements(GOOD, "")
    assert found.shape == (2, 3, 5)
    assert np.array_equal(found, elements(GOOD._replace(data=[float(i) for i in range(30)]), ""))


@pytest.mark.parametrize("name", INPUTS)
def test_each_input_takes_its_datatype_and_no_other(name: str) -> None:
    kind = INPUTS[name]
    shape = [1] * (len(kind.dimensions) - 1) + [5 if name == "candles" else 1]
    count = shape[-1]
    for datatype in ("FP32", "FP64", "INT64", "BYTES", "FP16", "", "fp64", "x" * 1_000):
        given = GivenTensor(name, datatype, shape, [1] * count)
        if datatype == kind.datatype:
            assert elements(given, "").shape == tuple(shape)
        else:
            assert place_of(given) == f"{name}.datatype"


@pytest.mark.parametrize(
    "shape",
    [
        [],
        [30],
        [6, 5],
        [2, 3, 5, 1],
        [1] * 1_000,
        [2, 5, 3],
        [2, 3, 6],
        [-2, -3, 5],
        [-1, 3, 5],
        [2, -3, -5],
        [0, 3, 5],
        [MOST_ITEMS + 1, 1, 5],
        [1, 2_001, 5],
        [2**31, 2**31, 5],
        [2**63, 2**63, 2**63],
        [10**5_000, 3, 5],
        [1, 10**18, 0],
        [0, 10**18, 5],
    ],
    ids=lambda shape: str(len(shape)),
)
def test_an_impossible_shape_is_refused_and_allocates_nothing(shape: list[int]) -> None:
    tracemalloc.start()
    for data in (GOOD.data, b"", [], [0.0] * 30):
        assert place_of(GOOD._replace(shape=shape, data=data)) == "candles.shape"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    "data", [b"", bytes(239), bytes(241), bytes(8), [], [0.0] * 29, [0.0] * 31], ids=lambda data: str(len(data))
)
def test_data_of_another_size_than_the_shape_are_refused(data: Any) -> None:  # noqa: ANN401
    assert place_of(GOOD._replace(data=data)) == "candles"


def test_an_unknown_input_is_refused_with_its_place() -> None:
    for name in ("candle", "", "x" * 1_000, "stage1_prob"):
        assert place_of(GOOD._replace(name=name)) == "inputs[7].name"


@pytest.mark.parametrize("wrong", [None, "1", [1.0], True])
def test_an_element_of_another_type_is_named(wrong: Any) -> None:  # noqa: ANN401
    if wrong is True:  # struct takes booleans for numbers, and so does Python
        assert elements(GOOD._replace(data=[True] * 30), "").sum() == 30
        return
    data = [1.0] * 30
    data[17] = wrong
    assert place_of(GOOD._replace(data=data)) == "candles[1][0][2]"


def test_an_integer_that_does_not_fit_is_named() -> None:
    given = GivenTensor("timestamps", "INT64", [1, 3], [1, 2**63, 3])
    assert place_of(given) == "timestamps[0][1]"
    assert place_of(given._replace(data=[1, 2, 3.5])) == "timestamps[0][2]"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["candles", "raw_features", "features_stage2"])
def test_an_element_that_is_not_finite_is_named(name: str, value: float) -> None:
    values = np.ones((4, 3))
    check_finite(name, 2, values)
    values[1, 2] = value
    with pytest.raises(InvalidInput) as refused:
        check_finite(name, 2, values)
    assert refused.value.details[0].path == f"{name}[2][1][2]"


def test_a_number_that_does_not_fit_fp32_is_infinite() -> None:
    found = elements(GivenTensor("features", "FP32", [1, 1, 2], [1.0, 1e39]), "")
    assert found.dtype == np.float32
    assert np.isinf(found[0, 0, 1])
