"""A whole replay: what it says, that nothing looks ahead, and that the check for that can fail."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from core.bundles.repository import Repository
from core.features.candles import Candles
from core.features.labels import UNKNOWN
from core.inference.detector import Detector
from core.inference.history import HistoryAnswers, answer_history
from core.replay import replaying
from core.replay.choices import Choices
from core.replay.market import Market, years_of
from core.replay.page import html, markdown
from core.replay.replaying import Replayed, replay
from core.replay.trades import Costs
from core.replay.view import limits
from tests.core.replay.markets import broker, changed_after, market
from tests.market import ONNX

AT = 700


@pytest.fixture(scope="module")
def detectors() -> dict[str, Detector]:
    return {version: Detector(Repository(ONNX).read(version)) for version in ("v3.0", "v3.1")}


@pytest.fixture(scope="module")
def markets() -> list[Market]:
    """The turn of 2018 to 2019, for two pairs with prices that some versions know."""
    found = []
    for pair in ("GBPUSD", "EURGBP"):
        history = broker(pair)
        years = years_of(history.timestamps.astype("datetime64[ms]").astype(np.float64))
        first = int(np.flatnonzero(years == 2019)[0]) - 700
        part = history.part(slice(first, first + 1_400))
        found.append(Market(part.pair, part.candles, range(100, 1_350)))
    return found


@pytest.fixture(scope="module")
def found(detectors: dict[str, Detector], markets: list[Market]) -> Replayed:
    return replay(markets, detectors, Choices(draws=200), threads=2)


def changed(markets: list[Market]) -> list[Market]:
    return [each._replace(candles=changed_after(each.candles, AT)) for each in markets]


def known_at(found: Replayed, markets: list[Market], question: Choices) -> list[bytes]:
    """All that a replay knows when candle AT has ended: answers, labels and trades, as bytes."""
    seen = []
    for version, answers in found.answers.items():
        for place, of in enumerate(markets):
            seen += [column[: AT + 1].tobytes() for column in answers[place]]
            trades = found.trades[version][place]
            seen += [column.tobytes() for column in trades.chosen(trades.last <= AT)]
            labels = question.rule.labels(of.candles, of.pip)
            seen.append(labels[: AT + 1 - question.rule.horizon].tobytes())
    return seen


@pytest.mark.parametrize("way_out", ["horizon", "barriers"])
def test_the_future_changes_nothing_before_it(
    way_out: str, detectors: dict[str, Detector], markets: list[Market]
) -> None:
    question = Choices(way_out=way_out, draws=2)  # type: ignore[arg-type]
    one, other = replay(markets, detectors, question), replay(changed(markets), detectors, question)
    assert known_at(one, markets, question) == known_at(other, changed(markets), question)
    assert (
        one.answers["v3.1"][0].stage1_prob[AT + 1 :].tolist() != other.answers["v3.1"][0].stage1_prob[AT + 1 :].tolist()
    )


def one_candle_ahead(detector: Detector, candles: Candles, **settings: object) -> HistoryAnswers:
    ahead = np.roll(candles.values, -1, axis=1)
    return answer_history(detector, Candles(ahead, candles.times), **settings)  # type: ignore[arg-type]


def scaled_by_the_whole(detector: Detector, candles: Candles, **settings: object) -> HistoryAnswers:
    """As a scaler that was fitted on all candles, also on later ones."""
    values = candles.values * np.array([1 / candles.close.mean()] * 4 + [1.0])[:, None]
    return answer_history(detector, Candles(values, candles.times), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("looking", [one_candle_ahead, scaled_by_the_whole])
def test_a_planted_look_into_the_future_is_seen(
    looking: Callable[..., HistoryAnswers],
    detectors: dict[str, Detector],
    markets: list[Market],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replaying, "answer_history", looking)
    question = Choices(draws=2)
    one, other = replay(markets, detectors, question), replay(changed(markets), detectors, question)
    assert known_at(one, markets, question) != known_at(other, changed(markets), question)


def test_the_report_has_numbers_for_everything(found: Replayed) -> None:
    report = found.report
    assert json.loads(json.dumps(report)) == report  # neither NaN nor NumPy
    assert (report["versions"], report["pairs"], report["candles"]) == (["v3.0", "v3.1"], ["GBP/USD", "EUR/GBP"], 2_500)
    assert report["predictions"] == 2 * 2_500 - sum(int((each.signal[100:1_350] == UNKNOWN).sum()) for of in
                                                    found.answers.values() for each in of)  # fmt: skip
    assert [each["year"] for each in report["by_year"]] == [2018, 2019]
    assert len(report["by_pair_and_year"]) == 4
    (comparison,) = report["comparisons"]
    assert (comparison["a"], comparison["b"], comparison["verdict"]["word"]) == ("v3.0", "v3.1", "not yet")
    for part in (report, *report["by_pair"], *report["by_year"]):
        for version in report["versions"]:
            assert {name for name, each in part["figures"][version].items() if each["estimate"] is None} == set()
    for version in report["versions"]:
        answers = report["answers"][version]
        assert sum(answers["signals"].values()) == answers["candles"] == 2_500
        assert sum(each["trades"] for each in report["by_hour"][version]) == answers["trades"]
        assert report["equity"][version]["pips"][-1] == pytest.approx(
            report["figures"][version]["net_pips"]["estimate"]
        )


def test_parts_add_up(found: Replayed) -> None:
    report = found.report
    for version in report["versions"]:
        whole = report["figures"][version]
        for parts in ("by_pair", "by_year", "by_pair_and_year"):
            net = sum(each["figures"][version]["net_pips"]["estimate"] for each in report[parts])
            assert net == pytest.approx(whole["net_pips"]["estimate"], rel=1e-6)
        made = found.trades[version]
        pips = np.concatenate([each.pips for each in made])
        assert whole["expectancy_pips"]["estimate"] == pytest.approx(pips.mean())
        assert whole["hit_rate"]["estimate"] == pytest.approx((pips > 0).mean())
        low, high = whole["hit_rate"]["interval"]
        assert low < whole["hit_rate"]["estimate"] < high


def test_pairs_have_other_years(detectors: dict[str, Detector], markets: list[Market]) -> None:
    turn = int(np.flatnonzero(years_of(markets[0].opens) == 2019)[0])
    pairs = [
        each._replace(rows=rows)
        for each, rows in zip(markets, (range(300, turn - 20), range(turn, 1_000)), strict=True)
    ]
    nothing = market(700, "USD/JPY", range(700, 700))
    report = replay([*pairs, nothing], detectors, Choices(draws=2)).report
    cells = [(each["pair"], each["year"]) for each in report["by_pair_and_year"]]
    assert cells == [("GBP/USD", 2018), ("EUR/GBP", 2019)]
    of_nothing = report["by_pair"][-1]["figures"]["v3.0"]
    assert [of_nothing[name]["estimate"] for name in ("auc", "ece", "hit_rate")] == [None] * 3
    assert "nan" not in markdown(report) + html(report)


def test_differences_are_paired_by_week(detectors: dict[str, Detector], markets: list[Market]) -> None:
    """A version and a copy of it differ in nothing, in no draw."""
    copies = {"v3.0": detectors["v3.0"], "copy": detectors["v3.0"]}
    report = replay(markets, copies, Choices(draws=50)).report
    assert report["comparisons"][0]["verdict"]["word"] in {"not yet", "no difference larger than 0.02"}
    assert report["comparisons"][0]["differences"]["win_rate"]["estimate"] == 0.0
    for each in report["figure_differences"]["copy"].values():
        assert (each["estimate"], each["interval"]) == (0.0, [0.0, 0.0])


def test_costs_come_off_every_trade(detectors: dict[str, Detector], markets: list[Market]) -> None:
    one = {"v3.0": detectors["v3.0"]}
    free, dear = (
        replay(markets, one, Choices(draws=2, costs=costs)).report["figures"]["v3.0"]["expectancy_pips"]["estimate"]
        for costs in (Costs(0.0, 0.0), Costs(1.0, 0.5))
    )
    assert free - dear == pytest.approx(1.5)


def test_one_version_has_no_verdict_and_three_have_two(detectors: dict[str, Detector], markets: list[Market]) -> None:
    some = markets[:1]
    assert replay(some, {"v3.0": detectors["v3.0"]}, Choices(draws=2)).report["comparisons"] == []
    three = {**detectors, "copy": detectors["v3.1"]}
    found = replay(some, three, Choices(draws=2)).report
    assert [(each["a"], each["b"]) for each in found["comparisons"]] == [("v3.0", "v3.1"), ("v3.0", "copy")]
    assert found["figure_differences"].keys() == {"v3.1", "copy"}


def test_candles_of_another_timeframe_are_named(detectors: dict[str, Detector], markets: list[Market]) -> None:
    assert replay(markets, detectors, Choices(draws=2)).report["other_spacing"] == []
    hours, other = markets
    days = other._replace(candles=Candles(other.candles.values, other.opens * 24))
    report = replay([hours, days], detectors, Choices(draws=2)).report
    assert report["other_spacing"] == [other.pair]
    expected = f"Most candles of {other.pair} are not 1h apart: replay them with their timeframe."
    assert expected in limits(report)


def test_a_market_without_answers_or_signals_says_so(detectors: dict[str, Detector]) -> None:
    report = replay([market(40)], detectors, Choices(draws=5)).report
    assert report["predictions"] == 0
    assert report["comparisons"][0]["verdict"]["word"] == "not yet"
    assert report["figures"]["v3.0"]["auc"]["estimate"] is None
