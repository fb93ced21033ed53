"""What the protocol tells about the server, the model and its versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from core.bundles.manifest import Manifest
from core.serving.registry import ListedVersion
from core.version import VERSION
from server.api.schemas.open_inference import MODEL, MOST_ITEMS
from server.open_inference.tensors import CANDLE_FIELDS

Described: TypeAlias = dict[str, Any]

EXTENSIONS = (
    "binary_tensor_data",
    "model_configuration",
    "model_repository",
    "parameters",
    "schedule_policy",
    "statistics",
)
# The names of ONNX models in the protocol, and in Triton's configurations.
_PLATFORM, _BACKEND = "onnx_onnxv1", "onnxruntime"
_ANY = -1
_OUTPUTS = (("stage1_prob", "FP64"), ("stage2_prob", "FP64"), ("signal", "BYTES"), ("confidence", "FP64"))


def server() -> Described:
    """What GET /v2 answers."""
    return {"name": MODEL, "version": VERSION, "extensions": list(EXTENSIONS)}


def metadata(manifest: Manifest, versions: Sequence[str]) -> Described:
    """The metadata of one version. versions: those that a request may name."""
    return {
        "name": MODEL,
        "versions": list(versions),
        "platform": _PLATFORM,
        "inputs": [{"name": name, "datatype": kind, "shape": [_ANY, *rest]} for name, kind, rest in _inputs(manifest)],
        "outputs": [{"name": name, "datatype": datatype, "shape": [_ANY]} for name, datatype in _OUTPUTS],
    }


def _inputs(manifest: Manifest) -> list[tuple[str, str, list[int]]]:
    """Name, datatype, and shape without the batch of each input. A request has candles, or windows of one kind."""
    found: list[tuple[str, str, list[int]]] = []
    if manifest.inputs == "candles":
        found += [("candles", "FP64", [_ANY, len(CANDLE_FIELDS)]), ("timestamps", "INT64", [_ANY])]
    stage1, stage2 = manifest.stage1, manifest.stage2
    if stage2 is None or stage1.takes_same_window(stage2):
        windows = {"features": [stage1.sequence_length, stage1.num_features]}
    else:
        windows = {
            f"features_{label}": [stage.sequence_length, stage.num_features] for label, stage in manifest.stages.items()
        }
    found += [(name, "FP32", shape) for name, shape in windows.items()]
    return found + [(f"raw_{name}", "FP64", shape) for name, shape in windows.items()]


def configuration(manifest: Manifest) -> Described:
    """One version in the form of Triton's model configuration.

    Its shapes are without the batch. Every input but the first is optional, because a request has inputs of one kind.
    """
    first, *others = _inputs(manifest)
    facts = {
        "version": manifest.version,
        "threshold": manifest.threshold,
        "required_candles": manifest.required_candles,
        "recommended_candles": manifest.recommended_candles,
        "requires_timestamps": "true" if manifest.requires_timestamps else "false",
    }
    return {
        "name": MODEL,
        "platform": f"{_BACKEND}_onnx",
        "backend": _BACKEND,
        "version_policy": {"all": {}},
        "max_batch_size": MOST_ITEMS,
        "input": [_configured(*first, optional=False), *(_configured(*other, optional=True) for other in others)],
        "output": [
            {"name": name, "data_type": _triton(datatype), "dims": [1], "reshape": {"shape": []}}
            for name, datatype in _OUTPUTS
        ],
        "instance_group": [{"name": MODEL, "kind": "KIND_CPU", "count": 1}],
        "dynamic_batching": {},
        "parameters": {name: {"string_value": str(value)} for name, value in facts.items() if value is not None},
    }


def _configured(name: str, datatype: str, shape: list[int], *, optional: bool) -> Described:
    return {"name": name, "data_type": _triton(datatype), "dims": shape, "optional": optional}


def _triton(datatype: str) -> str:
    return "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"


def index(entries: Iterable[ListedVersion], *, ready: bool) -> list[Described]:
    """The versions, or only those that are loaded, with the reason of those that are not."""
    return [
        {
            "name": MODEL,
            "version": entry.version,
            "state": "READY" if entry.loaded else "UNAVAILABLE",
            "reason": "" if entry.loaded else entry.error or "unloaded",
        }
        for entry in entries
        if entry.loaded or not ready
    ]
