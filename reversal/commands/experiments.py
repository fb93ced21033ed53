"""`reversal experiments`: those of a running server, and the variant of a user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import orjson

from core.features.timeframes import PERIODS
from reversal.assigning import assign as variant_of
from reversal.commands.output import as_json, print_json, print_table
from reversal.commands.service import Service

_url = click.option(
    "--url",
    envvar="REVERSAL_URL",
    default="http://localhost:8000",
    show_default=True,
    help="Address of the server (REVERSAL_URL).",
)
_token = click.option("--token", envvar="REVERSAL_TOKEN", help="Its token, if it has tokens (REVERSAL_TOKEN).")


def _of_server(command: Callable[..., None]) -> Callable[..., None]:
    return _url(_token(command))


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: reversal experiments assign user123 v30_vs_v31",
)
def experiments() -> None:
    """Experiments of a running server, and the variant of a user."""


@experiments.command("list", epilog="Example: reversal experiments list --url http://localhost:8000")
@_of_server
@as_json
def list_experiments(*, url: str, token: str | None, as_json: bool) -> None:
    """All experiments, oldest first."""
    found = Service(url, token).get("/reversal/experiments")["experiments"]
    if as_json:
        print_json(found)
        return
    names = ("experiment_id", "status", "mode", "variant_a", "variant_b", "traffic_split", "created_at")
    print_table([name.replace("_", " ") for name in names], [[each.get(name) for name in names] for each in found])


@experiments.command(
    short_help="The verdict of an experiment.", epilog="Example: reversal experiments report v30_vs_v31"
)
@click.argument("experiment_id")
@_of_server
@as_json
def report(*, experiment_id: str, url: str, token: str | None, as_json: bool) -> None:
    """The verdict of an experiment and its numbers, as the page for people in Markdown."""
    service = Service(url, token)
    if as_json:
        print_json(service.get("/reversal/experiments/{}/report", experiment_id))
    else:
        click.echo(service.text("/reversal/experiments/{}/report?format=md", experiment_id).rstrip())


@experiments.command(
    epilog="Example: reversal experiments plan --baseline 0.5 --effect 0.06 --predictions-per-day 500 --users 200"
)
@click.option("--baseline", type=float, required=True, help="Win rate of A, 0 to 1; with --metric mean_pnl pips.")
@click.option("--effect", type=float, required=True, help="Difference that must be found.")
@click.option("--predictions-per-day", type=float, required=True, help="Answers of the service a day.")
@click.option("--users", type=int, help="Users a day; in split mode they are what is divided.")
@click.option(
    "--mode",
    type=click.Choice(["split", "crossover", "shadow"]),
    default="split",
    show_default=True,
    help="How users are divided.",
)
@click.option(
    "--metric",
    type=click.Choice(["win_rate", "mean_pnl"]),
    default="win_rate",
    show_default=True,
    help="What is compared.",
)
@click.option("--sd-pips", type=float, help="Standard deviation of a trade; needed for mean_pnl.")
@click.option(
    "--timeframe", type=click.Choice(list(PERIODS)), default="1h", show_default=True, help="Period of a candle."
)
@click.option("--pairs", type=int, help="Currency pairs that are asked for.")
@click.option("--days", type=float, help="Also show the chance to find the effect within so many days.")
@_of_server
@as_json
def plan(*, url: str, token: str | None, as_json: bool, **asked: Any) -> None:  # noqa: ANN401 - one by option
    """How long an experiment takes, before it is created."""
    found = Service(url, token).post("/reversal/experiments/plan", {k: v for k, v in asked.items() if v is not None})
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        click.echo(f"{name.replace('_', ' ')}: {text}")


@experiments.command(epilog="Example: reversal experiments assign user123 v30_vs_v31")
@click.argument("user")
@click.argument("experiment_id")
@click.option("--split", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Share of A.")
@as_json
def assign(*, user: str, experiment_id: str, split: float, as_json: bool) -> None:
    """The variant of USER in EXPERIMENT_ID, without a server."""
    variant = variant_of(user, experiment_id, split)
    if as_json:
        print_json({"user": user, "experiment_id": experiment_id, "traffic_split": split, "variant": variant})
    else:
        click.echo(variant)
