"""The same input, answered by several versions."""

from __future__ import annotations

from contextlib import ExitStack
from time import perf_counter

from aiohttp import web

from core.errors import InvalidInput, ModelUnavailable, ServiceError, UnknownVersion
from core.inference.detector import DetectorResult, Prediction
from core.inference.inputs import WindowSource
from core.serving.snapshot import Snapshot
from server.api import answers, decoding
from server.api.schemas.predictions import CompareRequest
from server.http.app_keys import ADMISSION, CLOCK, REFUSALS
from server.http.bodies.body import read_json
from server.http.envelope import success
from server.http.errors import endpoint_of
from server.tracing.requests import TRACE
from server.worker.app_keys import METRICS, REGISTRY
from server.worker.tracing.phases import add_run


async def compare(request: web.Request) -> web.Response:
    """POST /reversal/compare and /reversal/compare_raw."""
    app = request.app
    app[ADMISSION].check()
    with ExitStack() as places:
        trace = request.get(TRACE)
        body = await read_json(request, places=places)
        read = perf_counter()
        places.enter_context(app[ADMISSION].held())
        wanted = decoding.comparison(body)
        snapshot = app[REGISTRY].snapshot
        versions = _versions(snapshot, wanted.request)
        sources = decoding.compared_windows(wanted, versions)
        parsed = perf_counter()
        results = {version: _result(snapshot, version, source) for version, source in sources.items()}
        known = perf_counter()
    _refuse_if_all_failed(results)
    for result in results.values():
        if isinstance(result, ServiceError):
            app[REFUSALS].refused(result, endpoint_of(request))
    app[METRICS].warned(result for result in results.values() if isinstance(result, Prediction))
    now = app[CLOCK].now()
    signals = [None if isinstance(o, ServiceError) else o.decision.signal for o in results.values()]
    distinct = set(signals)
    data = {
        "pair": wanted.pair,
        "timeframe": wanted.timeframe,
        "predictions": {
            version: {"error": o.message, "code": o.code}
            if isinstance(o, ServiceError)
            else answers.prediction(wanted, o, now)
            for version, o in results.items()
        },
        # A version that failed has no signal, so there is no consensus then.
        "consensus": signals[0] if len(distinct) == 1 else None,
        "disagreement": len(distinct - {None}) > 1,
        "timestamp": now.utc,
    }
    response = success(data, now)
    if trace is not None:
        trace.add("read", trace.began, read)
        trace.add("parse", read, parsed)
        for version, result in results.items():
            if isinstance(result, Prediction):
                add_run(trace, result, {"reversal.version": version})
        trace.add("encode", known, perf_counter())
    return response


def _versions(snapshot: Snapshot, wanted: CompareRequest) -> list[str]:
    named = {f"versions[{i}]": version for i, version in enumerate(wanted.versions or ())}
    named |= {f"features.{version}": version for version in decoding.features_by_version(wanted) or ()}
    for path, version in named.items():
        if version not in snapshot.known:
            raise UnknownVersion(version, snapshot.known, path)
    if not snapshot.detectors:
        raise ModelUnavailable("no version is loaded")
    return list(snapshot.detectors) if wanted.versions is None else wanted.versions


def _result(snapshot: Snapshot, version: str, source: WindowSource | InvalidInput) -> DetectorResult:
    if isinstance(source, InvalidInput):
        return source
    try:
        detector = snapshot.choose(version)
    except ServiceError as error:
        return error
    return detector.predict([source])[0]


def _refuse_if_all_failed(results: dict[str, DetectorResult]) -> None:
    """Raise if no version answered: the first failure if every version blames the body, else ModelUnavailable."""
    failures = [result for result in results.values() if isinstance(result, ServiceError)]
    if len(failures) < len(results):
        return
    if all(failure.details for failure in failures):
        raise failures[0]
    raise ModelUnavailable("; ".join(f"{version}: {failure}" for version, failure in results.items()))
