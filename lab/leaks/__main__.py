"""`python -m lab.leaks [my_module:PREPARATION]`: an audit on the committed bars; exit code 1 if there is a leak."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np

from lab import history, splits, trees
from lab.labels import TRADES_3_ATR
from lab.leaks import of_lab
from lab.leaks.audit import audit, report
from lab.leaks.preparation import Preparation

# One feature of each kind: the lab's own preparation differs from others by its names only.
_NAMES = (
    *("move_10_atr", "true_range_atr", "close_position", "sma_50_distance", "bb_position", "atr_14_relative"),
    *("atr_ratio_14_100", "volatility_ratio_10_50", "efficiency_24", "stoch_k", "adx_14", "hour_sin", "week_cos"),
)
# Two months of training, a year of validation and two months of the test: the table is made some eighty times.
_BEGIN, _END = np.datetime64(f"{splits.VALIDATION - 1}-11-01"), np.datetime64(f"{splits.UNTOUCHED}-03-01")


def main(arguments: list[str]) -> int:
    """Print the report of the named preparation, or of the lab's own one."""
    sys.path.insert(0, str(Path.cwd()))
    bars = [each.part(slice(*np.searchsorted(each.timestamps, [_BEGIN, _END]))) for each in history.read_all()]
    if arguments:
        module, _, name = arguments[0].partition(":")
        preparation: Preparation = getattr(import_module(module), name)
    else:
        settings = trees.TreeSettings(window=20, trees=10)
        preparation = of_lab.preparation(_NAMES, TRADES_3_ATR, settings, left_out=splits.LEFT_OUT)
    found = audit(preparation, bars)
    print(report(found))  # noqa: T201 - the output of the command
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
