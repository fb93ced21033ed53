"""Graphs that are valid, and never end or take all memory when they are loaded or run.

`python -m tests.hanging` prints how long a trial of each takes, and its memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto, helper

from core.bundles import bundle
from core.bundles.manifest import FILE_NAME
from core.inference import trial
from tests import bundles

_FLOAT = TensorProto.FLOAT
_BIG = 1 << 33
make = helper.make_node


class Part(NamedTuple):
    """Nodes from `zero` (a number that depends on the input) to `end`, with their constants."""

    nodes: list[Any]
    constants: dict[str, Any]


def _number(name: str) -> Any:  # noqa: ANN401 - onnx has no types
    return helper.make_tensor_value_info(name, _FLOAT, [])


def _largest(of: str) -> Any:  # noqa: ANN401
    return make("ReduceMax", [of], ["end"], keepdims=0)


def _loop() -> Part:
    body = bundles._idle()  # noqa: SLF001 - the loop of the slow network
    return Part([make("Loop", ["turns", "", "zero"], ["end"], body=body)], {"turns": np.array(1 << 60)})


def _nested() -> Part:
    loop, constants = _loop()
    then = helper.make_graph(loop, "then", [], [_number("end")])
    other = helper.make_graph([make("Identity", ["zero"], ["other"])], "else", [], [_number("other")])
    nodes = [make("Equal", ["zero", "zero"], ["yes"])]
    return Part([*nodes, make("If", ["yes"], ["end"], then_branch=then, else_branch=other)], constants)


def _scan() -> Part:
    steps = [make("Identity", ["a"], ["b"]), make("Identity", ["x"], ["y"])]
    body = helper.make_graph(steps, "body", [_number("a"), _number("x")], [_number("b"), _number("y")])
    scan = make("Scan", ["zero", "many"], ["end", "all"], body=body, num_scan_inputs=1)
    return Part([make("Expand", ["zero", "steps"], ["many"]), scan], {"steps": np.array([40_000_000])})


def _recurrent() -> Part:
    weights = np.zeros((1, 4, 1), np.float32)
    nodes = [make("Expand", ["zero", "size"], ["long"])]
    nodes += [make("LSTM", ["long", "w", "r"], ["", "h"], hidden_size=1), _largest("h")]
    return Part(nodes, {"size": np.array([20_000_000, 1, 1]), "w": weights, "r": weights})


def _folded() -> Part:
    """A constant that does not fit; ONNX Runtime computes it when it creates the session."""
    return Part([make("ConstantOfShape", ["size"], ["c"]), _largest("c")], {"size": np.array([_BIG])})


def _folded_for_long() -> Part:
    """Constants that each fit, so that only the time limit ends it."""
    nodes = [make("ConstantOfShape", ["size"], ["c0"])]
    nodes += [make("Sin", [f"c{step}"], [f"c{step + 1}"]) for step in range(2_000)]
    return Part([*nodes, _largest("c2000")], {"size": np.array([1 << 25])})


def _range() -> Part:
    ends = {"from": np.array(0.0, np.float32), "to": np.array(8e9, np.float32), "by": np.array(1.0, np.float32)}
    return Part([make("Range", list(ends), ["c"]), _largest("c")], ends)


def _expand() -> Part:
    return Part([make("Expand", ["zero", "size"], ["c"]), _largest("c")], {"size": np.array([_BIG])})


def _multiplied() -> Part:
    nodes = [make("Expand", ["zero", "size"], ["c0"])]
    nodes += [make("MatMul", [f"c{step}", "c0"], [f"c{step + 1}"]) for step in range(200)]
    return Part([*nodes, _largest("c200")], {"size": np.array([4_000, 4_000])})


def _repeated(operator: str, *inputs: str) -> Part:
    constants = {"one": np.array([1]), "size": np.array([_BIG]), "pads": np.array([0, _BIG])}
    constants["scales"] = np.array([8e9], np.float32)
    nodes = [make("Reshape", ["zero", "one"], ["flat"]), make(operator, ["flat", *inputs], ["c"]), _largest("c")]
    return Part(nodes, constants)


PARTS: dict[str, Callable[[], Part]] = {
    "loop": _loop,
    "nested": _nested,
    "scan": _scan,
    "recurrent": _recurrent,
    "folded": _folded,
    "folded_for_long": _folded_for_long,
    "range": _range,
    "expand": _expand,
    "multiplied": _multiplied,
    "tile": lambda: _repeated("Tile", "size"),
    "pad": lambda: _repeated("Pad", "pads"),
    "resize": lambda: _repeated("Resize", "", "scales"),
}


def network(kind: str, length: int = 4, width: int = 2) -> bytes:
    """A network that answers the mean of the window, plus 0 times the `end` of a part."""
    part = PARTS[kind]()
    nodes = [
        make("ReduceMean", ["window"], ["mean"], axes=[1, 2], keepdims=0),
        make("ReduceMax", ["mean"], ["most"], keepdims=0),
        make("Mul", ["most", "none"], ["zero"]),
        *part.nodes,
        make("Mul", ["end", "none"], ["nothing"]),
        make("Add", ["mean", "nothing"], ["sum"]),
        make("Reshape", ["sum", "shape"], ["probability"]),
    ]
    constants = {"shape": np.array([-1, 1]), "none": np.array(0.0, np.float32)} | part.constants
    inputs = [helper.make_tensor_value_info("window", _FLOAT, ["batch", length, width])]
    outputs = [helper.make_tensor_value_info("probability", _FLOAT, ["batch", 1])]
    return bundles.model_bytes(nodes, inputs, outputs, constants)


def write(root: Path, version: str, kind: str, stage: str = "stage1") -> Path:
    """Write a bundle with this network in one stage; returns its folder."""
    folder, graph = bundles.write(root, version), network(kind)
    manifest: dict[str, Any] = json.loads((folder / FILE_NAME).read_bytes())
    digest = hashlib.sha256(graph).hexdigest()
    manifest[stage]["network"] = {"file": f"{stage}-network-{digest[:16]}.onnx", "sha256": digest}
    (folder / manifest[stage]["network"]["file"]).write_bytes(graph)
    (folder / FILE_NAME).write_text(json.dumps(manifest))
    return folder


def main() -> None:
    """Print a line for each kind: seconds, MiB of the trial's process, and why the bundle is refused."""
    for kind in PARTS:
        with tempfile.TemporaryDirectory() as folder:
            read = bundle.read(write(Path(folder), "v1", kind))
        # Each trial has a parent of its own, because the kernel keeps only the largest memory of all children.
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        began = time.monotonic()
        failure = trial.run(read, trial.LOADING)
        seconds = time.monotonic() - began
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        sys.stdout.write(f"{kind:16} {seconds:4.1f} s {memory:4.0f} MiB  {failure and failure.reason}\n")
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
