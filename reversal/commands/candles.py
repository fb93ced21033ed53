"""Commands that answer from a file of candles, without a server."""

from __future__ import annotations

import sys
from typing import Any

import click

from core.bundles.repository import Repository
from core.bundles.windows import MOST
from core.errors import ServiceError, UnknownVersion
from core.inference.explaining import ExplainedStage
from reversal.commands import output
from reversal.commands.files import FileForm, GivenFile, form_options, read_given
from reversal.commands.output import as_json, models, print_json, print_table, versions_of
from reversal.offline import Answer, OfflineDetector, load, models_folder

file_argument = click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))


def complete_version(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The versions of the chosen folder that begin so."""
    listing = Repository(models_folder(ctx.params.get("models"))).listing()
    return [version for version in listing.versions if version.startswith(incomplete)]


@click.command(epilog="Example: reversal predict candles.csv --version v3.2")
@file_argument
@click.option(
    "--version", shell_complete=complete_version, help="Version that answers. Default: the first of the folder's order."
)
@click.option("--all", "every", is_flag=True, help="A line for each candle, as CSV, instead of the last one's answer.")
@form_options
@models
@as_json
def predict(
    *,
    file: str,
    version: str | None,
    every: bool,
    models: str | None,
    as_json: bool,
    **form: Any,  # noqa: ANN401 - the fields of FileForm
) -> None:
    """Answer hold, long or short for the last candle of FILE, without a server.

    FILE is CSV as MetaTrader, Dukascopy, HistData, TradingView, Yahoo, Binance and others write it, or JSON; `-` reads
    standard input.
    """
    given = read_given(file, FileForm(**form))
    detector = load(version or versions_of(models)[0], models)
    if every:
        _print_all(detector, given, as_json=as_json)
        return
    answer = detector.predict(given.candles, given.timeframe, given.timestamps)
    if as_json:
        print_json(_plain(answer))
        return
    _print_answer(answer)


@click.command(epilog="Example: reversal compare candles.csv --version v3.1 --version v3.2")
@file_argument
@click.option(
    "--version",
    "versions",
    multiple=True,
    shell_complete=complete_version,
    help="A version; several times. Default: all.",
)
@form_options
@models
@as_json
def compare(
    *,
    file: str,
    versions: tuple[str, ...],
    models: str | None,
    as_json: bool,
    **form: Any,  # noqa: ANN401 - the fields of FileForm
) -> None:
    """Answers of several versions for the last candle of FILE."""
    given = read_given(file, FileForm(**form))
    found: dict[str, Answer | ServiceError] = {}
    for version in versions or versions_of(models):
        try:
            found[version] = load(version, models).predict(given.candles, given.timeframe, given.timestamps)
        except UnknownVersion:
            raise
        except ServiceError as error:
            found[version] = error
    signals = {answer.signal if isinstance(answer, Answer) else None for answer in found.values()}
    consensus = signals.pop() if len(signals) == 1 else None
    if as_json:
        shown = {
            v: {"error": str(a), "code": a.code} if isinstance(a, ServiceError) else _plain(a) for v, a in found.items()
        }
        print_json({"predictions": shown, "consensus": consensus})
    else:
        print_table(
            ("version", "signal", "confidence", "stage 1", "stage 2", "error"),
            [
                (version, "-", None, None, None, str(answer))
                if isinstance(answer, ServiceError)
                else (version, answer.signal, answer.confidence, answer.stage1_prob, answer.stage2_prob, "")
                for version, answer in found.items()
            ],
        )
        click.echo(f"all say {consensus}" if consensus else "no common signal")
    if all(isinstance(answer, ServiceError) for answer in found.values()):
        raise SystemExit(1)


@click.command(epilog="Example: reversal explain candles.csv --version v3.2")
@file_argument
@click.option(
    "--version",
    shell_complete=complete_version,
    help="Version that answers. Default: the first of the folder's order.",
)
@click.option(
    "--background",
    type=click.IntRange(1, MOST),
    default=1,
    show_default=True,
    help="Windows that the answer is compared with: 1 is the version's reference window, more are its stored ones.",
)
@form_options
@models
@as_json
def explain(
    *,
    file: str,
    version: str | None,
    background: int,
    models: str | None,
    as_json: bool,
    **form: Any,  # noqa: ANN401 - the fields of FileForm
) -> None:
    """How much each feature moved the answer for the last candle of FILE (docs/explain.md)."""
    given = read_given(file, FileForm(**form))
    detector = load(version or versions_of(models)[0], models)
    answer = detector.predict(given.candles, given.timeframe, given.timestamps)
    found = detector.explain(given.candles, given.timeframe, given.timestamps, background)
    if as_json:
        print_json(_plain(answer) | {"explanation": found.plain()})
        return
    _print_answer(answer)
    for label, stage in (("stage 1", found.stage1), ("stage 2", found.stage2)):
        if stage is not None:
            _print_stage(label, stage)


def _print_stage(label: str, stage: ExplainedStage) -> None:
    unused = "" if stage.used else ", not used for this signal"
    click.echo(
        f"{label}: P({stage.probability_of}) {stage.value:.4f}, for the reference {stage.base_value:.4f}{unused}"
    )
    ranked = sorted(stage.features.items(), key=lambda each: -abs(each[1]))
    errors = stage.standard_errors
    print_table(
        ("feature", "moved it by", *(("standard error",) if errors else ())),
        [(name, moved, *((errors[name],) if errors else ())) for name, moved in ranked],
    )


def _plain(answer: Answer) -> dict[str, Any]:
    return answer._asdict() | {"warnings": [warning._asdict() for warning in answer.warnings]}


def _print_answer(answer: Answer) -> None:
    stage2 = "" if answer.stage2_prob is None else f", stage 2 {answer.stage2_prob:.4f}"
    click.secho(answer.signal, fg=output.SIGNAL_COLOURS[answer.signal], bold=True, nl=False)
    click.echo(
        f"  confidence {answer.confidence:.4f} (stage 1 {answer.stage1_prob:.4f}{stage2}), {answer.model_version}"
        + (f", candle of {answer.candle_time}" if answer.candle_time else "")
    )
    for warning in answer.warnings:
        click.secho(f"{warning.code}: {warning.message}", fg="yellow", err=True)


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _print_all(detector: OfflineDetector, given: GivenFile, *, as_json: bool) -> None:
    with click.progressbar(length=100, label="signals", file=sys.stderr, hidden=not _on_terminal()) as bar:

        def progress(done: int, total: int) -> None:
            bar.update(100 * done // total - bar.pos)

        columns = detector.signals(given.candles, given.timeframe, given.timestamps, progress)
    names = list(columns)
    rows = zip(*(columns[name].tolist() for name in names), strict=True)
    if as_json:
        print_json([{k: None if v != v else v for k, v in zip(names, row, strict=True)} for row in rows])  # noqa: PLR0124
        return
    click.echo(",".join(("row", *names)))
    for i, row in enumerate(rows):
        click.echo(",".join((str(i), *("" if v is None or v != v else str(v) for v in row))))  # noqa: PLR0124
