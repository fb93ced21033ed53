"""Every endpoint: what it takes, what it answers, and how it may fail."""

from __future__ import annotations

from typing import NamedTuple

from server.api.schemas.experiments import EXPORT_FORMATS
from server.auth.access import Level

# What may go wrong, by where in the server it does.
_READING = ("MALFORMED_JSON", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_ERROR", "DEADLINE_EXCEEDED")
_PREDICTING = (*_READING, "OVERLOADED", "MODEL_UNAVAILABLE")
_KEEPING = (*_READING, "OVERLOADED", "STORE_UNAVAILABLE")
_SHOWING = ("STORE_UNAVAILABLE",)
_OF_CANDLES = ("INSUFFICIENT_DATA", "UNKNOWN_VERSION", "OUT_OF_RANGE")


class Operation(NamedTuple):
    """One endpoint. `name`: what a generated client calls it.

    takes, gives: the names of the schemas of its body and of its answer, which is what the envelope's `data` holds, or
    with `bare` the whole; null where no schema tells what it is. unwell: whether the same comes with a 503.
    codes: of its failures, beside those that come with its level. in_body: of those that blame the body, and are 422
    whatever they are elsewhere.
    """

    name: str
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


def _predict(name: str, path: str, summary: str, takes: str, gives: str) -> Operation:
    return Operation(name, "POST", path, summary, gives, takes, codes=_PREDICTING, in_body=_OF_CANDLES)


def _model(action: str, summary: str, gives: str) -> Operation:
    codes = (*_KEEPING, "UNKNOWN_VERSION", "MODEL_UNAVAILABLE", "CONFLICT")
    path = f"/reversal/models/{{version}}/{action}"
    return Operation(f"{action}Model", "POST", path, summary, gives, level=Level.ADMIN, codes=codes)


def _experiment(action: str, summary: str, gives: str) -> Operation:
    codes = (*_KEEPING, "UNKNOWN_EXPERIMENT", "MODEL_UNAVAILABLE", "CONFLICT")
    path = f"/reversal/experiments/{{id}}/{action}"
    return Operation(f"{action}Experiment", "POST", path, summary, gives, level=Level.ADMIN, codes=codes)


def _about_experiment(what: str, summary: str, gives: str | None) -> Operation:
    path, codes = f"/reversal/experiments/{{id}}/{what}", (*_SHOWING, "UNKNOWN_EXPERIMENT")
    return Operation(f"experiment{what.title()}", "GET", path, summary, gives, codes=codes)


def _show(name: str, path: str, summary: str, gives: str | None, *codes: str) -> Operation:
    return Operation(name, "GET", path, summary, gives, codes=codes)


OPERATIONS = (
    _show("health", "/health", "Whether a model is loaded, and which", "Health")._replace(
        level=None, bare=True, unwell=True
    ),
    _show("livez", "/livez", "Whether the process lives", "Probe")._replace(level=None, bare=True),
    _show("readyz", "/readyz", "Whether it may be sent requests", "Probe")._replace(level=None, bare=True, unwell=True),
    _show("metrics", "/metrics", "Prometheus' text format", None)._replace(media=("text/plain",), bare=True),
    _show("description", "/openapi.json", "This description", None, *_SHOWING)._replace(bare=True),
    _predict("predict", "/reversal/predict", "Candles in; hold, long or short out", "PredictRequest", "Prediction"),
    _predict("predictRaw", "/reversal/predict_raw", "The same as /reversal/predict", "PredictRequest", "Prediction"),
    _predict("legacyPredict", "/predict", "The legacy call", "PredictRequest", "LegacyPrediction"),
    Operation(
        "predictBatch",
        "POST",
        "/reversal/predict/batch",
        "Many predictions. A bad item has its error in its own result, and the status is 200 whatever the items say",
        "BatchResults",
        "BatchRequest",
        codes=_PREDICTING,
    ),
    _predict("compare", "/reversal/compare", "The same input to several versions", "CompareRequest", "Comparison"),
    _predict("compareRaw", "/reversal/compare_raw", "The same as /reversal/compare", "CompareRequest", "Comparison"),
    _show("listModels", "/reversal/models", "All versions, and which is active", "Models"),
    _show("showModel", "/reversal/models/{version}", "One version", "Model", "UNKNOWN_VERSION"),
    _model("load", "Load a version, or load it again if its bundle has changed", "Loaded"),
    _model("unload", "Unload a version", "Loaded"),
    _model("switch", "Make a version the active one", "Switched"),
    Operation(
        "createExperiment",
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
    _show("listExperiments", "/reversal/experiments", "All experiments, oldest first", "Experiments", *_SHOWING),
    _experiment("activate", "Run an experiment; a running one is stopped for it", "ActivatedExperiment"),
    _experiment("stop", "End an experiment", "Experiment"),
    Operation(
        "evaluateExperiment",
        "POST",
        "/reversal/experiments/{id}/evaluate",
        "Label recorded predictions by later candles",
        "Evaluation",
        "Evaluate",
        codes=(*_KEEPING, "UNKNOWN_EXPERIMENT"),
    ),
    _about_experiment("metrics", "Counts by variant", "ExperimentMetrics"),
    _about_experiment("report", "Statistics and the verdict", "Report"),
    _about_experiment("export", "Every exposure with its outcome", None)._replace(
        media=tuple(EXPORT_FORMATS.values()), bare=True, in_body=("VALIDATION_ERROR",)
    ),
    Operation(
        "reportOutcomes",
        "POST",
        "/reversal/outcomes",
        "Report how predictions ended. A bad item has its error in its own result",
        "OutcomeResults",
        "ReportOutcomes",
        codes=_KEEPING,
    ),
)
