"""The sums by unit, which SQL computes from predictions, are those of the samples, computed from candles."""

from __future__ import annotations

import random

import pytest

from core.experiments.candle_table import UnitMetric
from core.features.labels import LONG, NONE, SHORT
from core.statistics import samples
from core.statistics.ratios import Sample, ratio
from core.store.interface import Label, LabelledSeries, Store
from core.store.sql import units
from tests.core.store.samples import AT, CHOSEN, candle, drain, experiment, exposure, outcome


@pytest.fixture
def recorded(store: Store) -> Store:
    """300 predictions by 12 users on 20 candles; most trades have a result with pips, most candles a label."""
    rng = random.Random(3)  # noqa: S311 - no secret
    store.create(experiment(mode="split").activated(AT))
    made = [
        exposure(
            number,
            candle=candle(number % 20),
            user=f"user {number % 12}",
            variant="AB"[number % 12 % 2],
            signal=rng.choice(["hold", "long", "short"]),
            confidence=rng.random(),
        )
        for number in range(300)
    ]
    drain(store, made)
    trades = [each for each in made if each.signal != "hold" and rng.random() < 0.8]
    reported = [outcome(each, rng.choice(["win", "loss", "neutral"]), rng.choice([None, 5.0, -3.0])) for each in trades]
    store.record_outcomes(reported, AT)
    labels = [Label(candle(number), rng.choice([NONE, LONG, SHORT]), rng.uniform(-9, 9)) for number in range(15)]
    store.choose_rule("exp", CHOSEN, replace=False)
    store.label(LabelledSeries("exp", "EUR/USD", "1h"), CHOSEN.rule, labels, AT)
    return store


@pytest.mark.parametrize("source", samples.SOURCES)
def test_pnl_per_candle_has_the_same_sums_by_unit_and_by_candle(recorded: Store, source: samples.Source) -> None:
    table, units = recorded.candles("exp").timed, recorded.units("exp", "win_rate", {})
    name: UnitMetric = "pnl_per_candle_reported" if source == "reported" else "pnl_per_candle_labels"
    both = samples.results_per_candle(table, source, paired=False, units=units)
    for sample in (both.a, both.b):
        assert sample.units is not None
        assert len(sample.units.numerator) == 6
        assert sample.units.numerator.sum() == pytest.approx(sample.numerator.sum())
        assert sample.units.denominator.sum() == pytest.approx(sample.denominator.sum())
    assert units[name]["A"] is both.a.units


def test_the_other_metrics_have_the_same_sums_by_unit_and_by_candle(recorded: Store) -> None:
    table, units = recorded.candles("exp").timed, recorded.units("exp", "win_rate", {})
    by_candle: dict[UnitMetric, Sample] = {
        "hold_rate": samples.hold_rate(table.a),
        "confidence": samples.confidence(table.a),
        "win_rate_reported": samples.win_rate(table.a, table, "reported"),
        "mean_pnl_reported": samples.mean_pnl(table.a, table, "reported"),
        "win_rate_labels": samples.win_rate(table.a, table, "labels"),
        "mean_pnl_labels": samples.mean_pnl(table.a, table, "labels"),
        "recall": samples.recall(table.a, table),
    }
    for name, sample in by_candle.items():
        sums = units[name]["A"]
        assert sums.numerator.sum() == pytest.approx(sample.numerator.sum()), name
        assert sums.denominator.sum() == pytest.approx(sample.denominator.sum()), name


def test_of_very_many_users_a_sample_is_read_with_all_that_matter(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """About 400 of 2,000 users. 20 of them make half of the trades, and differ much in skill."""
    rng = random.Random(5)  # noqa: S311 - no secret
    store.create(experiment().activated(AT))
    users = [f"{rng.getrandbits(128):032x}" for _ in range(2_000)]
    skills = {user: rng.gauss(0.5, 0.15) for user in users}
    made = [exposure(n, candle=candle(n % 300), user=user) for n, user in enumerate(users + users[:20] * 100)]
    drain(store, made)
    won = (rng.random() < skills[str(each.user)] for each in made)
    store.record_outcomes([outcome(each, "win" if win else "loss") for each, win in zip(made, won, strict=True)], AT)
    table = store.candles("exp").timed
    errors = {}
    for most in (400, 2_000):
        monkeypatch.setattr(units, "MOST_USERS", most)
        found = store.units("exp", "win_rate", {})["win_rate_reported"]["A"]
        assert (found.weight is None) is (most == 2_000)
        if found.weight is not None:
            assert (found.weight == 1).sum() == 20
            assert found.weight.sum() == pytest.approx(2_000, rel=0.15)
        errors[most] = ratio(samples.win_rate(table.a, table, "reported")._replace(units=found)).units
    some, every = errors[400], errors[2_000]
    assert some is not None
    assert every is not None
    assert float(every.number) == 2_000
    assert float(some.number) == pytest.approx(400, rel=0.15)
    assert float(some.between) == pytest.approx(float(every.between), rel=0.1)
    assert float(some.within) == pytest.approx(float(every.within), rel=0.1)
