"""Every endpoint: what it takes, what it answers, and how it may fail."""

from __future__ import annotations

from typing import NamedTuple

from server.access import Level
from server.keeper.handlers.export import FORMATS

# What may go wrong, by where in the server it does.
_READING = ("MALFORMED_JSON", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_ERROR", "DEADLINE_EXCEEDED")
_PREDICTING = (*_READING, "OVERLOADED", "MODEL_UNAVAILABLE")
_KEEPING = (*_READING, "STORE_UNAVAILABLE")
_OF_CANDLES = ("INSUFFICIENT_DATA", "UNKNOWN_VERSION")


class Operation(NamedTuple):
    """One endpoint.

    takes, gives: the names of the schemas of its body and of its answer, which is what the envelope's `data` holds, or
    with `bare` the whole; null where no schema tells what it is. unwell: whether the same comes with a 503.
    codes: of its failures, beside those that come with its level. in_body: of those that blame the body, and are 422
    whatever they are elsewhere.
    """

    method: str
    path: str
    summary: str
    gives: str | None
    takes: str | None = None
    level: Level | None = Level.API
    status: int = 200
    media: tuple[str, ...] = ("application/json",)
    bare: bool = False
    unwell: bool = False
    codes: tuple[str, ...] = ()
    in_body: tuple[str, ...] = ()


def _predict(path: str, summary: str, takes: str, gives: str) -> Operation:
    return Operation("POST", path, summary, gives, takes, codes=_PREDICTING, in_body=_OF_CANDLES)


def _model(action: str, summary: str, gives: str) -> Operation:
    codes = (*_KEEPING, "UNKNOWN_VERSION", "MODEL_UNAVAILABLE", "CONFLICT")
    path = f"/reversal/models/{{version}}/{action}"
    return Operation("POST", path, summary, gives, level=Level.ADMIN, codes=codes)


def _change(action: str, summary: str, gives: str) -> Operation:
    codes = (*_KEEPING, "UNKNOWN_EXPERIMENT", "MODEL_UNAVAILABLE", "CONFLICT")
    path = f"/reversal/experiments/{{id}}/{action}"
    return Operation("POST", path, summary, gives, level=Level.ADMIN, codes=codes)


def _show(what: str, summary: str, gives: str | None) -> Operation:
    return Operation(
        "GET", f"/reversal/experiments/{{id}}/{what}", summary, gives, codes=(*_KEEPING, "UNKNOWN_EXPERIMENT")
    )


OPERATIONS = (
    Operation("GET", "/health", "Whether a model is loaded, and which", "Health", level=None, bare=True, unwell=True),
    Operation("GET", "/livez", "Whether the process lives", "Probe", level=None, bare=True),
    Operation("GET", "/readyz", "Whether it may be sent requests", "Probe", level=None, bare=True, unwell=True),
    Operation("GET", "/metrics", "Prometheus' text format", None, media=("text/plain",), bare=True),
    Operation("GET", "/openapi.json", "This description", None, bare=True, codes=_KEEPING),
    _predict("/reversal/predict", "Candles in; hold, long or short out", "PredictRequest", "Prediction"),
    _predict("/reversal/predict_raw", "The same as /reversal/predict", "PredictRequest", "Prediction"),
    _predict("/predict", "The legacy call", "PredictRequest", "LegacyPrediction"),
    Operation(
        "POST",
        "/reversal/predict/batch",
        "Many predictions; each item has an answer of its own",
        "BatchResults",
        "BatchRequest",
        codes=_PREDICTING,
    ),
    _predict("/reversal/compare", "The same input to several versions", "CompareRequest", "Comparison"),
    _predict("/reversal/compare_raw", "The same as /reversal/compare", "CompareRequest", "Comparison"),
    Operation("GET", "/reversal/models", "All versions, and which is active", "Models"),
    Operation("GET", "/reversal/models/{version}", "One version", "Model", codes=("UNKNOWN_VERSION",)),
    _model("load", "Load a version, or load it again if its bundle has changed", "Loaded"),
    _model("unload", "Unload a version", "Loaded"),
    _model("switch", "Make a version the active one", "Switched"),
    Operation(
        "POST",
        "/reversal/experiments",
        "Create an experiment: a draft",
        "Experiment",
        "CreateExperiment",
        level=Level.ADMIN,
        status=201,
        codes=(*_KEEPING, "CONFLICT"),
        in_body=("UNKNOWN_VERSION",),
    ),
    Operation("GET", "/reversal/experiments", "All experiments, oldest first", "Experiments", codes=_KEEPING),
    _change("activate", "Run an experiment; a running one is stopped for it", "ActivatedExperiment"),
    _change("stop", "End an experiment", "Experiment"),
    Operation(
        "POST",
        "/reversal/experiments/{id}/evaluate",
        "Label recorded predictions by later candles",
        "Evaluation",
        "Evaluate",
        codes=(*_KEEPING, "UNKNOWN_EXPERIMENT"),
    ),
    _show("metrics", "Counts by variant", "ExperimentMetrics"),
    _show("report", "Statistics and the verdict", "Report"),
    _show("export", "Every exposure with its outcome", None)._replace(
        media=tuple(each.content_type for each in FORMATS.values()), bare=True
    ),
    Operation(
        "POST", "/reversal/outcomes", "Report how predictions ended", "OutcomeResults", "ReportOutcomes", codes=_KEEPING
    ),
)
