"""Replays in Python."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reversal
from core.errors import InvalidInput, UnknownVersion
from reversal.replaying import Replay
from tests import bundles
from tests.market import ONNX, ROOT


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(ROOT / "training" / "data" / "eurusd_1h_2017.csv").tail(900).reset_index(drop=True)


@pytest.fixture(scope="module")
def found(frame: pd.DataFrame) -> Replay:
    return reversal.replay({"EUR/USD": frame}, ["v3.0", "v3.1"], models=ONNX, draws=100)


def test_it_says_whether_it_is_better(found: Replay) -> None:
    assert found.verdict.startswith("not yet: ")
    assert repr(found).startswith("<replay of v3.0, v3.1: not yet")
    assert found.report["comparisons"][0]["verdict"]["word"] == "not yet"
    assert "Is v3.1 better than v3.0?" in found.html()
    assert found.markdown().startswith("# Is v3.1 better")


def test_its_signals_are_those_of_the_detector(found: Replay, frame: pd.DataFrame) -> None:
    of_detector = reversal.load("v3.1", ONNX).signals(frame)
    shown = pd.DataFrame(found.signals("v3.1", "EUR/USD"))
    pd.testing.assert_frame_equal(shown, of_detector)


def test_its_trades_follow_its_signals(found: Replay, frame: pd.DataFrame) -> None:
    trades = found.trades("v3.1", "EUR/USD")
    signal = found.signals("v3.1", "EUR/USD")["signal"]
    assert {*signal[trades["row"]]} <= {"long", "short"}
    assert (trades["entry"] == frame.open.to_numpy()[trades["row"] + 1]).all()
    assert len(trades["row"]) == found.report["answers"]["v3.1"]["trades"] == len(trades["atr"])


@pytest.mark.parametrize(
    ("begin", "end", "first", "last"),
    [
        ("2017-12", None, "2017-12-01T00:00:00Z", "2017-12-29T21:00:00Z"),
        (date(2017, 12, 4), "2017-12-04", "2017-12-04T00:00:00Z", "2017-12-04T23:00:00Z"),
        (datetime(2017, 12, 5, tzinfo=UTC), "2017-12", "2017-12-05T00:00:00Z", "2017-12-29T21:00:00Z"),
        (None, "2017", None, "2017-12-29T21:00:00Z"),
    ],
)
def test_days_months_and_years(begin: Any, end: Any, first: str | None, last: str, frame: pd.DataFrame) -> None:  # noqa: ANN401
    report = reversal.replay({"EUR/USD": frame}, ["v3.1"], models=ONNX, begin=begin, end=end, draws=2).report
    assert report["to"] == last
    assert first is None or report["from"] == first
    # The candles before the first one are its look-back.
    assert first is None or report["answers"]["v3.1"]["candles"] == report["candles"]


def test_the_rule_of_one_version_judges_it(frame: pd.DataFrame) -> None:
    report = reversal.replay({"EUR/USD": frame}, ["v3.1"], models=ONNX, draws=2).report
    assert report["label_rule_from"] == "versions"
    assert report["label_rule"]["min_profit_pips"] == 6.18063
    asked = reversal.replay(
        {"EUR/USD": frame}, ["v3.1"], models=ONNX, draws=2, rule={"rule": "profitable_trades", "horizon": 5}
    )
    assert asked.report["label_rule"]["rule"] == "profitable_trades"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"versions": "v3.1"}, "list of versions"),
        ({"versions": []}, "list of versions"),
        ({"versions": ["v3.1", "v3.1"]}, "twice"),
        ({"candles": {}}, "no table"),
        ({"candles": {"EURUSD": "frame"}}, "two currencies"),
        ({"begin": "2017-13"}, "begin"),
        ({"end": "last year"}, "end"),
        ({"begin": "2019"}, "no candle is within the chosen days"),
        ({"spread": -1.0}, "spread"),
        ({"slippage": "1"}, "slippage"),
        ({"draws": 1}, "draws"),
        ({"exit": "stop"}, "exit"),
        ({"metric": "sharpe"}, "metric"),
        ({"minimum_effect": 0.0}, "minimum_effect"),
        ({"rule": {"min_profit_atr": 3.0}}, "max_loss_atr"),
        ({"rule": {"profit": 3.0}}, "profit"),
        ({"timeframe": "2h"}, "timeframe"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changes: dict[str, Any], message: str, frame: pd.DataFrame) -> None:
    asked: dict[str, Any] = {"candles": {"EUR/USD": frame[:200]}, "versions": ["v3.1"], "models": ONNX} | changes
    with pytest.raises(InvalidInput, match=message):
        reversal.replay(asked.pop("candles"), asked.pop("versions"), **asked)


def test_candles_without_times_and_unknown_versions_are_refused(frame: pd.DataFrame, tmp_path: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidInput, match=r"^no candle$"):
        reversal.replay({"EUR/USD": frame[:0]}, ["v3.1"], models=ONNX)
    with pytest.raises(InvalidInput, match="times"):
        reversal.replay({"EUR/USD": frame.drop(columns="timestamp")}, ["v3.1"], models=ONNX)
    broken = frame.head(90).assign(high=np.where(np.arange(90) == 3, -1.0, frame.high.head(90)))
    with pytest.raises(InvalidInput, match="EUR/USD: row 3"):
        reversal.replay({"EUR/USD": broken}, ["v3.1"], models=ONNX)
    with pytest.raises(UnknownVersion):
        reversal.replay({"EUR/USD": frame}, ["v9"], models=ONNX)
    bundles.write(tmp_path, "v5", features=("my secret",), stage2_features=None, inputs="features")
    with pytest.raises(InvalidInput, match="v5"):
        reversal.replay({"EUR/USD": frame}, ["v5"], models=tmp_path)
