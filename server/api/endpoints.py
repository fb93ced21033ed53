"""The table of endpoints. Each endpoint is declared only here.

Routes, forwarding to the keeper, tokens, the audit log, deadlines, sizes of bodies, counted refusals and /openapi.json
follow from a row. CONTRIBUTING.md explains how to add one.
"""

from __future__ import annotations

from typing import Any

from core.inference.explaining import BACKGROUND
from server.api.endpoint import BadEndpoint, Endpoint, Method
from server.api.schemas import WITH_ANSWERS, dashboard_windows
from server.api.schemas.experiments import EXPORT_FORMATS, AddNote, CreateExperiment, Evaluate, ReportOutcomes
from server.api.schemas.json_schema import TEXT, one_of_names
from server.api.schemas.open_inference import InferBody, RepositoryChange, RepositoryIndex
from server.api.schemas.planning import PlanExperiment
from server.api.schemas.predictions import REFERENCES, BatchRequest, CompareRequest, ExplainRequest, PredictRequest
from server.api.schemas.reports import DISAGREEMENTS, REPORT_FORMATS
from server.api.schemas.sessions import SignIn
from server.auth.access import Level
from server.http.bodies import sizes
from server.http.bodies.body import BINARY
from server.http.errors import ENVELOPE, PROTOCOL, STATUS, EndpointFacts
from server.protocol.pages import EVENTS

OPEN, ADMIN = Level.OPEN, Level.ADMIN
# The call that predicts over gRPC. It is no row, but its refusals count as those of the other predictions.
GRPC_INFER = "gRPC ModelInfer"
_PREDICTING = ("OVERLOADED", "MODEL_UNAVAILABLE")
_SIGNING = ("UNAUTHORIZED", "FORBIDDEN", "RATE_LIMITED")
_OF_CANDLES = ("INSUFFICIENT_DATA", "UNKNOWN_VERSION", "OUT_OF_RANGE")
_OF_VERSION = ("UNKNOWN_VERSION", "MODEL_UNAVAILABLE", "CONFLICT")
_OF_EXPERIMENT = ("UNKNOWN_EXPERIMENT", "MODEL_UNAVAILABLE", "CONFLICT")


def _of_model(
    method: Method,
    end: str,
    summary: str,
    operation_id: str,
    unnamed: str = "the version that answers by default",
    **fields: Any,  # noqa: ANN401 - of Endpoint
) -> tuple[Endpoint, Endpoint]:
    """Two rows of the Open Inference Protocol: one for a version by name, and one without, which is for `unnamed`."""
    common: dict[str, Any] = {"answered_by": "worker", "bare": True, "failures": PROTOCOL} | fields
    told = f"Open Inference Protocol: {summary}"
    return (
        Endpoint(method, f"/v2/models/{{model}}{end}", f"{told}, of {unnamed}",
            operation_id=operation_id, **common),
        Endpoint(method, f"/v2/models/{{model}}/versions/{{version}}{end}", f"{told}, of a version",
            operation_id=f"{operation_id}OfVersion", **common),
    )  # fmt: skip


# A row has few lines, so that the table fits on a screen.
# fmt: off
ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/health", "Whether a model is loaded, and which one is active",
        operation_id="health", answered_by="worker", handler="health.health", level=OPEN,
        answer="Health", bare=True, unwell=True),
    Endpoint("GET", "/livez", "Whether the process is alive",
        operation_id="livez", answered_by="worker", handler="health.livez", level=OPEN,
        answer="Probe", bare=True),
    Endpoint("GET", "/readyz", "Whether it is ready for requests",
        operation_id="readyz", answered_by="worker", handler="health.readyz", level=OPEN,
        answer="Probe", bare=True, unwell=True),
    Endpoint("GET", "/metrics", "Metrics in Prometheus' text format",
        operation_id="metrics", answered_by="worker", handler="metrics.metrics",
        media=("text/plain",), bare=True),
    Endpoint("GET", "/openapi.json", "This description",
        operation_id="description", answered_by="keeper", handler="description.show_description",
        bare=True),
    Endpoint("GET", "/docs", "This description as a page on which requests can be tried",
        operation_id="docs", answered_by="worker", handler="docs.show_page", level=OPEN,
        media=("text/html",), bare=True),
    Endpoint("GET", "/docs/{file}", "A file of that page",
        operation_id="docsFile", answered_by="worker", handler="docs.show_file", level=OPEN,
        media=("text/css", "text/javascript", "image/png"), bare=True,
        codes=("NOT_FOUND",)),
    Endpoint("GET", "/dashboard", "What the server does, as a page",
        operation_id="dashboard", answered_by="worker", handler="dashboard.show_page", level=OPEN,
        media=("text/html",), bare=True, codes=("NOT_FOUND",)),
    Endpoint("GET", "/dashboard/{file}", "A file of that page",
        operation_id="dashboardFile", answered_by="worker", handler="dashboard.show_file", level=OPEN,
        media=("text/css", "text/javascript", "text/plain", "image/svg+xml"), bare=True, codes=("NOT_FOUND",)),
    Endpoint("GET", "/dashboard/session", "Whether that page is signed in, and what it may do",
        operation_id="showSession", answered_by="worker", handler="dashboard.show_session", level=OPEN,
        answer="Session", codes=("RATE_LIMITED",)),
    Endpoint("POST", "/dashboard/session", "Sign that page in with a token: the answer has a cookie",
        operation_id="beginSession", answered_by="worker", handler="dashboard.begin_session", level=OPEN,
        request=SignIn, answer="Session", codes=_SIGNING),
    Endpoint("POST", "/dashboard/session/end", "Sign that page out",
        operation_id="endSession", answered_by="worker", handler="dashboard.end_session", level=OPEN,
        answer="Session", codes=("FORBIDDEN", "RATE_LIMITED")),
    Endpoint("GET", "/dashboard/stream", "Live figures and signals, as server-sent events, for as long as it is read",
        operation_id="dashboardStream", answered_by="keeper", handler="dashboard.stream",
        media=(EVENTS,), bare=True, codes=("OVERLOADED",)),
    Endpoint("GET", "/dashboard/window", "The last answered windows, where the operator keeps them",
        operation_id="dashboardWindow", answered_by="keeper", handler="dashboard.show_window",
        query=dashboard_windows.QUERY, answer="KeptWindow", codes_in_body=("VALIDATION_ERROR",)),
    Endpoint("POST", "/reversal/predict", "Predict hold, long or short from candles",
        operation_id="predict", answered_by="worker", handler="predict.predict",
        request=PredictRequest, largest_body=sizes.SINGLE, answer="Prediction",
        codes=_PREDICTING, codes_in_body=_OF_CANDLES, is_prediction=True),
    Endpoint("POST", "/reversal/predict_raw", "The same as /reversal/predict",
        operation_id="predictRaw", answered_by="worker", handler="predict.predict",
        request=PredictRequest, largest_body=sizes.SINGLE, answer="Prediction",
        codes=_PREDICTING, codes_in_body=_OF_CANDLES, is_prediction=True),
    Endpoint("POST", "/predict", "The same prediction in the form of the old service",
        operation_id="legacyPredict", answered_by="worker", handler="predict.predict",
        request=PredictRequest, largest_body=sizes.SINGLE, answer="LegacyPrediction",
        codes=_PREDICTING, codes_in_body=_OF_CANDLES, is_prediction=True),
    Endpoint("POST", "/reversal/predict/batch",
        "Many predictions. A bad item has its error in its own result; the status is 200 all the same",
        operation_id="predictBatch", answered_by="worker", handler="batch.predict_batch",
        request=BatchRequest, largest_body=sizes.BATCH, answer="BatchResults",
        codes=_PREDICTING, is_prediction=True),
    Endpoint("POST", "/reversal/compare", "Predictions of several versions for the same input",
        operation_id="compare", answered_by="worker", handler="compare.compare",
        request=CompareRequest, largest_body=sizes.COMPARISON, answer="Comparison",
        codes=_PREDICTING, codes_in_body=_OF_CANDLES, is_prediction=True),
    Endpoint("POST", "/reversal/compare_raw", "The same as /reversal/compare",
        operation_id="compareRaw", answered_by="worker", handler="compare.compare",
        request=CompareRequest, largest_body=sizes.COMPARISON, answer="Comparison",
        codes=_PREDICTING, codes_in_body=_OF_CANDLES, is_prediction=True),
    Endpoint("POST", "/reversal/explain", "A prediction, and how much each feature moved it. No experiment counts it",
        operation_id="explain", answered_by="worker", handler="explain.explain",
        request=ExplainRequest, largest_body=sizes.SINGLE, query={BACKGROUND: REFERENCES},
        answer="ExplainedPrediction", codes=(*_PREDICTING, "CONFLICT"), codes_in_body=_OF_CANDLES),
    Endpoint("GET", "/reversal/models", "All versions, and the active one",
        operation_id="listModels", answered_by="worker", handler="models.list_models",
        answer="Models"),
    Endpoint("GET", "/reversal/models/{version}", "One version",
        operation_id="showModel", answered_by="worker", handler="models.show_model",
        answer="Model", codes=("UNKNOWN_VERSION",)),
    Endpoint("POST", "/reversal/models/{version}/load", "Load a version, or load it again if its bundle has changed",
        operation_id="loadModel", answered_by="keeper", handler="versions.load", level=ADMIN,
        answer="Loaded", codes=_OF_VERSION),
    Endpoint("POST", "/reversal/models/{version}/unload", "Unload a version",
        operation_id="unloadModel", answered_by="keeper", handler="versions.unload", level=ADMIN,
        answer="Loaded", codes=_OF_VERSION),
    Endpoint("POST", "/reversal/models/{version}/switch", "Make a version the active one",
        operation_id="switchModel", answered_by="keeper", handler="versions.switch", level=ADMIN,
        answer="Switched", codes=_OF_VERSION),
    Endpoint("POST", "/reversal/experiments", "Create an experiment: a draft",
        operation_id="createExperiment", answered_by="keeper", handler="experiments.create_experiment", level=ADMIN,
        request=CreateExperiment, answer="Experiment", status=201,
        codes=("CONFLICT",), codes_in_body=("UNKNOWN_VERSION",)),
    Endpoint("GET", "/reversal/experiments", "All experiments, oldest first",
        operation_id="listExperiments", answered_by="keeper", handler="experiments.list_experiments",
        answer="Experiments"),
    Endpoint("POST", "/reversal/experiments/plan", "How long an experiment takes; nothing is stored",
        operation_id="planExperiment", answered_by="keeper", handler="planning.plan_experiment",
        request=PlanExperiment, answer="Plan"),
    Endpoint("GET", "/reversal/experiments/{id}", "One experiment with its notes",
        operation_id="showExperiment", answered_by="keeper", handler="experiments.show_experiment",
        answer="ExperimentWithNotes", codes=("UNKNOWN_EXPERIMENT",)),
    Endpoint("POST", "/reversal/experiments/{id}/activate", "Start an experiment; the running one is stopped",
        operation_id="activateExperiment", answered_by="keeper", handler="experiments.activate_experiment", level=ADMIN,
        answer="ActivatedExperiment", codes=_OF_EXPERIMENT),
    Endpoint("POST", "/reversal/experiments/{id}/stop", "Stop an experiment",
        operation_id="stopExperiment", answered_by="keeper", handler="experiments.stop_experiment", level=ADMIN,
        answer="Experiment", codes=_OF_EXPERIMENT),
    Endpoint("POST", "/reversal/experiments/{id}/evaluate", "Label recorded predictions by later candles",
        operation_id="evaluateExperiment", answered_by="keeper", handler="evaluation.label_predictions",
        request=Evaluate, largest_body=sizes.SINGLE, answer="Evaluation",
        codes=("UNKNOWN_EXPERIMENT", "CONFLICT")),
    Endpoint("POST", "/reversal/experiments/{id}/notes", "Append a note to an experiment",
        operation_id="addNote", answered_by="keeper", handler="notes.add_note", level=ADMIN,
        request=AddNote, answer="AddedNote", codes=("UNKNOWN_EXPERIMENT", "CONFLICT")),
    Endpoint("GET", "/reversal/experiments/{id}/metrics", "Counts by variant",
        operation_id="experimentMetrics", answered_by="keeper", handler="experiments.show_metrics",
        answer="ExperimentMetrics", codes=("UNKNOWN_EXPERIMENT",)),
    Endpoint("GET", "/reversal/experiments/{id}/report", "Statistics and the verdict",
        operation_id="experimentReport", answered_by="keeper", handler="report.show_report",
        query={"format": one_of_names(REPORT_FORMATS), "include": {"enum": [DISAGREEMENTS]}},
        answer="Report", pages=tuple(REPORT_FORMATS.values())[1:],
        codes=("UNKNOWN_EXPERIMENT",), codes_in_body=("VALIDATION_ERROR",)),
    Endpoint("GET", "/reversal/experiments/{id}/export", "Every exposure with its outcome",
        operation_id="experimentExport", answered_by="keeper", handler="export.export",
        query={"format": one_of_names(EXPORT_FORMATS)},
        media=tuple(EXPORT_FORMATS.values()), bare=True,
        codes=("UNKNOWN_EXPERIMENT",), codes_in_body=("VALIDATION_ERROR",)),
    Endpoint("POST", "/reversal/outcomes", "Report outcomes of predictions. A bad item has its error in its own result",
        operation_id="reportOutcomes", answered_by="keeper", handler="outcomes.report_outcomes",
        request=ReportOutcomes, largest_body=sizes.OUTCOMES, answer="OutcomeResults"),
    Endpoint("GET", "/v2", "Open Inference Protocol: the server and its extensions",
        operation_id="inferenceServer", answered_by="worker", handler="inference_models.show_server",
        answer="InferenceServer", bare=True, failures=PROTOCOL),
    Endpoint("GET", "/v2/health/live", "Open Inference Protocol: whether the process is alive",
        operation_id="inferenceLive", answered_by="worker", handler="inference_models.live", level=OPEN,
        answer="InferenceLive", bare=True, failures=PROTOCOL),
    Endpoint("GET", "/v2/health/ready", "Open Inference Protocol: whether it is ready for requests",
        operation_id="inferenceReady", answered_by="worker", handler="inference_models.ready", level=OPEN,
        answer="InferenceReady", bare=True, unwell=True, failures=PROTOCOL),
    Endpoint("GET", "/v2/models/stats", "Open Inference Protocol: statistics, of all versions that are loaded",
        operation_id="inferenceStatistics", answered_by="worker", handler="inference_models.show_statistics",
        answer="InferenceStatistics", bare=True, failures=PROTOCOL),
    *_of_model("GET", "", "metadata", "inferenceModel", answer="InferenceModel",
        handler="inference_models.show_model", codes=("NOT_FOUND", "UNKNOWN_VERSION", "MODEL_UNAVAILABLE")),
    *_of_model("GET", "/ready", "whether it can answer", "inferenceModelReady", answer="InferenceModelReady",
        handler="inference_models.model_ready", unwell=True, codes=("NOT_FOUND", "UNKNOWN_VERSION")),
    *_of_model("GET", "/config", "Triton's model configuration", "inferenceModelConfiguration",
        answer="InferenceModelConfiguration", handler="inference_models.show_configuration",
        codes=("NOT_FOUND", "UNKNOWN_VERSION", "MODEL_UNAVAILABLE")),
    *_of_model("GET", "/stats", "statistics", "inferenceModelStatistics", "all versions that are loaded",
        answer="InferenceStatistics", handler="inference_models.show_statistics",
        codes=("NOT_FOUND", "UNKNOWN_VERSION")),
    *_of_model("POST", "/infer", "predict from tensors", "infer", answer="InferenceAnswer",
        handler="inference.infer", request=InferBody, other_bodies=(BINARY,), pages=(BINARY,),
        largest_body=sizes.TENSORS, codes=(*_PREDICTING, "NOT_FOUND"), codes_in_body=_OF_CANDLES, is_prediction=True),
    Endpoint("POST", "/v2/repository/index", "Open Inference Protocol: all versions in the models folder",
        operation_id="inferenceIndex", answered_by="worker", handler="inference_models.show_index",
        request=RepositoryIndex, requires_body=False, answer="InferenceIndex", bare=True, failures=PROTOCOL),
    Endpoint("POST", "/v2/repository/models/{model}/load", "Open Inference Protocol: load a version, or all of them",
        operation_id="inferenceLoad", answered_by="keeper", handler="versions.load_versions", level=ADMIN,
        request=RepositoryChange, requires_body=False, query={"version": TEXT}, answer="LoadedVersions",
        codes=("NOT_FOUND", *_OF_VERSION), failures=PROTOCOL),
    Endpoint("POST", "/v2/repository/models/{model}/unload", "Open Inference Protocol: unload a version",
        operation_id="inferenceUnload", answered_by="keeper", handler="versions.unload_version", level=ADMIN,
        request=RepositoryChange, requires_body=False, query={"version": TEXT}, answer="LoadedVersions",
        codes=("NOT_FOUND", *_OF_VERSION), failures=PROTOCOL),
)
# fmt: on


def check() -> None:
    """Raise BadEndpoint for a row with an unknown name, or with a name that another row has."""
    answers = {name for module in WITH_ANSWERS for name in module.ANSWERS}
    seen: set[str] = set()
    for each in ENDPOINTS:
        for name in (str(each), each.operation_id):
            if name in seen:
                raise BadEndpoint(f"{each}: {name} occurs twice in the table")
            seen.add(name)
        if each.answer is not None and each.answer not in answers:
            raise BadEndpoint(f"{each}: no answer {each.answer!r} in ANSWERS of the modules in WITH_ANSWERS")
        for code in (*each.codes, *each.codes_in_body):
            if code not in STATUS:
                raise BadEndpoint(f"{each}: there is no code {code!r} in STATUS of server/http/errors.py")


def largest_bodies() -> dict[str, int]:
    """The most bytes of a body, by path."""
    return {each.path: each.largest_body for each in ENDPOINTS if each.method == "POST"}


def facts() -> EndpointFacts:
    """The endpoints whose refusals count as failed predictions, and the forms of failures."""
    counted = frozenset({GRPC_INFER, *(str(each) for each in ENDPOINTS if each.is_prediction)})
    return EndpointFacts(counted, {str(each): each.failures for each in ENDPOINTS if each.failures is not ENVELOPE})
