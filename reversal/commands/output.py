"""What commands print: tables for people, JSON for programs, one line for an error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
import orjson

from core.errors import BundleRefused, ServiceError

P = ParamSpec("P")
R = TypeVar("R")

SIGNAL_COLOURS = {"long": "green", "short": "red", "hold": None}

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
models = click.option(
    "--models",
    type=click.Path(exists=True, file_okay=False),
    envvar="REVERSAL_MODELS",
    help="Folder of bundles. Default: models/onnx here, else those that come with reversal.",
)


def refusals(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors of the service into one line and exit code 1."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (ServiceError, BundleRefused) as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{place}{error.strerror or error}") from None

    return wrapped


def print_json(value: object) -> None:
    """Print a value as JSON, with a line break."""
    data = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print columns that are as wide as their cells; numbers are on the right."""
    cells = [[_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    right = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(headings))]
    click.secho(_line(headings, widths, right), bold=True)
    for row in cells:
        line = _line(row, widths, right)
        colour = next((SIGNAL_COLOURS[cell] for cell in row if cell in SIGNAL_COLOURS), None)
        click.secho(line, fg=colour)


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if on_right else cell.ljust(width)
        for cell, width, on_right in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(padded).rstrip()
