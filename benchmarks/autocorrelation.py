"""How many neighbouring candles count as one? The signals and earnings of the reference detectors on the hours of 2017.

The result is the variance of a mean over consecutive candles ÷ the variance for independent candles. The estimator is
that of Newey and West over sqrt(n) and over twice as many neighbours. Because the result is above 1, the statistics do
not treat candles as independent.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from benchmarks.machine import BUILD, ROOT, save
from core.bundles.repository import Repository
from core.experiments.label_rule import DAILY
from core.features.candles import Candles
from core.features.labels import LONG, PIP, SHORT, UNKNOWN, in_pips
from core.inference.detector import Detector, Prediction
from core.inference.inputs import CandleWindows
from core.statistics.ratios import Sample, ratio
from core.statistics.times import newey_west
from lab.history import read

HISTORY = ROOT / "training" / "data" / "eurusd_1h_2017.csv"
CANDLES = 120  # in a request
BATCH = 64
DIRECTION = {"hold": 0, "long": LONG, "short": SHORT}


def signals(detector: Detector, rows: np.ndarray) -> np.ndarray:
    """Return the signal at every candle that ends a window of CANDLES, encoded like labels."""
    found: list[int] = []
    ends = range(CANDLES, len(rows) + 1)
    for first in range(0, len(ends), BATCH):
        sources = [CandleWindows(Candles.from_rows(rows[end - CANDLES : end])) for end in ends[first : first + BATCH]]
        for outcome in detector.predict(sources):
            if not isinstance(outcome, Prediction):
                raise SystemExit(str(outcome))
            found.append(DIRECTION[outcome.decision.signal])
    return np.array(found)


def autocorrelation(sample: Sample) -> dict[str, float]:
    """Return how many candles count as one, for both numbers of neighbours."""
    influence = ratio(sample).influence
    width = math.ceil(math.sqrt(len(influence)))
    independent = float(np.square(influence).sum())
    at = np.arange(len(influence), dtype=np.float64)
    return {
        f"over {w} neighbours": round(float(newey_west(influence, at, w)) / independent, 1) for w in (width, 2 * width)
    }


def main() -> None:
    """Print the autocorrelation of hold, win rate and P&L for each version."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=BUILD / "autocorrelation.json")
    options = parser.parse_args()
    history = read(HISTORY)
    rule = DAILY
    label = rule.labels(history.candles, PIP)[CANDLES - 1 :]
    close = history.candles.close
    move = np.zeros(len(close))
    move[: -rule.horizon] = in_pips(close[rule.horizon :] - close[: -rule.horizon])
    repository = Repository(ROOT / "models" / "onnx")
    result = {}
    for version in repository.listing().versions:
        said = signals(Detector(repository.read(version)), history.rows)
        traded = ((said != 0) & (label != UNKNOWN)).astype(np.float64)
        earned = np.where(said == LONG, 1.0, -1.0) * move[CANDLES - 1 :]
        result[version] = {
            "hold": autocorrelation(Sample((said == 0).astype(np.float64), np.ones(len(said)))),
            "win rate": autocorrelation(Sample(traded * (said == label), traded)),
            "P&L": autocorrelation(Sample(traded * earned, traded)),
        }
    save(result, options.output)


if __name__ == "__main__":
    main()
