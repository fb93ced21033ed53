"""The same input to several versions."""

from __future__ import annotations

from contextlib import ExitStack

from aiohttp import web

from core.errors import InvalidInput, ModelUnavailable, ServiceError, UnknownVersion
from core.inference.detector import Outcome, Prediction
from core.inference.inputs import WindowSource
from core.serving.snapshot import Serving
from server.api import answers, decoding
from server.api.prediction_schemas import DEFAULT_TIMEFRAME, CompareRequest
from server.http.bodies.body import read_json
from server.http.deadline import deadline
from server.worker.app_keys import ADMISSION, CLOCK, METRICS, REFUSALS, REGISTRY, SETTINGS


async def compare(request: web.Request) -> web.Response:
    """POST /reversal/compare and /reversal/compare_raw."""
    app = request.app
    app[ADMISSION].check()
    with ExitStack() as places:
        until = deadline(request.headers, app[SETTINGS].request_timeout_ms)
        body = await read_json(request, until, places)
        places.enter_context(app[ADMISSION].held())
        wanted = decoding.comparison(body)
        serving = app[REGISTRY].serving
        versions = _versions(serving, wanted)
        sources = decoding.compared_windows(wanted, versions)
        outcomes = {version: _outcome(serving, version, source) for version, source in sources.items()}
    _refuse_if_all_failed(outcomes)
    for outcome in outcomes.values():
        if isinstance(outcome, ServiceError):
            app[REFUSALS].refused(outcome, f"POST {request.path}")
    app[METRICS].warned(outcome for outcome in outcomes.values() if isinstance(outcome, Prediction))
    now = app[CLOCK].now()
    signals = [None if isinstance(o, ServiceError) else o.decision.signal for o in outcomes.values()]
    distinct = set(signals)
    data = {
        "pair": wanted.pair,
        "timeframe": wanted.timeframe or DEFAULT_TIMEFRAME,
        "predictions": {
            version: {"error": o.message, "code": o.code}
            if isinstance(o, ServiceError)
            else answers.prediction(wanted, o, now)
            for version, o in outcomes.items()
        },
        # A version that failed has no signal: nothing is common to all then.
        "consensus": signals[0] if len(distinct) == 1 else None,
        "disagreement": len(distinct - {None}) > 1,
        "timestamp": now.utc,
    }
    return answers.success(data, now)


def _versions(serving: Serving, wanted: CompareRequest) -> list[str]:
    named = {f"versions[{i}]": version for i, version in enumerate(wanted.versions or ())}
    named |= {f"features.{version}": version for version in decoding.features_by_version(wanted) or ()}
    for path, version in named.items():
        if version not in serving.known:
            raise UnknownVersion(version, serving.known, path)
    if not serving.detectors:
        raise ModelUnavailable("no version is loaded")
    return list(serving.detectors) if wanted.versions is None else wanted.versions


def _outcome(serving: Serving, version: str, source: WindowSource | InvalidInput) -> Outcome:
    if isinstance(source, InvalidInput):
        return source
    try:
        detector = serving.choose(version)
    except ServiceError as error:
        return error
    return detector.predict([source])[0]


def _refuse_if_all_failed(outcomes: dict[str, Outcome]) -> None:
    """Raise where no version answered: the body's fault where every version says so, else ModelUnavailable."""
    failures = [outcome for outcome in outcomes.values() if isinstance(outcome, ServiceError)]
    if len(failures) < len(outcomes):
        return
    if all(failure.details for failure in failures):
        raise failures[0]
    raise ModelUnavailable("; ".join(f"{version}: {failure}" for version, failure in outcomes.items()))
