"""`reversal replay`: past candles through several versions, and whether one is better."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

# NumPy's library for matrices reads this during its import. Its threads would take the CPUs from the networks, which
# run in threads of their own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import click
import numpy as np

from core.errors import InvalidInput
from core.experiments.experiment import Metric
from core.experiments.label_rule import ATR, PIPS, RuleName
from core.replay.choices import Choices
from core.replay.trades import Costs, Exit
from core.replay.view import by, limits, named, question, results, titled, verdict
from core.reports.page.view import Grid, kind_of
from reversal.commands.files import FileForm, GivenFile, form_options, read_given
from reversal.commands.output import as_json, models, print_json, print_table, versions_of
from reversal.frames import FIELDS, Table, columns_of
from reversal.replaying import Replay
from reversal.replaying import replay as replay_tables

_COLOURS = {"better": "green", "waiting": "yellow"}
_RULE = ("rule", "horizon", *ATR, *PIPS, "min_ratio")


def _rule_options(command: Callable[..., None]) -> Callable[..., None]:
    """The parameters of the label rule, as `evaluate` has them."""
    for name in _RULE[:0:-1]:
        kind = click.IntRange(1, 500) if name == "horizon" else click.FloatRange(0, 1e6)
        command = click.option(f"--{name.replace('_', '-')}", type=kind, help=_MEANINGS[name])(command)
    return click.option("--rule", type=click.Choice(get_args(RuleName)), help=_MEANINGS["rule"])(command)


_MEANINGS = {
    "rule": "What counts as a win. Default: the rule of the versions, else profitable_trades in ATR.",
    "horizon": "Candles that a trade may take.",
    "min_profit_atr": "Least profit of a win in ATR.",
    "max_loss_atr": "Largest loss on the way in ATR.",
    "min_profit_pips": "Least profit of a win in pips.",
    "max_loss_pips": "Largest loss on the way in pips.",
    "min_ratio": "Least ratio of profit to loss on the way.",
}


@click.command(epilog="Example: reversal replay candles.csv --pair EUR/USD --versions v3.0,v3.1 --report replay.html")
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--versions", help="Versions, separated by commas. The first is compared with each other. Default: all.")
@click.option("--pair", "pairs", multiple=True, help="Pair of a file, in their order. Default: as file or column say.")
@click.option("--from", "begin", metavar="DAY", help="First day, month or year that is replayed, such as 2018.")
@click.option("--to", "end", metavar="DAY", help="Last day, month or year that is replayed.")
@click.option(
    "--metric", type=click.Choice(get_args(Metric)), default="win_rate", show_default=True, help="What decides."
)
@click.option("--minimum-effect", type=float, help="Smallest difference of interest. Default: that of experiments.")
@_rule_options
@click.option(
    "--exit",
    "way_out",
    type=click.Choice(get_args(Exit)),
    default="horizon",
    show_default=True,
    help="How a trade ends: at the rule's horizon, or before it at the rule's profit or loss.",
)
@click.option(
    "--spread", type=click.FloatRange(0), default=Costs().spread, show_default=True, help="Pips that a trade costs."
)
@click.option(
    "--slippage", type=click.FloatRange(0), default=Costs().slippage, show_default=True, help="Further pips of a trade."
)
@click.option(
    "--draws", type=click.IntRange(2), default=Choices().draws, show_default=True, help="Draws of weeks for intervals."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of these draws.")
@click.option("--report", type=click.Path(dir_okay=False), help="Write a page: FILE.html with pictures, or FILE.md.")
@form_options
@models
@as_json
def replay(  # noqa: PLR0913 - one by option
    *,
    files: tuple[str, ...],
    versions: str | None,
    pairs: tuple[str, ...],
    begin: str | None,
    end: str | None,
    way_out: Exit,
    report: str | None,
    models: str | None,
    as_json: bool,
    **others: Any,  # noqa: ANN401 - the label rule, the form of the files, and the rest
) -> None:
    """Is it better? Past candles of FILES through several versions.

    Every answer is what the server would have said when that candle had ended. The verdict is that of an experiment in
    shadow mode; results of trades are after costs.
    """
    writing = {".html": Replay.html, ".md": Replay.markdown}
    if report is not None and Path(report).suffix not in writing:
        raise click.BadParameter("must end with .html or .md", param_hint="--report")
    form = FileForm(**{name: others.pop(name) for name in FileForm._fields})
    rule = {name: value for name in _RULE if (value := others.pop(name)) is not None}
    given = _read(files, pairs, form)
    (timeframe,), stamps = {each.timeframe for each in given}, {each.timestamps for each in given}
    chosen = versions_of(models) if versions is None else _names(versions)
    with click.progressbar(length=100, label="answers", file=sys.stderr, hidden=not _on_terminal()) as bar:
        found = replay_tables(
            _tables(given),
            chosen,
            models=models,
            timeframe=timeframe,
            timestamps=stamps.pop(),
            begin=begin,
            end=end,
            rule=rule,
            exit=way_out,
            progress=lambda done, total: bar.update(100 * done // total - bar.pos),
            **others,
        )
    if report is not None:
        Path(report).write_text(writing[Path(report).suffix](found), encoding="utf-8")
    if as_json:
        print_json(found.report)
        return
    _print(found)
    if report is not None:
        click.echo(f"\nreport: {report}")


def _names(versions: str) -> tuple[str, ...]:
    return tuple(name for each in versions.split(",") if (name := each.strip()))


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _read(files: Sequence[str], pairs: Sequence[str], form: FileForm) -> list[GivenFile]:
    if pairs and len(pairs) != len(files):
        raise click.BadParameter(f"{len(pairs)} for {len(files)} files", param_hint="--pair")
    found = []
    for i, file in enumerate(files):
        try:
            given = read_given(file, form, pairs[i] if pairs else None)
        except InvalidInput as error:
            raise InvalidInput(f"{file}: {error}") from None
        if given.pair is None:
            raise InvalidInput(f"{file}: neither its name nor a column says of which pair it is; add --pair")
        if given.are_points:
            raise InvalidInput(
                f"{file}: all closes are whole numbers; if they are points, add --point-size tenth-pip (0.001 for pairs"
                " in yen, 0.00001 for others) or their size; if they are prices, --point-size 1"
            )
        found.append(given)
    for name in ("timeframe", "timestamps"):
        if len({getattr(each, name) for each in found}) > 1:
            raise InvalidInput(f"the files differ in {name}; replay them one by one")
    return found


def _tables(given: Sequence[GivenFile]) -> dict[str, Table]:
    """One table for each pair; files of one pair are put together."""
    found: dict[str, Table] = {}
    for each in given:
        if each.pair in found:
            before, after = columns_of(found[each.pair]), columns_of(each.candles)
            names = [name for name in ("timestamp", *FIELDS) if name in before and name in after]
            found[each.pair] = {name: _together(before[name], after[name]) for name in names}
        elif each.pair is not None:
            found[each.pair] = each.candles
    return found


def _together(*columns: Any) -> list[Any]:  # noqa: ANN401 - of any table
    return [value for column in columns for value in (column.tolist() if isinstance(column, np.ndarray) else column)]


def _print(found: Replay) -> None:
    report = found.report
    word, sentence = verdict(report)
    click.secho(f"{question(report)} {titled(word)}.", bold=True, fg=_COLOURS.get(kind_of(word)))
    click.echo(sentence)
    for other in report["comparisons"][1:]:
        click.echo(f"{other['b']} against {other['a']}: {named(other['verdict']['word'], other)}")
    for grid in (results(report), by(report, "pair"), by(report, "year")):
        _print_grid(grid)
    click.echo("")
    for text in limits(report):
        click.secho(text, fg="yellow")
    seconds = report["seconds"]
    click.echo(
        f"{report['predictions']:,} answers in {seconds['answers']:.1f} s, statistics in {seconds['statistics']:.1f} s"
    )


def _print_grid(grid: Grid) -> None:
    click.echo("")
    click.secho(f"{grid.title}. {grid.remark}")
    print_table(grid.columns, grid.rows)
