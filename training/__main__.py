"""`python -m training`: train the reference detectors and write them where convert looks for them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from lab import history
from training import files, fit, trainer

HISTORY = Path(__file__).with_name("data") / "eurusd_1h_2017.csv"
ABOUT = "Train the reference detectors and write them where convert looks for them."


def main(arguments: Sequence[str] | None = None, program: str = "python -m training") -> int:
    """Train on one history. A bad history ends with one line that says what is wrong. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=program, description=ABOUT, epilog=f"Example: {program} --output models/keras"
    )
    parser.add_argument("--data", type=Path, default=HISTORY, help="CSV of bars (default: EUR/USD hours of 2017)")
    parser.add_argument("--output", type=Path, default=Path("models/keras"), help="folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    fit.make_reproducible()
    try:
        trained = trainer.train(history.read(options.data))
    except (history.DataError, OSError) as error:
        parser.error(str(error))
    files.write(trained, options.output)
    Console().print(_table(trained), f"written to {options.output}")
    return 0


def _table(trained: Iterable[trainer.Trained]) -> Table:
    table = Table("test part", "detected", "precision", "F1", "AUC", "accuracy", "baseline", box=SIMPLE, pad_edge=False)
    for one in trained:
        metrics = one.metadata["metrics"]
        figures = (metrics[key] for key in ("precision", "f1", "auc", "accuracy", "baseline_accuracy"))
        name = one.recipe.metadata_file.removesuffix("_metadata.json")
        table.add_row(name, metrics["detected"], *(f"{figure:.3f}" for figure in figures))
    return table


if __name__ == "__main__":
    sys.exit(main())
