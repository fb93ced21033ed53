"""A replay: all versions over all pairs, and everything that is said about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from core.features.labels import LONG, NONE, SHORT, UNKNOWN
from core.features.timeframes import iso
from core.inference.detector import Detector
from core.inference.history import HistoryAnswers, answer_history
from core.inference.warnings import spacing
from core.replay.choices import Choices
from core.replay.comparison import Both, compare
from core.replay.market import Market
from core.replay.measures import Performance, Portion
from core.replay.trades import Trades, trades
from core.replay.weeks import Draws, Json, Sampled, shown
from core.reports.report import rounded

_SIGNALS = {"hold": NONE, "long": LONG, "short": SHORT}
# A picture is not finer than this.
_MOST_POINTS = 400


class Replayed(NamedTuple):
    """answers, trades: by version, one entry for each market. report: what is said about them, ready for JSON."""

    answers: dict[str, list[HistoryAnswers]]
    trades: dict[str, list[Trades]]
    report: Json


def replay(
    markets: Sequence[Market],
    detectors: Mapping[str, Detector],
    choices: Choices,
    *,
    threads: int = 1,
    progress: Callable[[int, int], object] | None = None,
) -> Replayed:
    """Answer all candles with all versions, and judge them. The first version is compared with each other one.

    progress: called with the number of answers so far, and of all.
    """
    began = perf_counter()
    total, done = sum(len(market.rows) for market in markets) * len(detectors), 0
    answers: dict[str, list[HistoryAnswers]] = {version: [] for version in detectors}
    for market in markets:
        for version, detector in detectors.items():
            seen = None if progress is None else _shifted(progress, done, total)
            answers[version].append(
                answer_history(detector, market.candles, rows=market.rows, threads=threads, progress=seen)
            )
            done += len(market.rows)
    answered = perf_counter()
    labels = [choices.rule.labels(market.candles, market.pip) for market in markets]
    made = {
        version: [
            trades(market, each.signal, choices.rule, choices.way_out, choices.costs)
            for market, each in zip(markets, of_version, strict=True)
        ]
        for version, of_version in answers.items()
    }
    performances = {
        version: Performance(markets, answers[version], labels, made[version], choices.costs) for version in detectors
    }
    first, *others = detectors
    comparisons = [
        {"a": first, "b": other}
        | compare(
            choices.experiment(first, other),
            [Both(*each) for each in zip(markets, answers[first], answers[other], labels, strict=True)],
            choices.timeframe,
        )
        for other in others
    ]
    found = {
        **_setting(markets, detectors, choices),
        "comparisons": comparisons,
        **_parts(markets, performances, choices),
        "predictions": sum(int((each.signal != UNKNOWN).sum()) for found in answers.values() for each in found),
    }
    seconds = {"answers": answered - began, "statistics": perf_counter() - answered}
    return Replayed(answers, made, rounded(found | {"seconds": seconds}))


def _shifted(progress: Callable[[int, int], object], before: int, total: int) -> Callable[[int, int], object]:
    return lambda done, _: progress(before + done, total)


def _setting(markets: Sequence[Market], detectors: Mapping[str, Detector], choices: Choices) -> Json:
    replayed = [market for market in markets if len(market.rows)]
    ends = [(market.opens[market.rows.start], market.opens[market.rows.stop - 1]) for market in replayed]
    return {
        "versions": list(detectors),
        "digests": {version: detector.digest for version, detector in detectors.items()},
        "pairs": [market.pair for market in markets],
        "timeframe": choices.timeframe,
        "other_spacing": [each.pair for each in markets if spacing(each.opens.tolist(), choices.timeframe)],
        "from": iso(min(first for first, _ in ends)) if ends else None,
        "to": iso(max(last for _, last in ends)) if ends else None,
        "candles": sum(len(market.rows) for market in markets),
        "metric": choices.metric,
        "minimum_effect": choices.effect,
        "label_rule": {"rule": choices.rule.rule, **choices.rule.values},
        "label_rule_from": choices.origin,
        "exit": choices.way_out,
        "costs": choices.costs._asdict(),
        "draws": choices.draws,
        "seed": choices.seed,
    }


def _parts(markets: Sequence[Market], performances: Mapping[str, Performance], choices: Choices) -> Json:
    """The figures of the whole, of each pair, of each year, and of each pair in each year."""
    first = next(iter(performances.values()))
    years = np.unique(first.candles.year).tolist()
    places = range(len(markets))

    def of(part: Portion) -> Json:
        return _figures(part, performances, choices)

    return {
        "answers": {version: _counts(each) for version, each in performances.items()},
        **of(Portion()),
        "by_pair": [{"pair": markets[place].pair, **of(Portion(place))} for place in places],
        "by_year": [{"year": year, **of(Portion(None, year))} for year in years],
        "by_pair_and_year": [
            {"pair": markets[place].pair, "year": year, **of(Portion(place, year))}
            for place in places
            for year in years
            if len(_weeks(Portion(place, year), performances))
        ],
        **_pictures(performances, choices),
    }


def _counts(of: Performance) -> Json:
    return {
        "candles": len(of.signal),
        "signals": {name: int((of.signal == code).sum()) for name, code in _SIGNALS.items()},
        "trades": len(of.pips),
        "out_of_range": float(of.outside.mean()) if len(of.outside) else None,
        "base_rate": of.base_rate(),
    }


def _figures(part: Portion, performances: Mapping[str, Performance], choices: Choices) -> Json:
    weeks = _weeks(part, performances)
    draws = Draws.of(len(weeks), choices.draws, choices.seed)
    found = {version: each.figures(part, weeks, draws) for version, each in performances.items()}
    (_, base), *others = found.items()

    def all_shown(figures: Mapping[str, Sampled]) -> Json:
        return {name: shown(each, len(weeks)) for name, each in figures.items()}

    return {
        "weeks": len(weeks),
        "figures": {version: all_shown(each) for version, each in found.items()},
        "figure_differences": {
            version: all_shown({name: of[name] - base[name] for name in base}) for version, of in others
        },
    }


def _weeks(part: Portion, performances: Mapping[str, Performance]) -> Any:  # noqa: ANN401 - an array of integers
    return np.unique(np.concatenate([each.weeks(part) for each in performances.values()]))


def _pictures(performances: Mapping[str, Performance], choices: Choices) -> Json:
    weeks = _weeks(Portion(), performances)
    draws = Draws.of(len(weeks), choices.draws, choices.seed)

    def number(of: Sampled) -> Json:
        return shown(of, len(weeks))

    reliability, hours, equity = {}, {}, {}
    for version, each in performances.items():
        reliability[version] = [
            {"candles": candles, "probability": probability, "share": number(share)}
            for candles, probability, share in each.reliability(Portion(), weeks, draws).bins()
        ]
        hours[version] = [
            {"trades": count, "hit_rate": number(hit), "expectancy_pips": number(mean)}
            for count, hit, mean in each.by_hour(weeks, draws)
        ]
        at, pips = each.equity()
        every = max(1, -(-len(at) // _MOST_POINTS))
        chosen = np.arange(len(at))[::-1][::every][::-1]  # with the last day
        equity[version] = {"at": [iso(instant) for instant in at[chosen].tolist()], "pips": pips[chosen].tolist()}
    return {"reliability": reliability, "by_hour": hours, "equity": equity}
