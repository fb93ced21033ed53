"""Speed of different arrangements of scalers and stages: as separate graphs, or joined into one.

Each arrangement gives the same probabilities. Each checks for values that overflow float32 between scaler and network,
because the server must report these to the client. The arrangements run in turns. Times are medians, ratios are to the
arrangement that the server uses.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper

from benchmarks.machine import BUILD, ROOT, machine, save
from core.bundles.bundle import Bundle
from core.bundles.repository import Repository
from core.inference import session

WINDOWS = (1, 8, 32)
ROUNDS = 61
SECONDS = 0.002  # length of a series of calls that is timed as a whole
OPEN, CLOSED = 0.0, 2.0  # thresholds that every window reaches, and that no window reaches
SERVED = "a session each"

Array: TypeAlias = NDArray[Any]
Run: TypeAlias = Callable[[Array], list[Array]]
Arrangement: TypeAlias = Callable[[], list[Array]]


class Joined:
    """Several graphs joined into one: the output of one graph is the input of another."""

    def __init__(self) -> None:
        self.graph = onnx.GraphProto(name="graph")

    def add(self, graph: bytes, prefix: str, takes: str) -> str:
        """Add a graph with the value `takes` as its input; returns the name of its output."""
        part = compose.add_prefix(onnx.load_from_string(graph), f"{prefix}/").graph
        for node in part.node:
            node.input[:] = [takes if name == part.input[0].name else name for name in node.input]
        self.graph.node.extend(part.node)
        self.graph.initializer.extend(part.initializer)
        return str(part.output[0].name)

    def add_gated(self, graph: bytes, takes: str, probability: str, threshold: float) -> str:
        """Add a graph that runs if any window's probability reaches the threshold; otherwise its output is empty."""
        then, none = Joined(), Joined()
        then.give(then.add(graph, "then", takes), TensorProto.FLOAT, 1)
        none.constant("none", np.zeros((0, 1), np.float32))
        none.graph.node.append(helper.make_node("Identity", ["none"], ["nothing"]))
        none.give("nothing", TensorProto.FLOAT, 1)
        self.constant("threshold", np.array(threshold, np.float32))
        self.graph.node.extend(
            (
                helper.make_node("ReduceMax", [probability], ["largest"], keepdims=0),
                helper.make_node("GreaterOrEqual", ["largest", "threshold"], ["opens"]),
                helper.make_node("If", ["opens"], ["gated"], then_branch=then.graph, else_branch=none.graph),
            )
        )
        return "gated"

    def constant(self, name: str, value: Array) -> None:
        """Add a constant tensor."""
        self.graph.initializer.append(numpy_helper.from_array(value, name))

    def take(self, name: str, kind: int, *shape: int) -> str:
        """Declare an input; `shape` excludes the batch axis."""
        self.graph.input.append(helper.make_tensor_value_info(name, kind, ["batch", *shape]))
        return name

    def give(self, name: str, kind: int, *shape: int) -> None:
        """Declare an output; `shape` excludes the batch axis."""
        self.graph.output.append(helper.make_tensor_value_info(name, kind, ["batch", *shape]))

    def session(self) -> ort.InferenceSession:
        """Return a session of the graph, with the server's options."""
        opsets = [helper.make_opsetid("", 17)]
        return session.make(helper.make_model(self.graph, opset_imports=opsets, ir_version=8).SerializeToString())


class Parts:
    """The graphs of a version, and raw and scaled windows for each stage."""

    def __init__(self, bundle: Bundle, count: int) -> None:
        stages = bundle.manifest.stages.values()
        self.networks = [bundle.graphs[stage.network.sha256] for stage in stages]
        self.scalers = [bundle.graphs[stage.scaler.sha256] for stage in stages if stage.scaler]
        self.window = (bundle.manifest.stage1.sequence_length, bundle.manifest.stage1.num_features)
        self.same = bundle.manifest.stage2 is not None and bundle.manifest.stage1.takes_same_window(
            bundle.manifest.stage2
        )
        rng = np.random.default_rng(0)
        self.raw, self.scaled = [], []
        for scaler in self.scalers[:1] if self.same else self.scalers:
            centre, scale = constants(scaler)
            self.raw.append(centre + scale * rng.standard_normal((count, *self.window)))
            self.scaled.append(checked(runner(session.make(scaler))(self.raw[-1])[0]))
        self.raw, self.scaled = (x * 2 if self.same else x for x in (self.raw, self.scaled))


def constants(scaler: bytes) -> list[Array]:
    """Return the centre and the scale of a standard scaler."""
    return [numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(scaler).graph.initializer]


def runner(made: ort.InferenceSession) -> Run:
    """Return a function that runs a session with one input."""
    (name,) = [end.name for end in made.get_inputs()]
    outputs = [end.name for end in made.get_outputs()]
    return lambda values: list(made.run(outputs, {name: values}))


def checked(scaled: Array) -> Array:
    """Return scaled windows if they are finite. Raises SystemExit otherwise."""
    if not np.isfinite(scaled).all():
        raise SystemExit("the scaled windows overflow float32")
    return scaled


def arrangements(parts: Parts, threshold: float, *, candles: bool) -> dict[str, Arrangement]:
    """Return functions that compute both stages' probabilities, from raw windows (`candles`) or from scaled ones."""
    networks = [runner(session.make(graph)) for graph in parts.networks]
    opens = threshold == OPEN

    def staged(stage: Callable[[int], Array]) -> Arrangement:
        return lambda: [stage(0), stage(1)] if opens else [stage(0)]

    together = joined(parts, None, candles=candles)
    gated = joined(parts, threshold, candles=candles)
    if not candles:
        turned = [runner(steps_first(graph)) for graph in parts.networks]
        first = [np.ascontiguousarray(scaled.transpose(1, 0, 2)) for scaled in parts.scaled]
        return {
            SERVED: staged(lambda i: networks[i](parts.scaled[i])[0]),
            "a session each, windows given steps first": staged(lambda i: turned[i](first[i])[0]),
            "one session": together,
            "one session, stage 2 under If": gated,
        }
    scalers = [runner(session.make(graph)) for graph in parts.scalers]
    arithmetic = [constants(graph) for graph in parts.scalers]
    scaling = [
        runner(scaled_inside(*graphs, parts.window)) for graphs in zip(parts.scalers, parts.networks, strict=True)
    ]

    def by_numpy(i: int) -> Array:
        centre, scale = arithmetic[i]
        return networks[i](checked(((parts.raw[i] - centre) / scale).astype(np.float32)))[0]

    def by_stage(i: int) -> Array:
        scaled, probability = scaling[i](parts.raw[i])
        checked(scaled)
        return probability

    def once() -> list[Array]:
        scaled = checked(scalers[0](parts.raw[0])[0])
        return [network(scaled)[0] for network in (networks if opens else networks[:1])]

    found = {
        SERVED: staged(lambda i: networks[i](checked(scalers[i](parts.raw[i])[0]))[0]),
        "scaled by NumPy": staged(by_numpy),
        "a session a stage, its scaler inside": staged(by_stage),
        "one session": together,
        "one session, stage 2 under If": gated,
    }
    return found | ({"scaled once for both stages": once} if parts.same else {})


def scaled_inside(scaler: bytes, network: bytes, window: tuple[int, int]) -> ort.InferenceSession:
    """Return a session of one stage with its scaler inside; its outputs include the scaled windows."""
    graph = Joined()
    scaled = graph.add(scaler, "scaler", graph.take("raw", TensorProto.DOUBLE, *window))
    graph.give(scaled, TensorProto.FLOAT, *window)
    graph.give(graph.add(network, "network", scaled), TensorProto.FLOAT, 1)
    return graph.session()


def steps_first(network: bytes) -> ort.InferenceSession:
    """Return a session of a stage without its first transpose: it takes (steps, batch, features)."""
    model = onnx.load_from_string(network)
    turn = model.graph.node.pop(0)
    if turn.op_type != "Transpose":
        raise SystemExit(f"the graph begins with {turn.op_type}, expected Transpose")
    model.graph.node[0].input[0] = turn.input[0]
    steps, features = (dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[1:])
    model.graph.input[0].CopyFrom(
        helper.make_tensor_value_info(turn.input[0], TensorProto.FLOAT, [steps, "batch", features])
    )
    return session.make(model.SerializeToString())


def joined(parts: Parts, threshold: float | None, *, candles: bool) -> Arrangement:
    """Return one graph of all parts. With a threshold, stage 2 is under If; otherwise it runs for all windows."""
    graph = Joined()
    kind, windows = (TensorProto.DOUBLE, parts.raw) if candles else (TensorProto.FLOAT, parts.scaled)
    names = [graph.take(f"window{i}", kind, *parts.window) for i in range(1 if parts.same else 2)]
    feed = dict(zip(names, windows, strict=False))
    if candles:
        names = [graph.add(parts.scalers[i], f"scaler{i}", name) for i, name in enumerate(names)]
        for name in names:
            graph.give(name, TensorProto.FLOAT, *parts.window)
    first = graph.add(parts.networks[0], "stage1", names[0])
    if threshold is None:
        second = graph.add(parts.networks[1], "stage2", names[-1])
    else:
        second = graph.add_gated(parts.networks[1], names[-1], first, threshold)
    for probability in (first, second):
        graph.give(probability, TensorProto.FLOAT, 1)
    made = graph.session()
    outputs = [end.name for end in made.get_outputs()]

    def run() -> list[Array]:
        *scaled, p1, p2 = made.run(outputs, feed)
        for values in scaled:
            checked(values)
        return [p1, p2]

    return run


def agree(found: dict[str, Arrangement]) -> None:
    """Check that all arrangements give the probabilities that the server gives. Raises SystemExit otherwise."""
    expected = found[SERVED]()
    for name, run in found.items():
        for ours, theirs in zip(expected, run(), strict=False):
            if not np.allclose(ours, theirs, rtol=0.0, atol=1e-6):
                raise SystemExit(f"{name}: the probabilities differ from those of {SERVED}")


def race(found: dict[str, Arrangement]) -> dict[str, dict[str, float]]:
    """Return the microseconds per batch and the ratio to the first arrangement, as medians of the rounds."""
    times: dict[str, list[float]] = {name: [] for name in found}
    calls = max(1, round(SECONDS / seconds(next(iter(found.values())), 20)))
    for _ in range(ROUNDS):
        for name, run in found.items():
            times[name].append(seconds(run, calls))
    served = next(iter(times.values()))
    return {
        name: {
            "us": round(median(own) * 1e6, 1),
            "ratio": round(median(a / b for a, b in zip(own, served, strict=True)), 3),
        }
        for name, own in times.items()
    }


def seconds(run: Callable[[], object], calls: int) -> float:
    """Return the mean seconds of one call, over `calls` calls."""
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the arrangements of each version, from candles and from features, with the gate open and closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=ROOT / "models" / "onnx")
    parser.add_argument("--output", type=Path, default=BUILD / "graphs.json")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"machine": machine()}
    for version in ("v3.0", "v3.1"):
        bundle = Repository(options.models).read(version)
        for of in ("candles", "features"):
            for gate, threshold in (("open", OPEN), ("closed", CLOSED)):
                for count in WINDOWS:
                    found = arrangements(Parts(bundle, count), threshold, candles=of == "candles")
                    agree(found)
                    result[f"{version}, {of}, gate {gate}, {count} windows"] = race(found)
    save(result, options.output)


if __name__ == "__main__":
    main()
