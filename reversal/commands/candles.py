"""Commands that answer from a file of candles, without a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import click

from core.bundles.repository import Repository
from core.errors import InvalidInput, ServiceError, UnknownVersion
from core.features.timeframes import PERIODS
from reversal import candle_files
from reversal.commands import output
from reversal.commands.output import as_json, models, print_json, print_table, refusals
from reversal.frames import Table
from reversal.offline import Answer, OfflineDetector, load, models_folder
from server.api.schemas.predictions import DEFAULT_TIMEFRAME, Stamp

_LARGEST_FILE = 1 << 30

file_argument = click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
timeframe_option = click.option(
    "--timeframe", type=click.Choice(list(PERIODS)), help="Period of a candle. Default: the file's, else 1h."
)
timestamps_option = click.option(
    "--timestamps",
    type=click.Choice(["open", "close"]),
    default="open",
    show_default=True,
    help="What a candle's time is: that of its opening or of its closing.",
)
timezone_option = click.option(
    "--timezone", default="UTC", show_default=True, help="Zone of times that name none, such as Europe/Athens."
)


class _Given(NamedTuple):
    candles: Table
    timeframe: str


@click.command(epilog="Example: reversal predict candles.csv --version v3.1")
@file_argument
@click.option("--version", help="Version that answers. Default: the first of the folder's order.")
@click.option("--all", "every", is_flag=True, help="A line for each candle, as CSV, instead of the last one's answer.")
@timeframe_option
@timestamps_option
@timezone_option
@models
@as_json
@refusals
def predict(  # noqa: PLR0913 - the options of a command
    *,
    file: str,
    version: str | None,
    every: bool,
    timeframe: str | None,
    timestamps: Stamp,
    timezone: str,
    models: str | None,
    as_json: bool,
) -> None:
    """Answer hold, long or short for the last candle of FILE, without a server.

    FILE is CSV as MetaTrader, Dukascopy, HistData, TradingView, Yahoo, Binance and others write it, or JSON; `-` reads
    standard input.
    """
    given = _read(file, timeframe, timezone)
    detector = load(version or _first(models), models)
    if every:
        _print_all(detector, given, timestamps, as_json=as_json)
        return
    answer = detector.predict(given.candles, given.timeframe, timestamps)
    if as_json:
        print_json(_plain(answer))
        return
    _print_answer(answer)


@click.command(epilog="Example: reversal compare candles.csv --version v3.0 --version v3.1")
@file_argument
@click.option("--version", "versions", multiple=True, help="A version; several times. Default: all of the folder.")
@timeframe_option
@timestamps_option
@timezone_option
@models
@as_json
@refusals
def compare(  # noqa: PLR0913 - the options of a command
    *,
    file: str,
    versions: tuple[str, ...],
    timeframe: str | None,
    timestamps: Stamp,
    timezone: str,
    models: str | None,
    as_json: bool,
) -> None:
    """Answers of several versions for the last candle of FILE."""
    given = _read(file, timeframe, timezone)
    found: dict[str, Answer | ServiceError] = {}
    for version in versions or Repository(models_folder(models)).listing().versions:
        try:
            found[version] = load(version, models).predict(given.candles, given.timeframe, timestamps)
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
        return
    print_table(
        ("version", "signal", "confidence", "stage 1", "stage 2", "error"),
        [
            (version, "-", None, None, None, str(answer))
            if isinstance(answer, ServiceError)
            else (version, answer.signal, answer.confidence, answer.stage1_prob, answer.stage2_prob, "")
            for version, answer in found.items()
        ],
    )
    click.echo(f"all say {consensus}" if consensus else "they do not agree")


def _read(file: str, timeframe: str | None, timezone: str) -> _Given:
    data = sys.stdin.buffer.read(_LARGEST_FILE) if file == "-" else Path(file).read_bytes()
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"{file}: not text in UTF-8 or UTF-16") from None
    found = candle_files.read(text, timezone)
    return _Given(found.candles, timeframe or found.timeframe or DEFAULT_TIMEFRAME)


def _first(models: str | None) -> str:
    versions = Repository(models_folder(models)).listing().versions
    if not versions:
        raise InvalidInput(f"no version in {models_folder(models)}; name another folder with --models")
    return versions[0]


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


def _print_all(detector: OfflineDetector, given: _Given, timestamps: Stamp, *, as_json: bool) -> None:
    with click.progressbar(length=100, label="signals", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.update(100 * done // total - bar.pos)

        columns = detector.signals(given.candles, given.timeframe, timestamps, progress)
    names = list(columns)
    rows = zip(*(columns[name].tolist() for name in names), strict=True)
    if as_json:
        print_json([{k: None if v != v else v for k, v in zip(names, row, strict=True)} for row in rows])  # noqa: PLR0124
        return
    click.echo(",".join(("row", *names)))
    for i, row in enumerate(rows):
        click.echo(",".join((str(i), *("" if v is None or v != v else str(v) for v in row))))  # noqa: PLR0124
