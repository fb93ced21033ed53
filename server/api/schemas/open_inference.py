"""The Open Inference Protocol, version 2: the types of request bodies, and the schemas of answers.

Unknown fields and parameters are ignored. `parameters` may be null, which a client that is generated from the
protocol's own description sends for none. The elements of a tensor are decoded later than the body that has them.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core.features.timeframes import Timeframe
from server.api.schemas.json_schema import BOOLEAN, COUNT, TEXT, Schema, list_of, one_of, record, ref
from server.api.schemas.predictions import MAX_BATCH, IsoText, Pair, Stamp, UserId
from server.api.schemas.shared import ERROR

# The model of which every detector is a version.
MODEL = "reversal"
# The pair of a request that names none: ISO 4217 has the code XXX for "no currency".
NO_PAIR = "XXX/XXX"

InputName: TypeAlias = Literal[
    "candles",
    "timestamps",
    "features",
    "raw_features",
    "features_stage1",
    "features_stage2",
    "raw_features_stage1",
    "raw_features_stage2",
]
OutputName: TypeAlias = Literal["stage1_prob", "stage2_prob", "signal", "confidence"]
Datatype: TypeAlias = Literal["FP32", "FP64", "INT64", "BYTES"]

_MOST_TENSORS, _MOST_DIMENSIONS = 16, 8
_PAIR = f"Two currencies of three capital letters. Default: {NO_PAIR}."
_TIMEOUT = "Microseconds that the client waits. Work that has not begun by then is not done. 0: the server's default."
_STAMP = "Whether the tensor `timestamps` has the opening or the closing times of candles. Default: open."
_CANDLE_TIME = "Only with features: when the last candle of the window opened, as in /reversal/predict."
_BINARY_OUTPUT = "Whether all outputs are answered as binary data. Default: false."
_SIZE = "The bytes of this tensor behind the JSON object, in place of `data`."
_DATA = "The elements in row-major order, flat or nested as the shape says."
# Parameters with which a client would not find its answer where it looks, and of which the server has no memory.
UNSUPPORTED = ("classification", "shared_memory_region")
_REFUSED = "Not supported; a request with it is refused."
Refused: TypeAlias = Annotated[msgspec.Raw | UnsetType, Meta(description=_REFUSED)]


class InferParameters(msgspec.Struct, kw_only=True):
    """Parameters of a request for inference."""

    pair: Annotated[Pair, Meta(description=_PAIR)] = NO_PAIR
    timeframe: Annotated[Timeframe | None, Meta(description="Default: 1h.")] = None
    timestamps: Annotated[Stamp | None, Meta(description=_STAMP)] = None
    candle_time: Annotated[IsoText | int | float | None, Meta(description=_CANDLE_TIME)] = None
    user_id: UserId = None
    userId: UserId = None  # noqa: N815 - as in /reversal/predict
    timeout: Annotated[int, Meta(ge=0, description=_TIMEOUT)] = 0
    binary_data_output: Annotated[bool, Meta(description=_BINARY_OUTPUT)] = False


class InputParameters(msgspec.Struct):
    """Parameters of an input tensor."""

    binary_data_size: Annotated[int | UnsetType, Meta(description=_SIZE)] = UNSET
    shared_memory_region: Refused = UNSET


class InferInput(msgspec.Struct, kw_only=True):
    """One input tensor: /v2/models/reversal lists their names, datatypes and shapes."""

    name: str
    shape: Annotated[list[int], Meta(max_length=_MOST_DIMENSIONS)]
    datatype: str
    parameters: InputParameters | None = None
    data: msgspec.Raw | UnsetType = UNSET


class OutputParameters(msgspec.Struct):
    """Parameters of a requested output."""

    binary_data: Annotated[bool | None, Meta(description="Overrides `binary_data_output` for this output.")] = None
    classification: Refused = UNSET
    shared_memory_region: Refused = UNSET


class InferOutput(msgspec.Struct, kw_only=True):
    """One requested output."""

    name: str
    parameters: OutputParameters | None = None


class InferBody(msgspec.Struct, kw_only=True):
    """Body of /v2/models/{model}/infer, or the part of it before binary data."""

    inputs: Annotated[list[InferInput], Meta(max_length=_MOST_TENSORS)]
    outputs: Annotated[
        Annotated[list[InferOutput], Meta(max_length=_MOST_TENSORS)] | None,
        Meta(description="Default: all outputs."),
    ] = None
    id: str | None = None
    parameters: InferParameters | None = None


class RepositoryIndex(msgspec.Struct):
    """Body of /v2/repository/index, which may also be empty."""

    ready: Annotated[bool, Meta(description="Whether to list only versions that can answer. Default: false.")] = False


class RepositoryParameters(msgspec.Struct):
    """Parameters of loading and unloading."""

    version: Annotated[
        Annotated[str, Meta(max_length=64)] | None, Meta(description="The version to load or to unload.")
    ] = None
    config: msgspec.Raw | UnsetType = UNSET


class RepositoryChange(msgspec.Struct):
    """Body of /v2/repository/models/{model}/load and unload, which may also be empty."""

    parameters: RepositoryParameters | None = None


_NAME: Schema = {"const": MODEL}
_SHAPE = list_of({"type": "integer"})
# The elements of a tensor; "NaN" where a number does not exist.
ELEMENTS = list_of({"type": ["number", "string"]})
_SCALARS: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_DURATION = record({"count": COUNT, "ns": COUNT})
_DURATIONS = (
    *("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"),
    *("cache_hit", "cache_miss"),  # always 0; clients such as perf_analyzer stop if one of them is missing
)

ANSWERS: dict[str, Schema] = {
    "InferenceFailure": record(ERROR),
    "InferenceServer": record({"name": TEXT, "version": TEXT, "extensions": list_of(TEXT)}),
    "InferenceLive": record({"live": BOOLEAN}),
    "InferenceReady": record({"ready": BOOLEAN}),
    "InferenceModelReady": record({"name": _NAME, "ready": BOOLEAN}),
    "TensorMetadata": record({"name": TEXT, "datatype": one_of(Datatype), "shape": _SHAPE}),
    "InferenceModel": record(
        {
            "name": _NAME,
            "versions": list_of(TEXT),
            "platform": TEXT,
            "inputs": list_of(ref("TensorMetadata")),
            "outputs": list_of(ref("TensorMetadata")),
        }
    ),
    "InferenceModelConfiguration": {"type": "object", "additionalProperties": True},
    "InferenceStatistics": record(
        {
            "model_stats": list_of(
                record(
                    {
                        "name": _NAME,
                        "version": TEXT,
                        "last_inference": COUNT,
                        "inference_count": COUNT,
                        "execution_count": COUNT,
                        "inference_stats": record(dict.fromkeys(_DURATIONS, _DURATION)),
                        "batch_stats": {**list_of(TEXT), "maxItems": 0},
                    }
                )
            )
        }
    ),
    "InferenceIndex": list_of(
        record({"name": _NAME, "version": TEXT, "state": {"enum": ["READY", "UNAVAILABLE"]}, "reason": TEXT})
    ),
    "LoadedVersions": record({"versions": list_of(TEXT), "loaded": BOOLEAN}),
    "InferenceAnswer": record(
        {
            "model_name": _NAME,
            "model_version": TEXT,
            "outputs": list_of(
                record(
                    {"name": one_of(OutputName), "datatype": one_of(Datatype), "shape": _SHAPE},
                    {"data": ELEMENTS, "parameters": _SCALARS},
                )
            ),
        },
        {"id": TEXT, "parameters": _SCALARS},
    ),
}
# Candles in a batch, as /reversal/predict/batch takes items.
MOST_ITEMS = MAX_BATCH
# What `data` holds, which the first decoder leaves as it is.
DATA: Schema = {"type": "array", "description": _DATA}
