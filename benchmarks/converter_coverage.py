"""What does `convert` take? Converts the corpus of small networks and writes docs/converter-coverage.md.

Each network is a file that goes through the whole command: read apart, converted, proven, timed. Beside it stand the
framework that made it and the graph that tf2onnx makes of the same model. The times of both graphs are taken in turns.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx

from benchmarks import converter_corpus, converter_files
from benchmarks.converter_corpus import Network
from benchmarks.machine import BUILD, ROOT, machine, save
from convert import bundle
from convert.bundle import ConvertedBundle
from convert.errors import Refused
from convert.graph import Keras
from convert.proof.parity import GraphSession
from convert.sources import versions
from convert.untrusted import contained
from core.bundles.manifest import OPSET

PAGE = ROOT / "docs" / "converter-coverage.md"
_CALLS, _RUNS = 7, 200
LOOPS = {"Loop", "Scan"}
COLUMNS = (
    "| network | file | way | difference | nodes | Loops | µs | call ms | predict ms"
    " | tf2onnx nodes | tf2onnx Loops | tf2onnx µs |"
)
TEXT = """\
# What the converter takes

Which networks does `reversal convert` publish, how exact and how fast are their graphs, and what do Keras and tf2onnx
do with the same networks? [convert.md](convert.md#supported-layers) lists the layers.

```sh
.venv/bin/python -m benchmarks.converter_coverage                # converts each network, writes this page
.venv/bin/python -m benchmarks.converter_coverage --only LSTM    # some of them, by name; prints their rows
```

The networks are those of `benchmarks/converter_corpus.py`: small, with random weights, and windows of {steps} steps of
{features} features. Each is written to a file, converted by the whole command, and proven on over 2,000 windows. Times
are medians for one window. Those of both graphs in ONNX Runtime were taken in turns, on {cores} cores of
{cpu}; the load average before was {load}.

## Summary

| what | figure |
|---|---|
{summary}

## Each network

*Difference* is the largest between graph and Keras, *call* the model called directly, *predict* `model.predict`.
*Nodes* include those inside Loops. Where tf2onnx has no figures, it makes no graph that ONNX Runtime runs.

{columns}
{rows}
"""


def converted(folder: Path) -> ConvertedBundle:
    """Convert the version of a folder that converter_files.write made. Raises Refused."""
    version = versions.read(folder).versions["v1"]
    sources = versions.read_stages(folder, "v1", version)
    (model,) = version.stage1.models
    contents = {model: contained.read([("model", folder / model)])[0]}
    return bundle.convert_version("v1", version, sources, contents, lambda _step: None)


def network_of(found: ConvertedBundle) -> onnx.ModelProto:
    """The published graph of stage 1."""
    return onnx.load_from_string(found.graphs[found.manifest.stage1.network.file])


def operators(graph: onnx.GraphProto) -> list[str]:
    """The operators of all nodes, also of those inside a Loop, a Scan or an If."""
    inner = [each.g for node in graph.node for each in node.attribute if each.type == onnx.AttributeProto.GRAPH]
    return [node.op_type for node in graph.node] + [name for each in inner for name in operators(each)]


def of_tf2onnx(model: Keras, output: str | None) -> onnx.ModelProto:
    """The graph that tf2onnx makes of a model. from_keras fails on most Keras 3 models; from_function does not."""
    import tensorflow as tf  # noqa: PLC0415 - takes seconds; the model's framework has imported it
    import tf2onnx  # noqa: PLC0415

    names = list(getattr(model, "output_names", ()))

    def answer(window: Keras) -> Keras:
        found = model(window, training=False)
        return found[names.index(output)] if output is not None else found

    signature = [tf.TensorSpec(model.inputs[0].shape, tf.float32, name="window")]
    graph: onnx.ModelProto
    graph, _ = tf2onnx.convert.from_function(tf.function(answer), input_signature=signature, opset=OPSET)
    return graph


def seconds(runs: int, *calls: Callable[[], object]) -> list[float]:
    """Median times of calls that take turns, so that other work on the machine meets all of them."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(runs):
        for call, found in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [median(found) for found in times]


def measured(network: Network) -> dict[str, Any]:
    """The figures of one network. Raises Refused if it is not published."""
    with tempfile.TemporaryDirectory() as folder:
        converter_files.write(network, Path(folder))
        found = converted(Path(folder))
    report, ours = found.reports["stage1"], network_of(found)
    model = converter_corpus.made(network)
    shape = tuple(model.inputs[0].shape)[1:]
    one = np.zeros((1, *shape), np.float32)
    window = np.zeros((1, converter_corpus.STEPS, len(converter_corpus.FEATURES)), np.float32)
    session = GraphSession(ours.SerializeToString())
    row: dict[str, Any] = {
        "network": network.kind,
        "file": network.form,
        "way": report.way,
        "difference": report.max_difference,
        "nodes": len(operators(ours.graph)),
        "loops": report.loops,
        "call_ms": 1e3 * seconds(_CALLS, lambda: model(one, training=False))[0],
        "predict_ms": 1e3 * report.framework_seconds,
    }
    try:
        theirs = of_tf2onnx(model, network.stage.get("output"))
        other = GraphSession(theirs.SerializeToString())
        times = seconds(_RUNS, lambda: session.run(window), lambda: other.run(one))
    except Exception as error:  # noqa: BLE001 - tf2onnx raises any error, and ONNX Runtime refuses some of its graphs
        row |= {"us": 1e6 * seconds(_RUNS, lambda: session.run(window))[0], "tf2onnx_error": type(error).__name__}
        return row
    names = operators(theirs.graph)
    row |= {
        "us": 1e6 * times[0],
        "tf2onnx_nodes": len(names),
        "tf2onnx_loops": sum(name in LOOPS for name in names),
        "tf2onnx_us": 1e6 * times[1],
    }
    return row


def summary(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """The lines at the top of the page: what, and the figure."""
    beside = [row for row in rows if "tf2onnx_us" in row]
    looped = [row["tf2onnx_us"] / row["us"] for row in beside if row["tf2onnx_loops"] and not row["loops"]]
    plain = [row["tf2onnx_us"] / row["us"] for row in beside if not row["tf2onnx_loops"]]
    ways = {way: [row for row in rows if row["way"] == way] for way in ("layers", "tf2onnx")}
    lines = [("networks that are published", str(len(rows)))]
    for way, found in ways.items():
        if found:
            largest = max(row["difference"] for row in found)
            loops = sum(row["loops"] > 0 for row in found)
            lines.append((f"by way of {way}", f"{len(found)}, {loops} with Loops, largest difference {largest:.1e}"))
    failed = sum("tf2onnx_us" not in row for row in rows)
    lines += [
        ("tf2onnx's graphs of the same networks", f"{len(beside)}, {len(looped)} with Loops where ours have none"),
        ("networks of which tf2onnx makes no graph that runs", str(failed)),
        ("`model.predict` takes", _times(row["predict_ms"] * 1e3 / row["us"] for row in rows)),
        ("the model called directly takes", _times(row["call_ms"] * 1e3 / row["us"] for row in rows)),
        ("tf2onnx's graphs without Loops take", _times(plain)),
        ("tf2onnx's graphs with Loops take", _times(looped)),
    ]
    return lines


def _times(ratios: Any) -> str:  # noqa: ANN401 - an iterable of numbers
    found = sorted(ratios)
    return f"{_short(median(found))} times as long (median of {len(found)})" if found else "none measured"


def page(rows: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """The page for the figures of all networks."""
    columns = COLUMNS.count("|") - 1
    return TEXT.format(
        steps=converter_corpus.STEPS,
        features=len(converter_corpus.FEATURES),
        cores=about["cores"],
        cpu=about["cpu"],
        load=", ".join(f"{each:g}" for each in about["load"]),
        summary="\n".join(f"| {what} | {figure} |" for what, figure in summary(rows)),
        columns=f"{COLUMNS}\n{'|---' * columns}|",
        rows="\n".join(f"| {' | '.join(_cells(row))} |" for row in rows),
    )


def _cells(row: dict[str, Any]) -> list[str]:
    keys = ("us", "call_ms", "predict_ms", "tf2onnx_us")
    us, call, predict, theirs = (_short(row[key]) if key in row else "" for key in keys)
    others = [str(row.get(key, "")) for key in ("tf2onnx_nodes", "tf2onnx_loops")]
    counts = [str(row[key]) for key in ("nodes", "loops")]
    return [
        row["network"],
        row["file"],
        row["way"],
        f"{row['difference']:.1e}",
        *counts,
        us,
        call,
        predict,
        *others,
        theirs,
    ]


def _short(value: float) -> str:
    """Three significant digits."""
    return f"{float(f'{value:.3g}'):,.10g}"


def main() -> None:
    """Convert all networks and write the page. The exit code is 1 if one is refused; the page is then kept."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", help="the networks whose name contains this; the page is then kept")
    options.add_argument("--output", type=Path, default=BUILD / "converter_coverage.json")
    given = options.parse_args()
    about, rows, refused = machine(), [], []
    for network in converter_corpus.networks():
        if given.only and given.only not in network.name:
            continue
        try:
            row = measured(network)
        except Refused as error:
            refused.append(network.name)
            print(f"{network.name}: {error}", flush=True)
            continue
        rows.append(row)
        print(" ".join(_cells(row)), flush=True)
    save({"machine": about, "networks": rows, "refused": refused}, given.output)
    if not refused and not given.only:
        PAGE.write_text(page(rows, about))
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
