"""The verdict of a replay is that of an experiment which recorded the same answers."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import pytest

from core.experiments.experiment import ChosenRule, Metric
from core.experiments.records import Exposure, ShadowScore
from core.features.candle_keys import candle_key_of_time
from core.features.labels import UNKNOWN
from core.inference.decision import Signal
from core.inference.history import CODES, HistoryAnswers
from core.replay.choices import DEFAULT_RULE, Choices
from core.replay.comparison import Both, compare
from core.replay.market import Market
from core.reports.evaluation import LaterCandles, evaluate
from core.reports.recorded import read
from core.reports.report import experiment_report
from core.store.opening import open_store
from tests.core.replay.markets import market

NAMES: dict[int, Signal] = {code: signal for signal, code in CODES.items()}


def answers(of: Market, seed: int, first: int = 60) -> HistoryAnswers:
    """Random answers in runs; the first candles have none."""
    rng, n = np.random.default_rng(seed), len(of.candles)
    found = HistoryAnswers.empty(n)
    found.signal[first:] = np.repeat(rng.choice(np.array([0, 0, 1, 2], np.int8), size=n), 5)[: n - first]
    found.confidence[first:], found.stage1_prob[first:] = rng.random((2, n - first))
    return found


def both(bars: int = 900) -> list[Both]:
    found = []
    for seed, pair in enumerate(("EUR/USD", "USD/JPY")):
        of = market(bars, pair, range(100, bars - 30), seed=seed)
        label = DEFAULT_RULE.labels(of.candles, of.pip)
        found.append(Both(of, answers(of, seed), answers(of, seed + 10, first=130), label))
    return found


_numbers = count(1)


def records(each: Both) -> list[Exposure | ShadowScore]:
    """What a server in shadow mode records for the answers."""
    found: list[Exposure | ShadowScore] = []
    for row in each.market.rows:
        a, b = (NAMES.get(int(side.signal[row])) for side in (each.a, each.b))
        if a is None or b is None:
            continue
        at, candle = round(each.market.opens[row] * 1000) + 3_600_000_000, candle_key_of_time(each.market.opens[row])
        confidence = float(each.a.confidence[row])
        found += [
            Exposure(
                prediction_id=f"p{next(_numbers)}", at=at, experiment_id="replay", variant="A", version="v1",
                fallback_reason=None, user=None, pair=each.market.pair, timeframe="1h", candle=candle, signal=a,
                confidence=confidence, stage1_prob=0.5, stage2_prob=None, latency_us=1, slow=False,
            ),
            ShadowScore(
                at, "replay", each.market.pair, "1h", candle, a, confidence, b, float(each.b.confidence[row])
            ),
        ]  # fmt: skip
    return found


@pytest.mark.parametrize("metric", ["win_rate", "mean_pnl"])
def test_the_report_is_that_of_an_experiment_with_the_same_answers(metric: Metric, tmp_path: Path) -> None:
    question, of = Choices(metric=metric, minimum_effect=0.01), both()
    found = compare(question.experiment("v1", "v2"), of, "1h")
    store = open_store(f"sqlite:///{tmp_path}/state.db")
    draft = question.experiment("v1", "v2")
    store.create(draft.activated(1))
    store.drain("replay", 1, [record for each in of for record in records(each)])
    for each in of:
        later = LaterCandles(each.market.pair, "1h", each.market.candles, each.market.opens.tolist())
        evaluate(store, "replay", later, ChosenRule(DEFAULT_RULE, "1h", 1))
    recorded = experiment_report(*read(store, "replay"))
    store.close()
    assert found["verdict"] == recorded["verdict"]
    # Only confidences are added up in another order, which can change the ninth digit.
    for report in (found, recorded):
        assert report["pairs"].pop("confidence_difference") == report["differences"]["confidence"]
    of_found, of_recorded = (report["differences"].pop("confidence") for report in (found, recorded))
    assert of_found["estimate"] == pytest.approx(of_recorded["estimate"], abs=1e-9)
    assert found["differences"] == recorded["differences"]
    assert found["breakdown"] == recorded["breakdown"]
    assert found["pairs"] == recorded["pairs"]
    for name in ("win_rate", "mean_pnl", "hold_rate", "precision", "recall", "signals", "unique_candles"):
        assert [found["variants"][each][name] for each in "AB"] == [recorded["variants"][each][name] for each in "AB"]
    assert found["differences"][metric]["candles"] > 300


def test_only_candles_that_both_answered_count() -> None:
    found = compare(Choices().experiment("v1", "v2"), both(), "1h")
    assert found["variants"]["A"]["predictions"] == found["variants"]["B"]["predictions"] == 2 * (900 - 30 - 130)


def test_pairs_at_one_time_are_one_candle_time() -> None:
    of = both()
    one = compare(Choices().experiment("v1", "v2"), of[:1], "1h")["differences"]["win_rate"]
    twice = [of[0], of[0]._replace(market=of[0].market._replace(pair="GBP/USD"))]
    copied = compare(Choices().experiment("v1", "v2"), twice, "1h")["differences"]["win_rate"]
    assert copied["candles"] == one["candles"]
    assert copied["interval"] == pytest.approx(one["interval"], abs=2e-3)  # no narrower


def test_rows_by_year_are_those_of_the_years_alone() -> None:
    of = both(3 * 365 * 5 * 24 // 7 + 500)
    found = compare(Choices().experiment("v1", "v2"), of, "1h")
    years = [each["year"] for each in found["years"]]
    assert years == sorted(set(years))
    assert len(years) >= 3
    assert sum(each["candles"] for each in found["years"]) == found["variants"]["A"]["predictions"]
    weights = [each["A"]["estimate"] for each in found["years"]]
    assert min(weights) <= found["variants"]["A"]["win_rate"]["estimate"] <= max(weights)


def test_a_winning_trade_has_the_direction_of_the_label() -> None:
    (each, _) = both()
    label = each.label.copy()
    signal = np.where(label == UNKNOWN, 0, label).astype(np.int8)
    perfect = each.a._replace(signal=signal)
    found = compare(Choices().experiment("v1", "v2"), [each._replace(a=perfect)], "1h")
    assert found["variants"]["A"]["win_rate"]["estimate"] == 1.0


def test_without_a_label_there_is_no_advice_to_report_or_to_evaluate() -> None:
    of = [each._replace(label=np.full_like(each.label, UNKNOWN)) for each in both()]
    found = compare(Choices().experiment("v1", "v2"), of, "1h")["verdict"]
    assert found["word"] == "not yet"
    assert "A has results at 0 candle times and B at 0" in found["sentence"]
