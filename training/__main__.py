"""`python -m training`: train the committed detectors and write them where convert looks for them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from lab import history, splits
from training import files, fit, trainer
from training.scale_free import files as scale_free_files
from training.scale_free import recipe

HISTORY = Path(__file__).with_name("data") / "eurusd_1h_2017.csv"
_ON_ONE_PAIR = ("v3.0", "v3.1")
ABOUT = "Train the committed detectors and write them where convert looks for them."


def main(arguments: Sequence[str] | None = None, program: str = "python -m training") -> int:
    """Train on one history. A bad history ends with one line that says what is wrong. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=program, description=ABOUT, epilog=f"Example: {program} --output models/keras"
    )
    parser.add_argument(
        "--version", choices=(*_ON_ONE_PAIR, recipe.VERSION), help="default: all; v3.0 and v3.1 share a stage"
    )
    parser.add_argument("--data", type=Path, default=HISTORY, help="CSV of v3.1 (default: EUR/USD hours of 2017)")
    parser.add_argument("--output", type=Path, default=Path("models/keras"), help="folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    fit.make_reproducible()
    try:
        if options.version != recipe.VERSION:
            trained = trainer.train(history.read(options.data))
            files.write(trained, options.output)
            Console().print(_table(trained))
        if options.version not in _ON_ONE_PAIR:
            _train_scale_free(options.output)
    except (history.DataError, OSError) as error:
        parser.error(str(error))
    files.write_versions(options.output)
    Console().print(f"written to {options.output}")
    return 0


def _train_scale_free(output: Path) -> None:
    given = recipe.material()
    metrics = scale_free_files.write(recipe.train(given), recipe.train(given, splits.LEFT_OUT), given, output)
    found = metrics[str(splits.UNTOUCHED)]
    low, high = found["auc"][1:]
    Console().print(
        f"{recipe.VERSION}, {splits.UNTOUCHED}: AUC {found['auc'][0]:.3f} [{low:.3f}, {high:.3f}], worst pair"
        f" {min(found['auc_by_pair'].values()):.3f}",
        highlight=False,
    )


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
