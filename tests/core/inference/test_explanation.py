"""Shapley values: their definition by orders, their axioms, and the error of drawn orders."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.inference import explanation
from core.inference.explanation import Model, shapley
from tests.core.inference.games import draw, tangled

Floats = NDArray[np.float64]
Windows = NDArray[np.float32]


def by_orders(model: Model, window: Windows, references: Windows) -> Floats:
    """The definition: the mean change when a feature joins, over all orders and reference windows."""
    features = window.shape[1]
    orders = list(permutations(range(features)))
    total = np.zeros((model(window[None]).shape[1], features))
    for reference in references:
        for order in orders:
            present = reference.copy()
            before = model(present[None])[0]
            for feature in order:
                present[:, feature] = window[:, feature]
                after = model(present[None])[0]
                total[:, feature] += after - before
                before = after
    return total / (len(orders) * len(references))


@pytest.mark.parametrize(("features", "references"), [(3, 1), (5, 1), (5, 3)])
def test_they_are_the_mean_change_over_all_orders(features: int, references: int) -> None:
    window, compared = draw(features, references)
    found = shapley(tangled, window, compared)
    assert found.features == pytest.approx(by_orders(tangled, window, compared), abs=1e-12)
    assert found.errors is None


@pytest.mark.parametrize("features", [1, 2, 9, 14, 15, 40])
@pytest.mark.parametrize("references", [1, 2])
def test_they_sum_to_the_answer_minus_the_base(features: int, references: int) -> None:
    def model(windows: Windows) -> Floats:
        return tangled(windows if windows.shape[2] > 2 else np.repeat(windows, 3, axis=2))

    window, compared = draw(features, references)
    found = shapley(model, window, compared)
    assert found.value == pytest.approx(model(window[None])[0], abs=0.0)
    assert found.base == pytest.approx(model(compared).mean(axis=0), abs=1e-15)
    assert found.features.sum(axis=1) == pytest.approx(found.value - found.base, abs=1e-13)
    assert (found.errors is None) == (features <= 14)


@pytest.mark.parametrize("features", [7, 16])
def test_a_feature_without_influence_has_none_and_equal_ones_have_equal_values(features: int) -> None:
    def model(windows: Windows) -> Floats:
        late = windows[:, -1].astype(np.float64)
        answers: Floats = np.exp(late[:, 0] * late[:, 1]) + np.abs(late[:, 3:].sum(axis=1))
        return answers[:, None]

    window, compared = draw(features, 2)
    window[:, 1], compared[:, :, 1] = window[:, 0], compared[:, :, 0]
    (values,) = shapley(model, window, compared).features
    assert values[2] == 0.0
    if features <= 14:  # a drawn order is not symmetric
        assert values[0] == pytest.approx(values[1], abs=1e-12)


def test_of_a_sum_each_feature_has_its_own_part() -> None:
    weights = np.arange(1.0, 7.0)

    def model(windows: Windows) -> Floats:
        answers: Floats = windows.mean(axis=1, dtype=np.float64) @ weights
        return answers[:, None]

    window, compared = draw(6, 4)
    own = weights * (window.mean(axis=0, dtype=np.float64) - compared.mean(axis=(0, 1), dtype=np.float64))
    assert shapley(model, window, compared).features[0] == pytest.approx(own, abs=1e-12)


@pytest.mark.parametrize("references", [1, 5])
def test_the_standard_error_of_drawn_orders_covers_the_exact_values(
    references: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = [draw(8, references, seed) for seed in range(12)]
    exact = [shapley(tangled, *each).features for each in windows]
    monkeypatch.setattr(explanation, "EXACT_FEATURES", 7)
    monkeypatch.setattr(explanation, "SAMPLED_COALITIONS", 1400)
    distances = []
    for each, values in zip(windows, exact, strict=True):
        found = shapley(tangled, *each)
        assert found.errors is not None
        distances.append((found.features[0] - values[0]) / found.errors[0])  # every feature moves the first answer
    spread = np.array(distances)
    # Of a normal distribution, 68 % are within one error and 1 of 16,000 is beyond four.
    assert 0.5 < (np.abs(spread) < 1.0).mean() < 0.85
    assert np.abs(spread).max() < 6.0
    assert np.sqrt((spread**2).mean()) == pytest.approx(1.0, abs=0.3)


def test_equal_questions_have_equal_answers() -> None:
    window, compared = draw(20, 2)
    first, second = (shapley(tangled, window, compared) for _ in range(2))
    assert np.array_equal(first.features, second.features)


@pytest.mark.parametrize(
    ("features", "references", "most"), [(12, 1, 4096), (14, 1, 16384), (15, 1, 16384), (86, 50, 0)]
)
def test_the_work_is_bounded_and_done_in_small_runs(features: int, references: int, most: int) -> None:
    runs: list[int] = []
    pauses: list[None] = []

    def model(windows: Windows) -> Floats:
        runs.append(len(windows))
        return tangled(windows)

    window, compared = draw(features, references)
    shapley(model, window, compared, lambda: pauses.append(None))
    assert max(runs) <= explanation.AT_ONCE
    assert len(pauses) >= len(runs) - 2 - 2 * references
    least = explanation.LEAST_PAIRS * 2 * (features - 1) * references  # each reference window needs some orders
    assert 0 < sum(runs) <= max(most, least) + 2 + 2 * references


def test_what_a_pause_raises_ends_the_work() -> None:
    runs: list[int] = []

    def model(windows: Windows) -> Floats:
        runs.append(len(windows))
        return tangled(windows)

    def stop() -> None:
        raise TimeoutError

    ends: Callable[[], None] = stop
    for features in (12, 20):
        runs.clear()
        with pytest.raises(TimeoutError):
            shapley(model, *draw(features, 1), ends)
        assert sum(runs) <= explanation.AT_ONCE + 3
