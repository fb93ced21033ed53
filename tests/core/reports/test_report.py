"""The whole report: its shape, its verdicts, and that it is valid JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from core.experiments.candle_table import CandleTable, Side, Tally, Units, UnitSums
from core.experiments.experiment import Experiment, ImportedCounts, Variant
from core.features.candles import Floats
from core.features.labels import LONG, NONE, SHORT, UNKNOWN
from core.reports.recorded import Recorded
from core.reports.report import experiment_report
from core.statistics.reporting import SETTLED_PERIODS
from core.statistics.sequences import MINIMUM_TIMES
from tests.core.statistics import tables
from tests.core.statistics.tables import experiment, side, table, tally, traded

TALLIES: dict[Variant, Tally] = {"A": tally(users=5_000), "B": tally(users=5_020)}
EMPTY = table(side(holds=[]), side(holds=[]))


def report(
    of: CandleTable, setting: Experiment | None = None, tallies: dict[Variant, Tally] | None = None, in_both: int = 0
) -> dict[str, Any]:
    """The report, after a check that it is valid JSON."""
    made = setting or experiment()
    units = {} if made.mode == "shadow" else tables.units(of, made.metric)
    found = experiment_report(made, Recorded(tallies or TALLIES, of, units, in_both))
    assert json.loads(orjson.dumps(found)) == found
    return found


def split(seed: int, n: int, rates: tuple[float, float], trades: float = 0.5) -> CandleTable:
    """Each side trades on its own share of the candles and wins at its rate, independently."""
    rng = np.random.default_rng(seed)
    a, b = (traded(np.where(rng.random(n) < trades, rng.random(n) < rate, np.nan)) for rate in rates)
    return table(a, b)


def shadow(a: Floats, b: Floats) -> CandleTable:
    """Both trade on every candle, and their results are reported."""
    return table(traded(a), traded(b))


def test_an_empty_experiment_has_nulls_and_the_verdict_not_yet() -> None:
    found = report(EMPTY, tallies={"A": tally(), "B": tally()})
    assert found["variants"]["A"]["win_rate"] == {
        "estimate": None,
        "interval": None,
        "candles": 0,
        "valid": False,
        "source": "reported",
    }
    assert found["differences"]["confidence"] == {
        "estimate": None, "interval": None, "candles": 0, "valid": False, "p_value": None,
    }  # fmt: skip
    assert found["sample_ratio"]["chi_square"] is None
    assert found["pairs"] is None
    assert found["verdict"]["word"] == "not yet"
    assert "cannot be estimated" in found["verdict"]["sentence"]
    assert "at least 30" in found["verdict"]["sentence"]


@pytest.mark.parametrize("mode", ["split", "shadow"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_equal_candles_give_numbers_or_null(mode: str, n: int) -> None:
    same = traded([1.0] * n)
    found = report(table(same, same, [LONG] * n, [10.0] * n), experiment(mode=mode, metric="mean_pnl"))
    assert found["differences"]["mean_pnl"]["interval"] is None
    assert found["variants"]["A"]["sharpe"]["estimate"] is None
    # One user alone says nothing about other users.
    assert found["variants"]["A"]["win_rate"]["interval"] == (None if mode == "split" and n == 1 else [0.0, 1.0])


def test_without_trades_of_one_side_there_is_no_difference() -> None:
    found = report(table(traded([1.0, 0.0]), side(longs=[0, 0])))
    assert found["differences"]["win_rate"]["estimate"] is None
    assert found["variants"]["A"]["win_rate"]["estimate"] == 0.5


def test_variants_show_totals_and_estimates() -> None:
    a = side(
        holds=[1, 0, 0], longs=[1, 2, 0], shorts=[0, 0, 1],
        confidence=[1.2, 1.0, 0.9], confidence_squares=[0.8, 0.5, 0.81],
        wins=[1, 2, 0], losses=[0, 0, 1], pnl=[5, 20, -6], pnl_count=[1, 2, 1],
    )  # fmt: skip
    counted = tally(
        predictions=5,
        users=4,
        candles=3,
        fallbacks=2,
        failures=1,
        unrecorded=7,
        signals={"hold": 1, "long": 3, "short": 1},
    )
    imported = {"A": ImportedCounts(4, {"hold": 4}, 2.0)}
    found = report(
        table(a, a, [LONG, NONE, UNKNOWN], [3.0, 4.0, math.nan]),
        experiment(imported=imported),
        {"A": counted, "B": tally()},
    )["variants"]["A"]
    assert found["model_version"] == "v3.0"
    assert (found["predictions"], found["unique_users"], found["unique_candles"]) == (5, 4, 3)
    assert (found["fallbacks"], found["failures"], found["unrecorded"]) == (2, 1, 7)
    assert found["signals"] == {"hold": 1, "long": 3, "short": 1}
    assert found["hold_rate"]["estimate"] == pytest.approx(1 / 6)
    assert found["confidence"]["estimate"] == pytest.approx((0.6 + 0.5 + 0.9) / 3)
    assert found["confidence"]["sd"] == pytest.approx(math.sqrt((0.4 + 0.25 + 0.81) / 3 - (2 / 3) ** 2))
    assert (found["outcomes_joined"], found["labelled_candles"]) == (4, 2)
    assert found["win_rate"]["estimate"] == pytest.approx(2 / 3)
    assert found["mean_pnl"]["estimate"] == pytest.approx((5 + 10 - 6) / 3)
    assert found["pnl_per_candle"]["estimate"] == pytest.approx((5 / 2 + 10 - 6) / 3)
    assert found["sharpe"]["estimate"] == pytest.approx(3 / np.std([5, 10, -6]))
    assert found["precision"]["estimate"] == pytest.approx(0.5 / 1.5)
    assert found["recall"]["estimate"] == pytest.approx(0.5)
    assert found["imported"] == {"count": 4, "signals": {"hold": 4}, "avg_confidence": 0.5}


@pytest.mark.parametrize(
    "of", [EMPTY, split(1, 500, (0.5, 0.5)), split(1, 1_500, (0.5, 0.5))], ids=["nothing", "too few", "undecided"]
)
def test_a_stopped_undecided_experiment_has_no_forecast(of: CandleTable) -> None:
    running, stopped = report(of)["verdict"], report(of, experiment(status="stopped"))["verdict"]
    assert (running["word"], stopped["word"]) == ("not yet", "not yet")
    forecast, rest = running["sentence"].split("; ", 1)
    assert "more candles are needed" in forecast or "cannot be estimated" in forecast
    head, rest_of_stopped = stopped["sentence"].split("; ", 1)
    assert "stopped" in head
    assert rest_of_stopped == rest


def test_planted_difference_is_found() -> None:
    """Planted win rates of 0.50 and 0.56."""
    found = report(split(1, 8_000, (0.50, 0.56)))
    assert found["verdict"]["word"] == "B better"
    low, high = found["differences"]["win_rate"]["interval"]
    assert low < 0.06 < high
    sentence = found["verdict"]["sentence"]
    assert sentence.startswith("B is v3.1: ")
    assert f" {found['differences']['win_rate']['estimate'] * 100:+.1f} percentage points" in sentence
    assert sentence.endswith(f" {low * 100:+.1f} to {high * 100:+.1f}")
    assert found["differences"]["win_rate"]["p_value"] < 0.05
    assert report(split(1, 8_000, (0.56, 0.50)))["verdict"]["word"] == "A better"


def test_the_experiments_metric_decides() -> None:
    of = split(1, 8_000, (0.50, 0.56))
    assert report(of, experiment(metric="mean_pnl", minimum_effect=0.5))["verdict"]["word"] == "B better"
    assert "pips" in report(of, experiment(metric="mean_pnl", minimum_effect=0.5))["verdict"]["sentence"]


def test_swapped_sides_negate_every_difference() -> None:
    of = split(2, 1_000, (0.5, 0.6))
    there, back = report(of)["differences"], report(table(of.b, of.a))["differences"]
    for name in there:
        assert there[name]["estimate"] == -back[name]["estimate"]
        assert there[name]["p_value"] == pytest.approx(back[name]["p_value"])


def test_equal_versions_end_with_no_difference() -> None:
    """The versions disagree on a tenth of the candles, and are right equally often there."""
    rng = np.random.default_rng(3)
    a = (rng.random(8_000) < 0.5).astype(np.float64)
    b = np.where(rng.random(8_000) < 0.1, rng.random(8_000) < 0.5, a).astype(np.float64)
    setting = experiment(mode="shadow")
    words = [report(shadow(a[:n], b[:n]), setting)["verdict"]["word"] for n in (100, 500, 8_000)]
    assert words == ["not yet", "not yet", "no difference larger than 0.02"]


def test_a_certain_difference_below_the_minimum_effect_is_no_difference() -> None:
    """The difference is 0.8 points with certainty, and the minimum effect is 2 points."""
    a = np.zeros(40_000)
    b = (np.arange(40_000) % 125 == 0).astype(np.float64)
    found = report(shadow(a, b), experiment(mode="shadow"))
    assert found["differences"]["win_rate"]["interval"][0] > 0
    assert found["verdict"]["word"] == "no difference larger than 0.02"


def test_versions_that_have_always_agreed_are_not_called_equal_early() -> None:
    """Without a disagreement the measured variance is zero, but that is no certainty."""
    same = np.tile([1.0, 0.0], MINIMUM_TIMES // 2)
    found = report(shadow(same, same), experiment(mode="shadow", minimum_effect=0.001))
    assert found["verdict"]["word"] == "not yet"


def test_with_too_few_candles_the_verdict_is_always_not_yet() -> None:
    n, labels = MINIMUM_TIMES, experiment(mode="shadow")
    lost, won = np.zeros(n), np.ones(n)
    assert report(shadow(lost[1:], won[1:]), labels)["verdict"]["word"] == "not yet"
    assert report(shadow(lost, won), labels)["verdict"]["word"] == "B better"
    found = report(shadow(lost[:200], won[:200]), labels)["verdict"]
    assert "about 100 more candles " in found["sentence"]
    assert found["more_candles"] == 100


def test_users_need_trades_that_are_old_enough_to_be_reported() -> None:
    n = MINIMUM_TIMES + SETTLED_PERIODS
    lost, won = np.zeros(n), np.ones(n)
    early = report(shadow(lost[1:], won[1:]))
    assert early["verdict"]["word"] == "not yet"
    assert early["reporting"]["valid"] is False
    assert report(shadow(lost, won))["verdict"]["word"] == "B better"


def test_with_fewer_than_30_users_a_side_the_verdict_is_not_yet_and_intervals_are_marked() -> None:
    of = split(1, 8_000, (0.50, 0.56))
    for users_of_a, word in ((30, "B better"), (29, "not yet")):
        units = merged_users(tables.units(of), users_of_a)
        found = experiment_report(experiment(), Recorded(TALLIES, of, units, 0, []))
        assert found["verdict"]["word"] == word
        assert found["differences"]["win_rate"]["valid"] is (word == "B better")
        assert ("29 users" in found["verdict"]["sentence"]) is (word == "not yet")
    assert found["variants"]["B"]["win_rate"]["valid"] is True
    assert found["variants"]["A"]["win_rate"]["valid"] is False


def merged_users(units: Units, count: int) -> Units:
    """The same sums, with only so many users of A."""

    def merged(of: UnitSums) -> UnitSums:
        user = np.arange(len(of.numerator)) % count
        return of._replace(
            numerator=np.bincount(user, of.numerator).astype(np.float64),
            denominator=np.bincount(user, of.denominator).astype(np.float64),
        )

    return {name: {"A": merged(sides["A"]), "B": sides["B"]} for name, sides in units.items()}


def test_losses_of_one_side_that_are_not_reported_make_the_experiment_invalid() -> None:
    rng = np.random.default_rng(7)
    a, b = ((rng.random(4_000) < 0.5).astype(np.float64) for _ in range(2))
    of = table(traded(a), traded(b))
    hidden = (b == 0) & (rng.random(4_000) < 0.1)
    of = replace(of, b=replace(of.b, losses=of.b.losses * ~hidden, pnl=of.b.pnl * ~hidden, pnl_count=1.0 - hidden))
    found = report(of)
    assert found["verdict"]["word"] == "invalid"
    assert found["reporting"]["differs"] is True
    assert found["reporting"]["A"]["estimate"] == 1.0
    assert found["reporting"]["B"]["estimate"] == pytest.approx(0.95, abs=0.01)
    assert report(of, experiment(metric="mean_pnl", minimum_effect=0.5))["verdict"]["word"] == "invalid"
    # Labels do not depend on what users report.
    labelled = replace(of, label=np.full(4_000, LONG, np.int8), move_pips=np.full(4_000, 1.0))
    assert report(labelled)["reporting"] is None


def test_candles_without_timestamps_are_not_compared_and_named() -> None:
    of = split(1, 8_000, (0.50, 0.56))
    found = report(replace(of, time=np.where(np.arange(8_000) < 200, of.time, np.nan)))
    assert found["verdict"]["word"] == "not yet"
    assert "7,800 candles" in found["verdict"]["sentence"]
    assert found["variants"]["A"]["win_rate"]["candles"] <= 200


def test_the_forecast_counts_candles_without_results_too() -> None:
    """Only one in four candles is traded, so the forecast is four times the number of traded candles."""
    rng = np.random.default_rng(4)
    results = np.full((2, 4_000), np.nan)
    results[:, ::4] = rng.random((2, 1_000)) < 0.5
    found = report(shadow(*results), experiment(mode="shadow"))["verdict"]["sentence"]
    fourfold = int(found.split()[1].replace(",", ""))
    dense = int(
        report(shadow(*results[:, ::4]), experiment(mode="shadow"))["verdict"]["sentence"].split()[1].replace(",", "")
    )
    assert fourfold == pytest.approx(4 * dense, rel=0.15)


def test_further_candles_are_a_number_while_they_can_be_forecast() -> None:
    undecided = split(1, 1_500, (0.5, 0.5))
    assert report(undecided)["verdict"]["more_candles"] > 1_000
    assert report(shadow(np.zeros(200), np.ones(200)))["verdict"]["more_candles"] == pytest.approx(100)
    assert report(undecided, experiment(status="stopped"))["verdict"]["more_candles"] is None
    assert report(EMPTY)["verdict"]["more_candles"] is None
    assert report(split(1, 8_000, (0.50, 0.56)))["verdict"]["more_candles"] is None
    assert report(undecided, in_both=1)["verdict"]["more_candles"] is None


def test_pnl_per_candle_differs_from_pnl_per_trade_where_one_side_trades_more() -> None:
    """B earns the same 10 pips a trade as A, but on twice as many candles."""
    often, seldom = traded(np.ones(1_000)), traded(np.where(np.arange(1_000) % 2, 1.0, np.nan))
    holding = side(
        **{name: getattr(seldom, name) for name in ("longs", "wins", "pnl", "pnl_count")}, holds=1 - seldom.longs
    )
    found = report(table(holding, often), experiment(mode="shadow"))
    assert found["differences"]["mean_pnl"]["estimate"] == 0
    assert found["differences"]["pnl_per_candle"]["estimate"] == pytest.approx(5.0)
    assert [found["variants"][variant]["pnl_per_candle"]["estimate"] for variant in "AB"] == [5.0, 10.0]


def test_constant_pnl_is_not_yet() -> None:
    same = np.ones(1_000)
    found = report(shadow(same, same), experiment(metric="mean_pnl", minimum_effect=0.5))
    assert found["verdict"]["word"] == "not yet"


def users(a: int, b: int) -> dict[Variant, Tally]:
    return {"A": tally(users=a), "B": tally(users=b)}


def test_planted_sample_ratio_mismatch_is_invalid() -> None:
    """The users are split 47 to 53 instead of 50 to 50. Apart from that, B would be better."""
    of = split(1, 8_000, (0.50, 0.56))
    found = report(of, tallies=users(4_700, 5_300))
    assert found["verdict"]["word"] == "invalid"
    for number in ("4,700", "5,300", "5,000"):
        assert number in found["verdict"]["sentence"]
    assert found["sample_ratio"]["mismatch"] is True
    assert found["sample_ratio"]["expected"] == {"A": 5_000.0, "B": 5_000.0}
    assert report(of, experiment(traffic_split=0.47), users(4_700, 5_300))["verdict"]["word"] == "B better"


def test_users_in_both_variants_are_invalid() -> None:
    found = report(split(1, 8_000, (0.50, 0.56)), in_both=3)["verdict"]
    assert found["word"] == "invalid"
    assert found["sentence"].startswith("3 users got both variants")


def test_shadow_mode_has_no_sample_ratio() -> None:
    found = report(shadow(np.ones(5), np.ones(5)), experiment(mode="shadow"), users(9_000, 0))
    assert found["sample_ratio"] is None
    assert found["verdict"]["word"] == "not yet"


@pytest.mark.parametrize(("share", "right", "wrong"), [(1.0, (50, 0), (50, 1)), (0.0, (0, 50), (1, 50))])
def test_a_split_of_all_users_to_one_variant(share: float, right: tuple[int, int], wrong: tuple[int, int]) -> None:
    setting = experiment(traffic_split=share)
    found = report(EMPTY, setting, users(*right))
    assert found["sample_ratio"]["chi_square"] is None
    assert f"all users are assigned to {'A' if share else 'B'}" in found["verdict"]["sentence"]
    assert report(EMPTY, setting, users(*wrong))["verdict"]["word"] == "invalid"


def test_the_expected_share_is_that_of_whole_buckets() -> None:
    """A share of half a bucket gives one whole bucket: `bucket / 10000 < 0.00005` holds for bucket 0."""
    found = report(EMPTY, experiment(traffic_split=0.00005), users(0, 10_000))
    assert found["sample_ratio"]["expected"]["A"] == pytest.approx(1.0)


def test_unrecorded_predictions_are_in_the_sentence() -> None:
    lost: dict[Variant, Tally] = {"A": tally(users=5_000, unrecorded=12), "B": tally(users=5_000)}
    last = report(EMPTY, tallies=lost)["verdict"]["sentence"].split("; ")[-1]
    assert last.startswith("12 predictions were answered but not recorded")


def signals(names: str, **columns: Any) -> Side:  # noqa: ANN401 - any column
    """One letter per candle: `h`, `l` or `s`."""
    given = {name: [float(c == name[0]) for c in names] for name in ("holds", "longs", "shorts")}
    return side(**given, **columns)


def test_pairs_have_the_table_the_agreement_and_the_test_by_labels() -> None:
    a, b = signals("hhllss", confidence=[0.5] * 6), signals("hlllsh", confidence=[0.5, 0.6, 0.7, 0.5, 0.5, 0.5])
    label = [NONE, LONG, LONG, NONE, SHORT, SHORT]
    listed = [{"pair": "EUR/USD", "timeframe": "1h", "candle": "t:0", "a": "hold", "b": "long"}]
    found = experiment_report(
        experiment(mode="shadow"), Recorded(TALLIES, table(a, b, label, [1.0] * 6), {}, 0, listed)
    )["pairs"]
    assert found["table"] == {
        "hold": {"hold": 1, "long": 1, "short": 0},
        "long": {"hold": 0, "long": 2, "short": 0},
        "short": {"hold": 1, "long": 0, "short": 1},
    }
    assert found["candles"] == 6
    assert found["agreement"]["estimate"] == pytest.approx(4 / 6)
    assert found["confidence_difference"]["estimate"] == pytest.approx(0.05)
    assert found["disagreements"] == listed
    assert "disagreements" not in report(table(a, b), experiment(mode="shadow"))["pairs"]
    # Only B finds the first LONG, and only A the last SHORT; both wrongly signal long at the NONE.
    assert {name: found["mcnemar"][name] for name in ("candles", "a_only_right", "b_only_right", "exact_p")} == {
        "candles": 6, "a_only_right": 1, "b_only_right": 1, "exact_p": 1.0,
    }  # fmt: skip


def test_unjudged_trades_of_b_in_shadow_mode_are_named() -> None:
    """B trades alone on one of 20 candles, where no outcome is reported."""
    rng = np.random.default_rng(5)
    won = (rng.random(8_000) < 0.5).astype(np.float64)
    better = np.where(rng.random(8_000) < 0.2, 1.0, won)
    setting = experiment(mode="shadow")
    assert report(shadow(won, better), setting)["verdict"]["word"] == "B better"
    alone = np.where(np.arange(8_000) % 20 == 0, np.nan, won)
    b = traded(better)
    unreported = replace(b, wins=b.wins * ~np.isnan(alone), losses=b.losses * ~np.isnan(alone))
    found = report(table(traded(alone), unreported), setting)["verdict"]
    assert found["word"] == "not yet"
    assert found["sentence"].startswith("5.0% of B's trades")
    assert "evaluate" in found["sentence"]
