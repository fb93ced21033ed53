"""A candidate trained and scored one year after the other, on all pairs, with the baselines beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from core.features.candles import Floats
from lab import baselines, calibration, panel, scores, splits
from lab.history import History
from lab.labels import RULES
from lab.panel import Panel, Rows
from lab.search import candidates
from lab.search.candidates import FEATURES, Candidate
from lab.search.references import WINDOWS

# The year 2015 is the first one with two years to train on before its year of validation.
YEARS = (2015, 2016, 2017, 2018)
# Every so many bars are trained on. All bars are scored.
TRAINED_EVERY = 2


class YearParts(NamedTuple):
    """The rows of one year's training, validation and test."""

    train: Rows
    validation: Rows
    test: Rows


def joined(values: Sequence[dict[str, Any]]) -> Candidate:
    """One candidate from the members of a mean, which have the same features."""
    found = [Candidate.of(each) for each in values]
    if len({each.features for each in found}) > 1:
        raise ValueError("the members of a mean have different features")
    network = next((each.network for each in found if each.network is not None), None)
    return Candidate(found[0].features, network, next((each.trees for each in found if each.trees is not None), None))


def parts(whole: Panel, year: int, window: int, every: int) -> YearParts:
    """The rows with which a year is scored. The last year before it is for calibration only, as in v3.2."""
    usable = whole.usable(window)
    train, validation, test = (np.flatnonzero(part & usable) for part in splits.expanding(whole, year))
    return YearParts(train[::every], validation, test)


def score_year(whole: Panel, year: int, candidate: Candidate, every: int = TRAINED_EVERY) -> dict[str, Any]:
    """The scores of one year: AUC with its interval and by pair, calibration, and the difference to each baseline."""
    rows, truth = parts(whole, year, candidate.window, every), whole.opportunity
    answers = truth[rows.test]
    draws = scores.block_weights(scores.weeks(whole.times[rows.test]))
    fitted = candidates.fit(whole, rows.train, truth, candidate)
    own = fitted.logits(whole, rows.test)
    temperature = calibration.temperature(fitted.logits(whole, rows.validation), truth[rows.validation])
    simple = {
        name: fit(whole, rows.train, truth).logits(whole, rows.test)
        for name, fit in baselines.of(min(candidate.window, WINDOWS[candidate.features])).items()
    }
    return {
        "year": year,
        "trained": len(rows.train),
        "scored": len(rows.test),
        "base_rate": round(float(answers.mean()), 4),
        "accuracy_of_majority": round(baselines.majority(answers), 4),
        "auc": scores.scored(scores.auc(answers, own), scores.auc_draws(answers, own, draws)).rounded(),
        "pairs": scores.by_group(answers, own, whole.pair[rows.test], whole.pairs),
        "ece": round(scores.reliability(answers, calibration.sigmoid(own)).error, 4),
        "temperature": round(temperature, 4),
        "ece_tempered": round(scores.reliability(answers, calibration.sigmoid(own / temperature)).error, 4),
        "baselines": {name: against(answers, own, each, draws) for name, each in simple.items()},
    }


def against(answers: scores.Truth, own: Floats, other: Floats, draws: Floats) -> dict[str, Any]:
    """The AUC of another detector, and by how much the own one is better, with the interval of the difference."""
    return {
        "auc": round(scores.auc(answers, other), 4),
        "better_by": scores.paired(answers, own, other, draws).rounded(),
    }


def run(
    histories: Sequence[History],
    candidate: Candidate,
    label: str,
    years: Sequence[int] = YEARS,
    on_year: Callable[[dict[str, Any]], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """The scores of each year. The untouched year is refused: it is scored once, by the recipe of v3.2."""
    if splits.UNTOUCHED in years:
        raise ValueError(f"{splits.UNTOUCHED} is the untouched year, which no comparison may see")
    whole, found = panel.build(histories, FEATURES[candidate.features], RULES[label]), []
    for year in years:
        found.append(score_year(whole, year, candidate))
        on_year(found[-1])
    return found
