"""The best candidate of each kind, on all pairs and both folds, each with its interval and held against the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from core.features.candles import Floats
from lab import baselines, calibration, scores
from lab.networks import NetworkSettings
from lab.panel import Fit
from lab.scores import Scored, Truth
from lab.search import candidates
from lab.search.candidates import FEATURES, KINDS, NETWORKS, PARTS, TREES, Candidate
from lab.search.references import WINDOWS
from lab.search.trial import LABEL, Arena
from lab.trees import TreeSettings

# Of all nine pairs, four bars are trained on as in the trials, and every second one is scored.
EVERY = (4, 2)
# The longest window of the features of the bar for which the candles that are sent suffice.
WINDOW = 86
# The logits of one detector, by fold.
Answers: TypeAlias = tuple[Floats, ...]
OnStep: TypeAlias = Callable[[str], None]


class Ranked(NamedTuple):
    """The AUC of each fold, and the mean of the folds in each draw."""

    folds: tuple[float, ...]
    draws: Floats

    @property
    def auc(self) -> Scored:
        """The mean AUC of the folds, with its interval."""
        return scores.scored(float(np.mean(self.folds)), self.draws)

    def above(self, other: Ranked) -> Scored:
        """The difference of two mean AUCs; each draw compares the two on the same weeks."""
        return scores.scored(float(np.mean(self.folds) - np.mean(other.folds)), self.draws - other.draws)


class Contest(NamedTuple):
    """What all detectors are scored on, by fold: truth, the pair of each row, and the draws of the bootstrap."""

    truth: tuple[Truth, ...]
    pair: tuple[scores.Groups, ...]
    pairs: tuple[str, ...]
    draws: tuple[Floats, ...]

    @classmethod
    def of(cls, arena: Arena) -> Contest:
        """The contest of an arena. The rows are the same for all features."""
        panel = arena.panel(next(iter(FEATURES)))
        tests = [arena.rows(panel, fold)[1] for fold in arena.folds]
        return cls(
            tuple(panel.opportunity[rows] for rows in tests),
            tuple(panel.pair[rows] for rows in tests),
            panel.pairs,
            tuple(scores.block_weights(scores.weeks(panel.times[rows])) for rows in tests),
        )

    def ranked(self, answers: Answers) -> Ranked:
        """The AUC of each fold, and that of each draw."""
        folds = tuple(scores.auc(truth, each) for truth, each in zip(self.truth, answers, strict=True))
        draws = [scores.auc_draws(*each) for each in zip(self.truth, answers, self.draws, strict=True)]
        return Ranked(folds, np.mean(draws, axis=0))

    def by_pair(self, answers: Answers) -> dict[str, float]:
        """The mean AUC of the folds within each pair."""
        each = [
            scores.by_group(truth, logit, pair, self.pairs)
            for truth, logit, pair in zip(self.truth, answers, self.pair, strict=True)
        ]
        return {name: round(float(np.mean([fold[name] for fold in each])), 4) for name in each[0]}

    def ece(self, answers: Answers) -> float:
        """The mean expected calibration error of the folds."""
        found = [
            scores.reliability(truth, calibration.sigmoid(each)).error
            for truth, each in zip(self.truth, answers, strict=True)
        ]
        return float(np.mean(found))


def chosen(trials: Sequence[Mapping[str, Any]]) -> dict[str, Candidate]:
    """The best complete trial of each kind; then a network and trees that see exactly the candles that are sent."""
    found = {}
    for kind in KINDS:
        done = [each for each in trials if each["kind"] == kind and each["state"] == "complete"]
        if done:
            found[kind] = Candidate.of(max(done, key=lambda each: float(each["value"]))["candidate"])
    for features in ("bar", "bar_clock"):
        found[f"tcn, {features}"] = Candidate(features, NetworkSettings("tcn", WINDOW, epochs=PARTS, batch_size=256))
        found[f"trees, {features}"] = Candidate(features, None, TreeSettings(WINDOW, feature_fraction=0.15))
    return found


def members(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The means of a network and the trees, which need no training: of each best network, and at equal sight."""
    found = {f"{network} + trees": (network, TREES) for network in NETWORKS}
    found |= {f"tcn + trees, {each}": (f"tcn, {each}", f"trees, {each}") for each in ("bar", "bar_clock")}
    return {name: both for name, both in found.items() if set(both) <= set(names)}


def compare(arena: Arena, trials: Sequence[Mapping[str, Any]], cache: Path, on_step: OnStep) -> dict[str, Any]:
    """Train and score all of them. Answers that are in the cache already are not computed again."""
    entrants, contest = chosen(trials), Contest.of(arena)
    answers = {}
    for name, candidate in entrants.items():
        on_step(f"{name}: {candidate}")
        answers[name] = _cached(arena, cache, candidate.values(), candidates.fitting(candidate))
    simple = {}
    for features in dict.fromkeys(candidate.features for candidate in entrants.values()):
        for name, fit in baselines.of(WINDOWS[features]).items():
            on_step(f"{name}, {features}")
            key = {"baseline": name, "features": features, "window": WINDOWS[features]}
            simple[features, name] = _cached(arena, cache, key, fit)
    both = members(list(entrants))
    means = {
        name: tuple(np.mean(pair, axis=0) for pair in zip(*(answers[each] for each in of), strict=True))
        for name, of in both.items()
    }
    on_step("intervals")
    ranked = {name: contest.ranked(each) for name, each in (answers | means).items()}
    beside = {key: contest.ranked(each) for key, each in simple.items()}
    rows = []
    for name, own in ranked.items():
        of = both.get(name, (name,))
        row: dict[str, Any] = {
            "name": name,
            "candidates": [entrants[each].values() for each in of],
            "required_candles": max(entrants[each].required_candles for each in of),
            "auc": own.auc.rounded(),
            "folds": [round(each, 4) for each in own.folds],
            "pairs": contest.by_pair((answers | means)[name]),
            "ece": round(contest.ece((answers | means)[name]), 4),
            "baselines": {
                each: own.above(other).rounded()
                for (features, each), other in beside.items()
                if features == entrants[of[-1]].features
            },
        }
        if len(of) > 1:
            row["members"] = {each: own.above(ranked[each]).rounded() for each in of}
        if name in KINDS and name != "tcn" and "tcn" in ranked:
            row["against_tcn"] = own.above(ranked["tcn"]).rounded()
        rows.append(row)
    truth = np.concatenate(contest.truth)
    return {
        "label": LABEL,
        "pairs": contest.pairs,
        "folds": arena.folds,
        "every": arena.every,
        "base_rate": round(float(truth.mean()), 4),
        "accuracy_of_majority": round(baselines.majority(truth), 4),
        "scored": len(truth),
        "baselines": [
            {"features": features, "name": name, "auc": each.auc.rounded()} for (features, name), each in beside.items()
        ],
        "detectors": rows,
    }


def _cached(arena: Arena, cache: Path, key: dict[str, Any], fit: Fit) -> Answers:
    """The logits of a detector on each fold, trained only if the cache lacks them."""
    name = json.dumps([key, arena.pairs, arena.folds, arena.every], sort_keys=True)
    path = cache / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.npz"
    if not path.exists():
        panel = arena.panel(key["features"])
        found: list[Floats] = []
        for fold in arena.folds:
            train, test = arena.rows(panel, fold)
            found.append(fit(panel, train, panel.opportunity).logits(panel, test))
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, *found)
    with np.load(path) as stored:
        return tuple(stored[each] for each in stored.files)
