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
_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells count


def main(arguments: Sequence[str] | None = None, program: str = "python -m lab") -> int:
    """Run one command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog=program, description=ABOUT, epilog=f"Example: {program} search --minutes 30")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _search_arguments(commands.add_parser("search", help="try candidates of each kind; goes on where it ended"))
    _compare_arguments(commands.add_parser("compare", help="the best of each kind on all pairs, with intervals"))
    _walk_arguments(commands.add_parser("walk-forward", help="a candidate trained and scored year after year"))
    _report_arguments(commands.add_parser("report", help="fill the pages of the lab, and draw their pictures"))
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (history.DataError, OSError) as error:
        parser.error(str(error))
    return 0


def _results_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the figures (default: %(default)s)")


def _search_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=30.0, help="the budget (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=STUDY, help="where the study is (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of sampler and models (default: %(default)s)")
    parser.add_argument("--most", type=int, help="trials of each kind at most (default: as the minutes allow)")
    _results_argument(parser)
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


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=STUDY, help="where answers are kept (default: %(default)s)")
    _results_argument(parser)
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> None:
    from lab.search import compare, results  # noqa: PLC0415 - as above
    from lab.search.trial import Arena  # noqa: PLC0415

    found = results.read(options.results / "search.json")
    histories = history.read_all()
    arena = Arena(histories, [each.pair for each in histories], every=compare.EVERY)
    compared = compare.compare(arena, found["trials"], options.folder / "answers", _say)
    results.write(
        {"made_with": results.made_with(found["made_with"]["seed"])} | compared, options.results / "compare.json"
    )


def _walk_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detector", default="tcn, bar", help="of compare.json (default: %(default)s)")
    parser.add_argument("--label", default="trades_3_atr", help="a label of lab/labels.py (default: %(default)s)")
    parser.add_argument("--years", type=_years, default=(2015, 2018), help="first-last (default: 2015-2018)")
    _results_argument(parser)
    parser.set_defaults(run=_walk)


def _years(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _walk(options: argparse.Namespace) -> None:
    from lab import walk_forward  # noqa: PLC0415 - as above
    from lab.search import results  # noqa: PLC0415

    detectors = {each["name"]: each for each in results.read(options.results / "compare.json")["detectors"]}
    if options.detector not in detectors:
        raise OSError(f"{options.detector!r} is not in compare.json; it has {', '.join(detectors)}")
    candidate = walk_forward.joined(detectors[options.detector]["candidates"])
    years = range(options.years[0], options.years[1] + 1)
    scored = walk_forward.run(history.read_all(), candidate, options.label, years, lambda year: _say(str(year["auc"])))
    found = {"made_with": results.made_with(1), "label": options.label, "detector": options.detector}
    results.write(found | {"candidate": candidate.values(), "years": scored}, options.results / "walk_forward.json")


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the pages (default: %(default)s)")
    _results_argument(parser)
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    from lab.report import pages  # noqa: PLC0415 - Matplotlib takes a second

    for line in pages.write(options.results, options.docs):
        _say(line)


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - progress of a command


if __name__ == "__main__":
    sys.exit(main())
