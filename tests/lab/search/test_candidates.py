from __future__ import annotations

import json

import numpy as np
import optuna
import pytest

from core.features import catalogue
from lab import scores
from lab.networks import NetworkSettings
from lab.panel import Fitted, Panel
from lab.search import candidates, space
from lab.search.candidates import FEATURES, KINDS, PARTS, Candidate
from lab.trees import TreeSettings
from tests.lab import synthetic

WINDOW = 24
TREES = TreeSettings(window=4, trees=20, min_data_in_leaf=20)
NETWORK = NetworkSettings("tcn", WINDOW, width=8, depth=1, learning_rate=1e-2, epochs=PARTS, batch_size=64)


@pytest.fixture(scope="module")
def whole() -> Panel:
    return synthetic.panel(bars=1000)


@pytest.mark.parametrize("kind", KINDS)
def test_every_choice_of_a_kind_is_a_candidate_of_it_that_survives_json(kind: str) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=4))
    for _ in range(40):
        found = space.suggest(study.ask(), kind, seed=9)
        assert found.kind == kind
        assert Candidate.of(json.loads(json.dumps(found.values()))) == found
        assert found.network is None or (found.network.epochs, found.network.seed) == (PARTS, 9)
        assert found.trees is None or found.trees.seed == 9
        assert found.features in str(found)


def test_a_candidate_is_served_if_the_candles_that_are_sent_suffice() -> None:
    bar = Candidate("bar", NETWORK._replace(window=86))
    assert (bar.required_candles, bar.served) == (100, True)
    assert not Candidate("bar", NETWORK._replace(window=87)).served
    assert Candidate("engineered_clock", None, TREES).required_candles == 100
    assert Candidate("bar", NETWORK, TREES).window == WINDOW


@pytest.mark.parametrize("name", FEATURES)
def test_features_are_in_the_catalogue_and_have_no_unit(name: str) -> None:
    assert len(set(FEATURES[name])) == len(FEATURES[name])
    assert not [each for each in FEATURES[name] if catalogue.feature(each).slowest_ema]
    assert bool(catalogue.needing_times(FEATURES[name])) == name.endswith("_clock")


@pytest.mark.parametrize(
    "candidate",
    [Candidate("bar", NETWORK), Candidate("bar", None, TREES), Candidate("bar", NETWORK, TREES)],
    ids=["network", "trees", "mean"],
)
def test_a_training_is_looked_at_after_each_part_but_the_last(candidate: Candidate, whole: Panel) -> None:
    early, late = synthetic.halves(whole, WINDOW)
    seen: list[tuple[int, float]] = []

    def after_part(part: int, fitted: Fitted) -> None:
        seen.append((part, scores.auc(whole.opportunity[late], fitted.logits(whole, late))))

    candidates.fit(whole, early, whole.opportunity, candidate, after_part)
    assert [part for part, _ in seen] == list(range(1, PARTS))
    assert all(value > 0.5 for _, value in seen)


def test_the_mean_is_of_the_logits_of_both(whole: Panel) -> None:
    early, late = synthetic.halves(whole, WINDOW)
    both, network, trees = (
        candidates.fit(whole, early, whole.opportunity, candidate).logits(whole, late)
        for candidate in (
            Candidate("bar", NETWORK, TREES),
            Candidate("bar", NETWORK),
            Candidate("bar", None, TREES),
        )
    )
    np.testing.assert_allclose(both, (network + trees) / 2.0, atol=1e-4)
