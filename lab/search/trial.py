"""One trial: a candidate is trained on all years before each fold, and scored on the fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from lab import labels as rules
from lab import panel as panels
from lab import scores, splits
from lab.history import History
from lab.panel import Fitted, Panel, Rows
from lab.search import candidates
from lab.search.candidates import FEATURES, PARTS, Candidate

# A cross, a pair in yen, and a pair of a commodity currency: their hours and sizes of moves differ.
PAIRS = ("AUD/USD", "EUR/GBP", "USD/JPY")
LABEL = "trades_3_atr"
# Neighbouring labels share nine of ten bars, so little is lost.
TRAINED_EVERY, SCORED_EVERY = 8, 4
# All candidates are trained and scored on bars that have a window of this length, so on the same ones.
LONGEST = 120

# Called with the number of the part, counted over all folds from 0, and the mean of the AUC up to there.
AfterScore: TypeAlias = Callable[[int, float], None]


class TrialScore(NamedTuple):
    """The AUC of each fold, in the order of the folds, over all pairs together."""

    folds: tuple[float, ...]

    @property
    def value(self) -> float:
        """Their mean."""
        return float(np.mean(self.folds))


class Arena:
    """The bars of some pairs before the years that the search must not see, with features as candidates want them."""

    def __init__(
        self,
        histories: Sequence[History],
        pairs: Sequence[str] = PAIRS,
        folds: Sequence[int] = splits.FOLDS,
        every: tuple[int, int] = (TRAINED_EVERY, SCORED_EVERY),
    ) -> None:
        end = np.datetime64(str(max(folds) + 1), "s")
        self.histories = [
            each.part(slice(0, int(np.searchsorted(each.timestamps, end)))) for each in histories if each.pair in pairs
        ]
        self.pairs, self.folds, self.every = tuple(each.pair for each in self.histories), tuple(folds), every
        self._panels: dict[tuple[str, str], Panel] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """What scores depend on beside the candidate, for JSON."""
        return {"pairs": list(self.pairs), "folds": list(self.folds), "every": list(self.every), "label": LABEL}

    def panel(self, features: str, label: str = LABEL) -> Panel:
        """The panel of a set of features and a label; the last few are kept."""
        found = self._panels.pop((features, label), None)
        if found is None:
            found = panels.build(self.histories, FEATURES[features], rules.RULES[label])
        self._panels[features, label] = found
        while len(self._panels) > len(FEATURES):
            del self._panels[next(iter(self._panels))]
        return found

    def rows(self, panel: Panel, fold: int) -> tuple[Rows, Rows]:
        """The rows that are trained on, and those that are scored."""
        split, usable = splits.expanding(panel, fold, validation=False), panel.usable(LONGEST)
        return (
            np.flatnonzero(split.train & usable)[:: self.every[0]],
            np.flatnonzero(split.test & usable)[:: self.every[1]],
        )


def score(arena: Arena, candidate: Candidate, after: AfterScore | None = None, label: str = LABEL) -> TrialScore:
    """Train and score on each fold; `after` may raise, which ends the trial."""
    panel, found = arena.panel(candidate.features, label), list[float]()
    for number, fold in enumerate(arena.folds):
        train, test = arena.rows(panel, fold)
        truth = panel.opportunity

        def after_part(part: int, fitted: Fitted, test: Rows = test, number: int = number) -> None:
            if after is not None:
                now = scores.auc(panel.opportunity[test], fitted.logits(panel, test))
                after(number * PARTS + part - 1, float(np.mean([*found, now])))

        fitted = candidates.fit(panel, train, truth, candidate, after_part if after is not None else None)
        found.append(scores.auc(truth[test], fitted.logits(panel, test)))
        if after is not None:
            after((number + 1) * PARTS - 1, float(np.mean(found)))
    return TrialScore(tuple(found))
