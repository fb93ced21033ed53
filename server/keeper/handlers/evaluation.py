"""Labels predictions with their results, computed from later candles."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from aiohttp import web

from core.bundles.repository import Repository
from core.errors import BundleRefused, InvalidInput, UnknownVersion
from core.experiments.experiment import ChosenRule, Experiment, now_micros
from core.experiments.label_rule import LabelRule, completed, default_rule, no_default
from core.inference.warnings import Warned
from core.log_event import LogEvent
from core.reports.evaluation import evaluate
from server.auth.access import Forbidden
from server.http.app_keys import CLOCK
from server.http.bodies.body import read_json
from server.http.envelope import success
from server.keeper import decoding
from server.keeper.app_keys import REPOSITORY, STORE
from server.keeper.decoding import Evaluated
from server.keeper.handlers.audited import audited
from server.keeper.handlers.urls import experiment_id
from server.protocol.messages import CALLER_HEADER, MANAGES_HEADER

log = logging.getLogger(__name__)

NO_PREDICTIONS = Warned(
    "NO_PREDICTIONS",
    "the experiment has no prediction on any of these candles; check that pair, timeframe and timestamps are the same"
    " as in the predictions",
)


async def label_predictions(request: web.Request) -> web.StreamResponse:
    """POST /reversal/experiments/{id}/evaluate. A call that may replace the rule is in the audit log."""
    asked = decoding.evaluation(await read_json(request))
    label = partial(_label, asked=asked)
    return await (audited(label) if asked.replace else label)(request)


async def _label(request: web.Request, asked: Evaluated) -> web.Response:
    name = experiment_id(request)
    experiment = await request.app[STORE].read(lambda store: store.experiment(name))
    rule = await asyncio.to_thread(_rule, experiment, asked, request.app[REPOSITORY])
    candles = len(asked.later.candles)
    if candles < rule.minimum_candles:
        least = f"at least {rule.minimum_candles} candles to label one with the rule {rule}"
        raise InvalidInput.at("data", f"must have {least}, has {candles}")
    replaced = experiment.label_rule
    replaces = asked.replace and replaced not in (None, rule)
    if replaces and MANAGES_HEADER not in request.headers:
        raise Forbidden("replacing the rule of an experiment drops all its labels and needs an admin token")
    chosen = ChosenRule(rule, asked.later.timeframe, now_micros(), request.headers.get(CALLER_HEADER))
    done = await request.app[STORE].write(lambda store: evaluate(store, name, asked.later, chosen, replace=replaces))
    if replaces or (replaced is None and any(done[:4])):
        log.info(LogEvent("label_rule_chosen", experiment=name, rule=rule, previous=replaced, dropped=done.dropped))
    warnings = _warnings(experiment, asked)
    if not any(done[:4]):
        warnings += (NO_PREDICTIONS,)
    data = {"candles": candles, **done._asdict(), "label_rule": rule.values}
    if warnings:
        data["warnings"] = [warning._asdict() for warning in warnings]
    return success(data, request.app[CLOCK].now())


def _rule(experiment: Experiment, asked: Evaluated, repository: Repository) -> LabelRule:
    """The rule of a call: what it leaves out is as in the experiment's rule, or else as in the default.

    Reads bundles, so it belongs in a thread. Raises InvalidInput if there is neither.
    """
    default, why = experiment.label_rule, None
    if default is None:
        try:
            default = _default(experiment, asked.later.timeframe, repository)
        except InvalidInput as error:
            why = error
    rule = completed(asked.given, default)
    if rule is None:
        raise why or no_default("a distance is missing")
    return rule


def _default(experiment: Experiment, timeframe: str, repository: Repository) -> LabelRule:
    labels = {}
    try:
        for version in experiment.versions:
            activated = experiment.digest_of(version)
            if activated is not None and activated != repository.digest(version):
                raise no_default(f"the bundle of {version} is not the one of the experiment's activation")
            labels[version] = repository.read_manifest(version).label_rule
    except (BundleRefused, UnknownVersion) as error:
        raise no_default(f"the metadata of its versions cannot be read: {error}") from None
    return default_rule(labels, timeframe)


def _warnings(experiment: Experiment, asked: Evaluated) -> tuple[Warned, ...]:
    """The warnings about the candles, and one if a rule in pips that this call does not name is for other candles."""
    rules = experiment.label_rules
    if not rules or asked.given or not rules[-1].rule.in_pips or rules[-1].timeframe == asked.later.timeframe:
        return asked.warnings
    message = (
        f"the experiment's rule, {rules[-1].rule}, was chosen for {rules[-1].timeframe} candles and labels these"
        f" {asked.later.timeframe} candles too; a rule in ATR suits several timeframes"
    )
    return (*asked.warnings, Warned("OTHER_TIMEFRAME", message))
