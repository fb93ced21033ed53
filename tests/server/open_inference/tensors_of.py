"""Bodies of the Open Inference Protocol for the versions of the `models` fixture, and their detectors."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = "Inference-Header-Content-Length"
CODES = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8"}
DATATYPES = {"candles": "FP64", "timestamps": "INT64"}
HOUR = 3_600_000
# A time long ago: 2025-01-01T00:00:00Z.
FIRST = 1_735_689_600_000


def datatype_of(name: str) -> str:
    return DATATYPES.get(name, "FP64" if name.startswith("raw_") else "FP32")


def bars(*prices: float, count: int = 20) -> NDArray[np.float64]:
    """Candles of these prices, each with its own series: (batch, count, 5)."""
    return np.array([[[price] * 4 + [1.0]] * count for price in prices])


def windows(*values: float) -> NDArray[np.float64]:
    """Windows of the `models` fixture, whose probability is the mean: (batch, 4, 2)."""
    return np.array([[[value] * 2] * 4 for value in values])


def times(batch: int = 1, count: int = 20) -> NDArray[np.int64]:
    return np.array([[FIRST + HOUR * i for i in range(count)]] * batch)


def tensor(name: str, values: Any, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """An input as JSON, with nested data."""
    array = np.asarray(values)
    return {"name": name, "shape": list(array.shape), "datatype": datatype_of(name), "data": array.tolist()} | fields


def body(
    *,
    parameters: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
    **inputs: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """A request with these inputs."""
    found = {"inputs": [tensor(name, values) for name, values in inputs.items()]} | (more or {})
    return found if parameters is None else found | {"parameters": parameters}


def binary(request: dict[str, Any], only: tuple[str, ...] | None = None) -> tuple[bytes, dict[str, str]]:
    """The same request with its tensors, or `only` some, as binary data: the body and its headers."""
    found, behind = json.loads(json.dumps(request)), b""
    for each in found["inputs"]:
        if only is None or each["name"] in only:
            with np.errstate(over="ignore"):
                raw = np.array(each.pop("data")).astype(CODES[each["datatype"]]).tobytes()
            each["parameters"] = {"binary_data_size": len(raw)}
            behind += raw
    text = json.dumps(found).encode()
    return text + behind, {HEADER: str(len(text)), "Content-Type": "application/octet-stream"}


def outputs(answer: bytes, header: str | None) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The JSON of an answer, and the elements of each output, whichever form it has."""
    length = len(answer) if header is None else int(header)
    head, rest, found = json.loads(answer[:length]), answer[length:], {}
    for each in head["outputs"]:
        if "data" in each:
            found[each["name"]] = [np.nan if value == "NaN" else value for value in each["data"]]
            continue
        size = each["parameters"]["binary_data_size"]
        raw, rest = rest[:size], rest[size:]
        if each["datatype"] == "FP64":
            found[each["name"]] = np.frombuffer(raw, "<f8").tolist()
            continue
        texts = found[each["name"]] = []
        while raw:
            end = 4 + int.from_bytes(raw[:4], "little")
            texts.append(raw[4:end].decode())
            raw = raw[end:]
    assert rest == b""
    return head, found
