"""The same input, answered by several versions."""

from __future__ import annotations

from contextlib import ExitStack

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
from server.worker.app_keys import METRICS, REGISTRY


async def compare(request: web.Request) -> web.Response:
    """POST /reversal/compare and /reversal/compare_raw."""
    app = request.app
    app[ADMISSION].check()
    with ExitStack() as places:
        body = await read_json(request, places=places)
        places.enter_context(app[ADMISSION].held())
        wanted = decoding.comparison(body)
        snapshot = app[REGISTRY].snapshot
        versions = _versions(snapshot, wanted.request)
        sources = decoding.compared_windows(wanted, versions)
        results = {version: _result(snapshot, version, source) for version, source in sources.items()}
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
    return success(data, now)


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
