"""What the trials are held against: the baselines of each set of features, and one model under each label.

The AUC of two labels cannot be compared, because some questions are easier than others. So the search itself has one
label, and each label is judged by how far one fixed model is above two simple detectors under the same label.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lab import baselines, scores
from lab.labels import RULES
from lab.networks import NetworkSettings
from lab.search.candidates import FEATURES, PARTS, Candidate
from lab.search.trial import LABEL, Arena, score

# The fixed model of the comparison of labels, and the two that it is held against.
_LABEL_FEATURES = "bar_clock"
NETWORK = NetworkSettings("tcn", 86, epochs=PARTS, batch_size=256)
AGAINST = (baselines.RULE, baselines.LAST)
# How many bars the boosting on a window sees, by the features.
WINDOWS = {"bar": 86, "bar_clock": 86, "engineered": 4, "engineered_clock": 4}


class ReferenceStudy(NamedTuple):
    """keys: what it is computed for. compute: a value, and what else is known."""

    keys: tuple[str, ...]
    compute: Callable[[Arena, str, int], tuple[float, dict[str, Any]]]


def baseline_scores(arena: Arena, features: str, label: str, window: int, names: tuple[str, ...]) -> dict[str, float]:
    """The AUC of each baseline: the mean over the folds."""
    panel = arena.panel(features, label)
    truth, found = panel.opportunity, dict[str, float]()
    for name in names:
        each = []
        for fold in arena.folds:
            train, test = arena.rows(panel, fold)
            each.append(scores.auc(truth[test], baselines.of(window)[name](panel, train, truth).logits(panel, test)))
        found[name] = float(np.mean(each))
    return found


def _of_features(arena: Arena, features: str, _: int) -> tuple[float, dict[str, Any]]:
    window = WINDOWS[features]
    found = baseline_scores(arena, features, LABEL, window, tuple(baselines.of(window)))
    panel = arena.panel(features)
    rows = np.concatenate([arena.rows(panel, fold)[1] for fold in arena.folds])
    return max(found.values()), {"scores": found, "accuracy_of_majority": baselines.majority(panel.opportunity[rows])}


def _of_label(arena: Arena, label: str, seed: int) -> tuple[float, dict[str, Any]]:
    found = score(arena, Candidate(_LABEL_FEATURES, NETWORK._replace(seed=seed)), label=label)
    against = baseline_scores(arena, _LABEL_FEATURES, label, 1, AGAINST)
    panel = arena.panel(_LABEL_FEATURES, label)
    rows = np.concatenate([arena.rows(panel, fold)[1] for fold in arena.folds])
    margin = found.value - max(against.values())
    base_rate = float(panel.opportunity[rows].mean())
    return margin, {"auc": found.value, "folds": list(found.folds), "scores": against, "base_rate": base_rate}


STUDIES = {
    "labels": ReferenceStudy(tuple(RULES), _of_label),
    "baselines": ReferenceStudy(tuple(FEATURES), _of_features),
}
ALL = tuple((name, key) for name, reference in STUDIES.items() for key in reference.keys)
