"""What commands print: tables for people, JSON for programs, one line for an error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from core.bundles.repository import Repository
from core.errors import InvalidInput
from reversal.offline import models_folder

SIGNAL_COLOURS = {"long": "green", "short": "red", "hold": None}

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def _folder(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    if given is None or given == "auto":  # as REVERSAL_MODELS has it
        return None
    if not Path(given).is_dir():
        raise click.BadParameter(f"there is no folder {given!r}")
    return given


models = click.option(
    "--models",
    callback=_folder,
    is_eager=True,  # versions are completed from it
    envvar="REVERSAL_MODELS",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Folder of bundles. Default: models/onnx here, else those that come with reversal.",
)


def versions_of(models: str | None) -> tuple[str, ...]:
    """The versions of a folder, in its order. Raises InvalidInput if there are none."""
    folder = models_folder(models)
    listing = Repository(folder).listing()
    if not listing.versions:
        raise InvalidInput(f"no version in {folder}; name another folder with --models")
    return listing.versions


def print_json(value: object) -> None:
    """Print a value as JSON, with a line break."""
    data = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)
    click.echo(data, nl=False)


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
