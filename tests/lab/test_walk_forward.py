from __future__ import annotations

import numpy as np
import pytest

from lab import panel, walk_forward
from lab.history import History
from lab.labels import RULES
from lab.networks import NetworkSettings
from lab.search.candidates import FEATURES, Candidate
from lab.trees import TreeSettings
from tests.lab import synthetic

PAIRS = ("AUD/USD", "USD/JPY")
TREES = Candidate("bar_clock", None, TreeSettings(trees=30, min_data_in_leaf=20))


@pytest.fixture(scope="module")
def histories() -> list[History]:
    return synthetic.histories((2013, 2016), PAIRS)


def test_each_year_is_scored_with_all_that_is_beside_it(histories: list[History]) -> None:
    seen: list[int] = []
    found = walk_forward.run(histories, TREES, "trades_3_atr", (2015, 2016), lambda year: seen.append(year["year"]))
    assert seen == [each["year"] for each in found] == [2015, 2016]
    assert found[0]["trained"] < found[1]["trained"]
    for each in found:
        value, low, high = each["auc"]
        assert 0.6 < low < value < high
        assert set(each["pairs"]) == set(PAIRS)
        assert 0.0 <= each["ece_tempered"] < 0.2
        for name, other in each["baselines"].items():
            assert other["better_by"][0] == pytest.approx(value - other["auc"], abs=2e-4), name


def test_training_validation_and_test_are_years_in_this_order(histories: list[History]) -> None:
    whole = panel.build(histories, FEATURES["bar"], RULES["trades_3_atr"])
    rows = walk_forward.parts(whole, 2016, 24, every=2)
    years = [set(np.unique(whole.times[each].astype("datetime64[Y]").astype(int) + 1970)) for each in rows]
    assert years == [{2013, 2014}, {2015}, {2016}]
    assert len(rows.train) < len(rows.validation) * 1.1


def test_the_untouched_year_is_refused(histories: list[History]) -> None:
    with pytest.raises(ValueError, match="2020 is the untouched year"):
        walk_forward.run(histories, TREES, "trades_3_atr", (2019, 2020))


def test_members_of_a_mean_become_one_candidate() -> None:
    network = Candidate("bar_clock", NetworkSettings("tcn", 24))
    both = Candidate("bar_clock", network.network, TREES.trees)
    assert walk_forward.joined([network.values(), TREES.values()]) == both
    assert walk_forward.joined([both.values()]) == both
    with pytest.raises(ValueError, match="different features"):
        walk_forward.joined([TREES.values(), Candidate("bar", NetworkSettings("tcn", 24)).values()])
