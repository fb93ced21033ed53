"""Fuzz every target, each in a process of its own: python -m fuzz [--runs 1200000] [--target NAME].

A failing input is kept in build/fuzz and printed with its traceback; the exit code is then 1. Each target begins with a
few good inputs. Inputs that atheris finds useful are kept for the next run.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import struct
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "fuzz"
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")
_LONGEST = 16_384
_BLOCK = """num_leaves=3
num_cat=0
split_feature=0 1
threshold=1.0000000180025095e-35 -0.5
decision_type=2 10
left_child=1 -1
right_child=-2 -3
leaf_value=0.25 -1e-3 3
is_linear=0
shrinkage=0.1
"""
_TREES = "\n".join(
    [
        *("tree", "version=v4", "num_class=3", "num_tree_per_iteration=3", "max_feature_idx=1"),
        *("objective=multiclass num_class:3", "average_output", "feature_names=Column_0 b", ""),
        *(f"Tree={i}\n{_BLOCK}\n" for i in range(3)),
        "end of trees\n",
    ]
)


def seeds(target: str) -> list[bytes]:
    """Good inputs, from which atheris makes others."""
    prediction = (ROOT / "docs" / "examples" / "predict.json").read_bytes()
    body = json.loads(prediction)
    matrix = [[0.1] * 12] * 20
    short = {"pair": "EUR/USD", "features": matrix, "user_id": "u", "version": "v3.0"}
    if target == "validation":
        by_stage = short | {"features": {"stage1": matrix, "stage2": matrix}, "features_scaled": False}
        return [prediction, *(json.dumps(each).encode() for each in (short, by_stage))]
    if target == "comparison":
        return [
            json.dumps(each).encode()
            for each in (body | {"versions": ["v3.0"]}, short | {"features": {"v3.0": matrix}})
        ]
    if target == "items":
        return [json.dumps({"items": [short, {"a": ']}\\"', "b": [1, [2]]}, 1, "x"]}).encode()]
    made = {"tensors": _tensors, "messages": _messages, "extension": _forms}
    if target in made:
        return made[target](body, matrix)
    if target == "features":
        return [b"".join(float(1 + i % 7).hex().encode()[:8].ljust(8, b"\x3f") for i in range(5 * 60))]
    return _files(target)


def _files(target: str) -> list[bytes]:
    """Two texts of trees; of the committed bundles, whole manifests or ends of graphs."""
    if target == "trees":
        return [
            _TREES.encode(),
            _TREES.replace("=3\nnum_tree_per_iteration=3", "=1\nnum_tree_per_iteration=1")
            .replace("multiclass num_class:3", "binary sigmoid:1")
            .encode(),
        ]
    if target == "manifests":
        return [file.read_bytes() for file in (ROOT / "models" / "onnx").glob("*/manifest.json")]
    return [
        b"".join(
            file.read_bytes()[:: len(file.read_bytes()) - 1] for file in (ROOT / "models" / "onnx").glob("*/*.onnx")
        ),
        *(file.read_bytes()[-_LONGEST:] for file in list((ROOT / "models" / "onnx").glob("*/*scaler*.onnx"))[:2]),
    ]


def _tensors(body: dict[str, Any], matrix: list[list[float]]) -> list[bytes]:
    """Requests of the Open Inference Protocol in JSON, with binary data, and as one binary tensor."""
    series = [[row[name] for name in ("open", "high", "low", "close", "volume")] for row in body["data"]]
    wanted = {"parameters": {"pair": "EUR/USD", "user_id": "u"}, "id": "1", "outputs": [{"name": "signal"}]}

    def of(**inputs: tuple[str, Any]) -> dict[str, Any]:
        tensors = [
            {"name": name, "datatype": kind, "shape": [1, *_shape(values)], "data": [values]}
            for name, (kind, values) in inputs.items()
        ]
        return wanted | {"inputs": tensors}

    bars = of(candles=("FP64", series[:46]), timestamps=("INT64", [i * 3_600_000 for i in range(46)]))
    windows = of(features_stage1=("FP32", matrix), features_stage2=("FP32", matrix))
    packed = [struct.pack(f"<{5 * 46}d", *chain.from_iterable(series[:46])), struct.pack("<46q", *range(46))]
    heads = [
        {key: value for key, value in tensor.items() if key != "data"} | {"parameters": {"binary_data_size": len(raw)}}
        for tensor, raw in zip(bars["inputs"], packed, strict=True)
    ]
    binary = json.dumps(wanted | {"inputs": heads, "parameters": {"binary_data_output": True}}).encode()
    return [
        *(b"\0\0" + json.dumps(each).encode() for each in (bars, windows)),
        b"\1\0" + packed[0],
        b"\2\0" + binary + b"".join(packed),
        b"\2\0" + json.dumps(wanted | {"inputs": heads[:1]}).encode() + packed[0],
    ]


def _forms(body: dict[str, Any], matrix: list[list[float]]) -> list[bytes]:
    """Candles as objects, columns and rows, and features."""
    bars, names = body["data"][:4], ("timestamp", "open", "high", "low", "close", "volume")
    rows = [[bar[name] for name in names] for bar in bars]
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    forms = ({"data": bars}, {"data": columns}, {"data": rows, "columns": names}, {"features": matrix[:3]})
    return [json.dumps({"pair": "EUR/USD"} | each, separators=(",", ":")).encode() for each in forms]


def _messages(body: dict[str, Any], matrix: list[list[float]]) -> list[bytes]:
    """Requests over gRPC, with raw tensors and with contents."""
    from server.grpc.open_inference_pb2 import ModelInferRequest  # noqa: PLC0415 - needs the extra

    series = [row[name] for row in body["data"][:46] for name in ("open", "high", "low", "close", "volume")]
    raw = ModelInferRequest(model_name="reversal", id="1")
    raw.inputs.add(name="candles", datatype="FP64", shape=[1, 46, 5])
    raw.inputs.add(name="timestamps", datatype="INT64", shape=[1, 46])
    raw.raw_input_contents.extend([struct.pack(f"<{len(series)}d", *series), struct.pack("<46q", *range(46))])
    raw.parameters["user_id"].int64_param = 7
    raw.outputs.add(name="signal")
    contents = ModelInferRequest(model_name="reversal")
    contents.inputs.add(name="features", datatype="FP32", shape=[1, 20, 12])
    contents.inputs[0].contents.fp32_contents.extend(chain.from_iterable(matrix))
    return [each.SerializeToString() for each in (raw, contents)]


def _shape(values: Any) -> list[int]:  # noqa: ANN401 - lists within each other
    return [len(values), *_shape(values[0])] if isinstance(values, list) else []


def fuzz(target: str, runs: int) -> None:
    """Run one target in this process. The process ends with the run."""
    import atheris  # type: ignore[import-untyped] # noqa: PLC0415 - before the modules to instrument

    with atheris.instrument_imports(include=["core", "server", "migration", "fuzz", "convert.untrusted.trees"]):
        from fuzz.targets import TARGETS  # noqa: PLC0415
    corpus = BUILD / target
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds(target)):
        (corpus / f"seed-{i}").write_bytes(seed)
    options = [f"-runs={runs}", f"-max_len={_LONGEST}", f"-artifact_prefix={BUILD}/{target}-", "-verbosity=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[target])
    atheris.Fuzz()


def main() -> None:
    """Fuzz all targets, and print the number of runs of each."""
    options_of = argparse.ArgumentParser(description=__doc__)
    options_of.add_argument("--runs", type=int, default=1_200_000, help="of all targets together")
    names = [
        *("validation", "extension", "comparison", "items", "tensors", "messages", "features", "manifests", "graphs"),
        "trees",
    ]
    options_of.add_argument("--target", action="append", choices=names, help="one of these; may be repeated")
    options_of.add_argument("--in-process", metavar="TARGET", help=argparse.SUPPRESS)
    options = options_of.parse_args()
    if options.in_process:
        fuzz(options.in_process, options.runs)
        return
    chosen = options.target or names
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    total, failed = 0, []
    for name in chosen:
        command = [sys.executable, "-m", "fuzz", "--in-process", name, "--runs", str(options.runs // len(chosen))]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        done = _DONE.search(ended.stderr)
        if ended.returncode or done is None:
            failed.append(name)
            sys.stderr.write(ended.stderr[-4000:] + ended.stdout[-4000:])
            continue
        total += int(done[1])
        print(f"{name}: {int(done[1]):,} inputs in {done[2]} s")
    print(f"{total:,} inputs, failed: {', '.join(failed) or 'none'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
