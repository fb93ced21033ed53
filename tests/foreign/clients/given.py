"""A plugin of pytest for the tests in this folder: running servers, and questions with the answers that they must get.

These tests run in .venv-foreign, where the project's own packages cannot be imported.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

MODEL = "reversal"
OUTPUTS = ["stage1_prob", "stage2_prob", "signal", "confidence"]
DATATYPES = {"candles": "FP64", "timestamps": "INT64", "features": "FP32", "raw_features": "FP64"}
_DTYPES = {"FP64": np.float64, "FP32": np.float32, "INT64": np.int64}


class Address(NamedTuple):
    """Host and port of a server's HTTP and gRPC, and the file of its authority and a token if it needs them."""

    http: str
    grpc: str
    authority: str = ""
    token: str = ""


class Tensor(NamedTuple):
    """An input."""

    name: str
    values: NDArray[Any]

    @property
    def datatype(self) -> str:
        return DATATYPES[self.name]

    @property
    def shape(self) -> list[int]:
        return list(self.values.shape)


class Asked(NamedTuple):
    """A question of one item, and the `data` that /reversal/predict answers to it."""

    version: str
    tensors: list[Tensor]
    parameters: dict[str, Any]
    answer: dict[str, Any]

    def check(self, outputs: Mapping[str, Sequence[Any]], version: str | None, item: int = 0) -> None:
        """Check that the outputs are the answer, to the last bit. version: None if the client does not tell it."""
        found = {name: values[item] for name, values in outputs.items()}
        signal = found["signal"]
        assert (signal.decode() if isinstance(signal, bytes) else signal) == self.answer["signal"]
        assert found["confidence"] == self.answer["confidence"]
        assert found["stage1_prob"] == self.answer["stage1_prob"]
        if self.answer["stage2_prob"] is None:
            assert math.isnan(found["stage2_prob"])
        else:
            assert found["stage2_prob"] == self.answer["stage2_prob"]
        assert version in (None, self.answer["model_version"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `asked` with each question."""
    if "asked" in metafunc.fixturenames:
        metafunc.parametrize("asked", ASKED.values(), ids=ASKED)


@pytest.fixture
def plain() -> Address:
    """A server without tokens and TLS."""
    return Address(**_GIVEN["plain"])


@pytest.fixture
def secured() -> Address:
    """A server with both."""
    return Address(**_GIVEN["secured"])


@pytest.fixture
def user() -> dict[str, str]:
    """A user of the running experiment: `id`, and its `variant`."""
    found: dict[str, str] = _GIVEN["user"]
    return found


@pytest.fixture
def hold() -> Asked:
    return ASKED["candles, hold"]


@pytest.fixture
def several() -> list[Asked]:
    """Candles of the same length, whose signals are hold, long and short."""
    return [ASKED[f"candles, {signal}"] for signal in ("hold", "long", "short")]


def stacked(several: Sequence[Asked]) -> list[Tensor]:
    """The tensors of a batch."""
    names = [tensor.name for tensor in several[0].tensors]
    return [Tensor(name, np.concatenate([each.tensors[i].values for each in several])) for i, name in enumerate(names)]


def _asked(row: dict[str, Any]) -> Asked:
    tensors = [
        Tensor(name, np.array(values, _DTYPES[DATATYPES[name]])[np.newaxis]) for name, values in row["tensors"].items()
    ]
    return Asked(row["version"], tensors, row["parameters"], row["answer"])


_GIVEN = json.loads(Path(os.environ["REVERSAL_FOREIGN"]).read_text())
ASKED = {row["name"]: _asked(row) for row in _GIVEN["asked"]}
