"""Bundles for tests. Their networks answer the mean of the window, so that a test can choose the probability."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from core.bundles import windows
from core.bundles.manifest import (
    FILE_NAME,
    FORMAT_VERSION,
    Classes,
    DirectionStage,
    File,
    Inputs,
    Manifest,
    Stage,
    WindowsFile,
    encode,
)
from core.bundles.repository import INDEX_NAME

# An empty loop with this many turns takes some seconds.
SLOW_TURNS = 4_000_000

Kind = Literal[
    "mean",
    "unclipped",
    "root",
    "raises",
    "slow",
    "first_row",
    "two_inputs",
    "two_wide",
    "fixed_batch",
    "classes",
    "softmax",
]


def network(length: int, width: int, kind: Kind = "mean") -> bytes:
    """Build a network graph.

    mean: p is the mean of the window, clipped to 0..1. unclipped: the same without clipping.
    root: p = sqrt(0.9 - mean), which is NaN if the mean is above 0.9.
    raises, slow: like mean, but if a mean of the batch is above 0.9, ONNX Runtime raises or runs for seconds.
    first_row: declares the right shape, but answers only for the first window of a batch.
    two_inputs, two_wide, fixed_batch: declare a wrong shape.
    classes, softmax: see class_network.
    """
    if kind in {"classes", "softmax"}:
        return class_network(length, width, softmax=kind == "softmax")
    nodes = [
        helper.make_node("ReduceMean", ["window"], ["unclipped"], axes=[1, 2], keepdims=0),
        helper.make_node("Clip", ["unclipped", "zero", "one"], ["mean"]),
    ]
    constants: dict[str, np.ndarray] = {
        "shape": np.array([-1, 2 if kind == "two_wide" else 1], np.int64),
        "zero": np.array(0.0, np.float32),
        "one": np.array(1.0, np.float32),
    }
    last = "unclipped" if kind == "unclipped" else "mean"
    if kind == "root":
        constants["limit"] = np.array(0.9, np.float32)
        nodes += [helper.make_node("Sub", ["limit", "mean"], ["rest"]), helper.make_node("Sqrt", ["rest"], ["root"])]
        last = "root"
    if kind in {"raises", "slow"}:
        constants["limit"] = np.array(0.9, np.float32)
        nodes += [
            helper.make_node("ReduceMax", ["mean"], ["most"], keepdims=0),
            helper.make_node("Greater", ["most", "limit"], ["above"]),
            helper.make_node("Cast", ["above"], ["odd"], to=TensorProto.INT64),
        ]
        last = "odd_or_mean"
    if kind == "raises":  # index 1 of an array with one element
        nodes += [
            helper.make_node("Gather", ["nothing", "odd"], ["added"]),
            helper.make_node("Add", ["mean", "added"], [last]),
        ]
        constants["nothing"] = np.zeros(1, np.float32)
    if kind == "slow":
        constants |= {"turns": np.array(SLOW_TURNS), "nothing": np.array(0.0, np.float32)}
        nodes += [
            helper.make_node("Mul", ["odd", "turns"], ["count"]),
            helper.make_node("Loop", ["count", "", "nothing"], ["added"], body=_idle()),
            helper.make_node("Add", ["mean", "added"], [last]),
        ]
    if kind == "first_row":
        constants |= {"start": np.array([0]), "end": np.array([1])}
        nodes.append(helper.make_node("Slice", ["mean", "start", "end"], ["first"]))
        last = "first"
    if kind == "two_wide":
        nodes.append(helper.make_node("Concat", ["mean", "mean"], ["both"], axis=0))
        last = "both"
    nodes.append(helper.make_node("Reshape", [last, "shape"], ["probability"]))
    batch = 1 if kind == "fixed_batch" else "batch"
    inputs = [helper.make_tensor_value_info("window", TensorProto.FLOAT, [batch, length, width])]
    if kind == "two_inputs":
        inputs.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [batch, 1]))
    out_width = 2 if kind == "two_wide" else 1
    outputs = [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [batch, out_width])]
    return model_bytes(nodes, inputs, outputs, constants)


def class_network(length: int, width: int, *, softmax: bool = False) -> bytes:
    """Build a network with three outputs: the means of the window's first three features, the first one plus 1.

    A window of zeros thus has the probabilities 1, 0 and 0. softmax: the outputs are the softmax of these numbers.
    """
    nodes = [
        helper.make_node("ReduceMean", ["window"], ["means"], axes=[1], keepdims=0),
        helper.make_node("Slice", ["means", "start", "end", "axis"], ["three"]),
        helper.make_node("Add", ["three", "base"], ["sums"]),
        helper.make_node("Softmax" if softmax else "Identity", ["sums"], ["probabilities"]),
    ]
    constants = {"start": np.array([0]), "end": np.array([3]), "axis": np.array([1])}
    inputs = [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", length, width])]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])]
    return model_bytes(nodes, inputs, outputs, constants | {"base": np.array([1.0, 0.0, 0.0], np.float32)})


def class_window(*probabilities: float, length: int = 4) -> list[list[float]]:
    """A window for which the class network gives these three numbers."""
    first, second, third = probabilities
    return [[first - 1.0, second, third]] * length


def _idle() -> Any:  # noqa: ANN401 - onnx has no types
    """The body of an empty loop."""
    nodes = [helper.make_node("Identity", [f"{name}_in"], [f"{name}_out"]) for name in ("going", "kept")]
    turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
    ends = [
        [
            helper.make_tensor_value_info(f"going_{end}", TensorProto.BOOL, []),
            helper.make_tensor_value_info(f"kept_{end}", TensorProto.FLOAT, []),
        ]
        for end in ("in", "out")
    ]
    return helper.make_graph(nodes, "idle", [turn, *ends[0]], ends[1])


def scaler(length: int, width: int, centre: float, scale: float) -> bytes:
    """Build a scaler graph: (raw - centre) / scale, from float64 to float32."""
    constants = {"centre": np.full(width, centre), "scale": np.full(width, scale)}
    nodes = [
        helper.make_node("Sub", ["raw", "centre"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["divided"]),
        helper.make_node("Cast", ["divided"], ["scaled"], to=TensorProto.FLOAT),
    ]
    inputs = [helper.make_tensor_value_info("raw", TensorProto.DOUBLE, ["batch", length, width])]
    outputs = [helper.make_tensor_value_info("scaled", TensorProto.FLOAT, ["batch", length, width])]
    return model_bytes(nodes, inputs, outputs, constants)


def model_bytes(nodes: list, inputs: list, outputs: list, constants: dict[str, np.ndarray], opset: int = 17) -> bytes:  # type: ignore[type-arg]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def write(
    root: Path,
    version: str = "v1",
    *,
    features: Sequence[str] = ("close", "sma_5"),
    stage2_features: Sequence[str] | None = ("close", "sma_5"),
    length: int = 4,
    stage2_length: int | None = None,
    threshold: float = 0.5,
    weights: tuple[float, float] = (0.5, 0.5),
    positive: Literal["long", "short"] = "short",
    scale: tuple[float, float] | None = (0.0, 1.0),
    stage2_scale: tuple[float, float] | None = (0.0, 1.0),
    kind: Kind = "mean",
    stage2_kind: Kind = "mean",
    name: str = "Test detector",
    metadata: dict[str, Any] | None = None,
    classes: Classes | None = None,
    inputs: Inputs = "candles",
    label_rule: object = None,
    format_version: int = FORMAT_VERSION,
    background: tuple[float, ...] = (),
) -> Path:
    """Write a bundle and return its folder. `scale` is (centre, scale) of the scaler; None for no scaler.

    With `classes`, the version has one stage with the class network. `background` is one number for each stored window
    of each stage, which has it everywhere; the reference window has their mean.
    """
    if classes is not None:
        stage2_features, kind = None, "softmax" if kind == "softmax" else "classes"
    folder = root / version
    folder.mkdir(parents=True, exist_ok=True)

    def put(prefix: str, graph: bytes) -> File:
        digest = hashlib.sha256(graph).hexdigest()
        file = File(f"{prefix}-{digest[:16]}.onnx", digest)
        (folder / file.file).write_bytes(graph)
        return file

    def put_windows(label: str, stored: NDArray[np.float32]) -> WindowsFile:
        data = windows.encode(stored)
        digest = hashlib.sha256(data).hexdigest()
        file = WindowsFile(f"{label}-background-{digest[:16]}.npy", digest, count=len(stored))
        (folder / file.file).write_bytes(data)
        return file

    def stage_fields(label: str, names: Sequence[str], how: Kind, of: tuple[float, float] | None, steps: int) -> dict:  # type: ignore[type-arg]
        shape = (len(background), steps, len(names))
        stored = np.broadcast_to(np.array(background, np.float32)[:, None, None], shape)
        reference = tuple(map(tuple, stored.mean(axis=0).tolist())) if background else None
        return {
            "background": reference,
            "background_windows": put_windows(label, stored) if len(background) > 1 else None,
            "features": tuple(names),
            "sequence_length": steps,
            "parameters": 1,
            "opset": 17,
            "network": put(f"{label}-network", network(steps, len(names), how)),
            "scaler": put(f"{label}-scaler", scaler(steps, len(names), *of)) if of else None,
            "sources": {},
            "parity": {},
        }

    stage2 = None
    if stage2_features:
        fields = stage_fields("stage2", stage2_features, stage2_kind, stage2_scale, stage2_length or length)
        stage2 = DirectionStage(**fields, positive=positive)
    manifest = Manifest(
        format_version=format_version,
        version=version,
        name=name,
        description="",
        threshold=threshold,
        confidence_weights=weights,
        stage1=Stage(**stage_fields("stage1", features, kind, scale, length), classes=classes),
        stage2=stage2,
        metrics={},
        metadata=metadata or {},
        tools={},
        inputs=inputs,
        label_rule=label_rule,
    )
    (folder / FILE_NAME).write_bytes(encode(manifest))
    return folder


def write_order(root: Path, *versions: str) -> None:
    """Write the index with this order of versions."""
    quoted = ", ".join(f'"{version}"' for version in versions)
    (root / INDEX_NAME).write_text(f'{{"order": [{quoted}]}}')


def flip_byte(file: Path) -> None:
    """Invert one bit in the middle of a file."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x01
    file.write_bytes(bytes(data))
