"""The effect of ONNX Runtime's options: time of a run, time to create a session, and memory that sessions use.

All of it is for Stage 1 of v3.0. Ratios are to the options that the server uses, measured in turns in one process.
Memory is measured in a separate process for each option. Denormal numbers are measured with and without the step in
which the stage replaces them before it runs its graph.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime as ort

from benchmarks.graphs import ROUNDS, race
from benchmarks.machine import BUILD, ROOT, machine, save
from core.bundles.bundle import Bundle
from core.bundles.repository import Repository
from core.inference import session
from core.inference.stage_runner import StageRunner

WINDOWS = (1, 8, 32)
LARGEST = (8, 32, 128, 1024)  # batches of 1 to this many windows
BATCHES = 200
WATCHED_SECONDS = 5.0
Level = ort.GraphOptimizationLevel
Change = Callable[[ort.SessionOptions], object]


def ort_defaults(options: ort.SessionOptions) -> None:
    """Set ONNX Runtime's defaults: an arena for each session, and allocation planned from earlier batches."""
    options.enable_cpu_mem_arena = True
    options.enable_mem_pattern = True


CHANGES: dict[str, Change] = {
    "as served": lambda _: None,
    "an arena each, memory planned": ort_defaults,
    "graph as it is": lambda o: setattr(o, "graph_optimization_level", Level.ORT_DISABLE_ALL),
    "graph optimised, extended level": lambda o: setattr(o, "graph_optimization_level", Level.ORT_ENABLE_EXTENDED),
    "weights not packed": lambda o: o.add_session_config_entry("session.disable_prepacking", "1"),
    "deterministic": lambda o: setattr(o, "use_deterministic_compute", True),
    "initialisers outside the arena": lambda o: o.add_session_config_entry(
        "session.use_device_allocator_for_initializers", "1"
    ),
    "as served, once more": lambda _: None,
}


def made(graph: bytes, change: Change) -> ort.InferenceSession:
    """Create a session with a change to the server's options."""
    options = session.options()
    change(options)
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def runs(graph: bytes, count: int) -> dict[str, Any]:
    """Time a batch of `count` windows with each of the options."""
    rng = np.random.default_rng(0)

    def run(change: Change) -> Callable[[], list[Any]]:
        own = made(graph, change)
        (end,) = own.get_inputs()
        values = rng.standard_normal((count, *end.shape[1:])).astype(np.float32)
        return lambda: own.run(None, {end.name: values})

    return race({name: run(change) for name, change in CHANGES.items()})


def calls(graph: bytes, count: int) -> dict[str, Any]:
    """Time a batch of `count` windows with each of ONNX Runtime's methods of calling a session."""
    own = session.make(graph)
    (end,), (out,) = own.get_inputs(), own.get_outputs()
    values = np.random.default_rng(0).standard_normal((count, *end.shape[1:])).astype(np.float32)
    given = ort.OrtValue.ortvalue_from_numpy(values)
    answer = ort.OrtValue.ortvalue_from_numpy(np.zeros((count, 1), np.float32))
    binding = own.io_binding()
    binding.bind_ortvalue_input(end.name, given)
    binding.bind_ortvalue_output(out.name, answer)

    def bound() -> list[Any]:
        given.update_inplace(values)
        own.run_with_iobinding(binding)
        return [answer.numpy()]

    inner = own._sess  # noqa: SLF001 - this measures the cost of the public method
    return race(
        {
            "run": lambda: own.run([out.name], {end.name: values}),
            "run, all outputs": lambda: own.run(None, {end.name: values}),
            "the session inside": lambda: inner.run([out.name], {end.name: values}, None),
            "io_binding": bound,
            "run_with_ort_values": lambda: own.run_with_ort_values([out.name], {end.name: given}),
        }
    )


def creation(graph: bytes) -> dict[str, Any]:
    """Return the milliseconds to create a session with each of the options."""
    times: dict[str, list[float]] = {name: [] for name in CHANGES}
    for _ in range(ROUNDS):
        for name, change in CHANGES.items():
            start = time.perf_counter()
            made(graph, change)
            times[name].append(time.perf_counter() - start)
    return {name: round(median(own) * 1e3, 2) for name, own in times.items()}


def memory(models: Path, name: str) -> dict[str, float]:
    """Return the MiB of this process before any session, and with all stages after batches of more and more windows."""
    graphs = {
        stage.network.sha256: bundle.graphs for bundle in bundles(models) for stage in bundle.manifest.stages.values()
    }
    found = {"before": resident()}
    sessions = [made(of[digest], CHANGES[name]) for digest, of in graphs.items()]
    rng = np.random.default_rng(0)
    for largest in LARGEST:
        for count in rng.integers(1, largest, BATCHES if largest < max(LARGEST) else BATCHES // 10, endpoint=True):
            for own in sessions:
                (end,) = own.get_inputs()
                own.run(None, {end.name: np.zeros((count, *end.shape[1:]), np.float32)})
        found[f"1 to {largest}"] = resident()
    return found


def bundles(models: Path) -> list[Bundle]:
    """Read the bundles of both versions."""
    return [Repository(models).read(version) for version in ("v3.0", "v3.1")]


def resident() -> float:
    """Return the resident memory of this process in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024, 1)


def denormals(bundle: Bundle, count: int) -> dict[str, Any]:
    """Time windows of denormal numbers beside windows of normal ones."""
    stage = bundle.manifest.stage1
    runner, graph = StageRunner("stage1", stage, bundle), session.make(bundle.graphs[stage.network.sha256])
    (end,) = graph.get_inputs()
    shape = (count, stage.sequence_length, stage.num_features)
    normal = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    tiny = np.full(shape, 1e-40, np.float32)
    return race(
        {
            "normal, graph alone": lambda: graph.run(None, {end.name: normal}),
            "normal": lambda: [runner.probabilities(normal)],
            "1e-40": lambda: [runner.probabilities(tiny)],
            "1e-40, graph alone": lambda: graph.run(None, {end.name: tiny}),
        }
    )


def watched(graph: bytes, count: int) -> None:
    """Run one graph and nothing else, for a profiler."""
    own = session.make(graph)
    (end,) = own.get_inputs()
    values = np.random.default_rng(0).standard_normal((count, *end.shape[1:])).astype(np.float32)
    until = time.perf_counter() + WATCHED_SECONDS
    while time.perf_counter() < until:
        own.run(None, {end.name: values})


def main() -> None:
    """Run all measurements, or with --watch the graph alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=ROOT / "models" / "onnx")
    parser.add_argument("--output", type=Path, default=BUILD / "sessions.json")
    parser.add_argument("--watch", type=int, metavar="WINDOWS", help="only run batches of WINDOWS, for a profiler")
    options = parser.parse_args()
    bundle = bundles(options.models)[0]
    graph = bundle.graphs[bundle.manifest.stage1.network.sha256]
    if options.watch:
        watched(graph, options.watch)
        return
    result: dict[str, Any] = {"machine": machine()}
    for count in WINDOWS:
        result[f"options, {count} windows"] = runs(graph, count)
        result[f"calls, {count} windows"] = calls(graph, count)
        result[f"denormals, {count} windows"] = denormals(bundle, count)
    result["ms to make one"] = creation(graph)
    result["MiB"] = {}
    for name in ("as served", "an arena each, memory planned"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as own:
            result["MiB"][name] = own.submit(memory, options.models, name).result()
    save(result, options.output)


if __name__ == "__main__":
    main()
