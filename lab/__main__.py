"""`python -m lab`: search detectors, compare the best of each kind, score one year after year, and write the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import history

ABOUT = "Search detectors on ten years of nine pairs."
RESULTS = Path("lab/results")
STUDY = Path("build/search")


def main(arguments: Sequence[str] | None = None, program: str = "python -m lab") -> int:
    """Run one command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog=program, description=ABOUT, epilog=f"Example: {program} search --minutes 30")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _search_arguments(commands.add_parser("search", help="try candidates of each kind; goes on where it ended"))
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (history.DataError, OSError) as error:
        parser.error(str(error))
    return 0


def _search_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=30.0, help="the budget (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=STUDY, help="where the study is (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where search.json goes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of sampler and models (default: %(default)s)")
    parser.add_argument("--most", type=int, help="trials of each kind at most (default: as the minutes allow)")
    parser.set_defaults(run=_search)


def _search(options: argparse.Namespace) -> None:
    from lab.search import console, results, studies  # noqa: PLC0415 - TensorFlow takes seconds
    from lab.search.trial import Arena  # noqa: PLC0415

    search = studies.Search(options.folder, Arena(history.read_all()), seed=options.seed)
    with console.shown(options.minutes) as shown:
        try:
            search.run(options.minutes, shown.start, shown.end, options.most)
        finally:
            results.write_search(options.folder, options.results, options.seed)


if __name__ == "__main__":
    sys.exit(main())
