"""Output of the command: a progress bar during the work, and a table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from convert.bundle import ConvertedBundle
from convert.networks import ways
from convert.stage import STEPS, Report

_WIDTH = 80
_LARGE = 10 << 20  # bytes from which sizes are in MiB
_FIGURES = ("\nparameters", "size\nfile → ONNX", "\nnodes", "max\ndifference", "model's\npredict", "ONNX\nRuntime")


@contextmanager
def progress(stages: int) -> Iterator[Callable[[str], None]]:
    """Give a function that reports each step on standard error: as a bar on a terminal, as lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: console.print(text, highlight=False, markup=False)
        return
    columns = (BarColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=stages * len(STEPS))
        yield lambda text: bar.update(task, description=text, advance=1)


def show(bundles: Sequence[ConvertedBundle], output: Path, order: Sequence[str]) -> None:
    """Print the table, notes on each stage, and the commands that load the result, within 80 columns."""
    console = Console()
    # A pipe has no width, and a wide table is hard to read.
    console.width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH
    console.print(Text(f"published in {output}"), soft_wrap=True)
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("\nstage", overflow="fold", max_width=24)
    for heading in _FIGURES:
        table.add_column(heading, justify="right", no_wrap=True)
    for bundle in bundles:
        for stage, report in bundle.reports.items():
            table.add_row(Text(f"{bundle.manifest.version} {stage}"), *_cells(report))
    console.print(table)
    for bundle in bundles:
        for stage, report in bundle.reports.items():
            nodes = ", ".join(f"{count} {operator}" for operator, count in sorted(report.nodes.items()))
            _note(console, f"{bundle.manifest.version} {stage}: compared with {report.framework}", 0)
            for note in (_way(report), f"nodes: {nodes}", *report.notes):
                _note(console, note, 2)
    console.print("Times are medians for one window; in Keras for one batch if it is fixed.", highlight=False)
    first = f"A server that starts with {output} activates the first version that loads of {', '.join(order)}."
    console.print(first, highlight=False, markup=False, soft_wrap=True)
    console.print("On a running server, load the result, then switch to it:")
    for bundle in bundles:
        url = f"http://127.0.0.1:8000/reversal/models/{bundle.manifest.version}"
        for action in ("load", "switch"):
            console.print(f"curl -X POST {url}/{action}", highlight=False, soft_wrap=True)


def _note(console: Console, text: str, indent: int) -> None:
    """Print a line, and what does not fit into it two columns further in."""
    for each in wrap(text, console.width, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2)):
        console.print(each, highlight=False, markup=False, soft_wrap=True)


def _way(report: Report) -> str:
    """The way to the graph, the reason, and what its loops cost."""
    said = ways.said(report.way, report.reason)
    if not report.loops:
        return said
    number = "1 Loop, which runs" if report.loops == 1 else f"{report.loops} Loops, which run"
    graph, model = report.onnx_seconds * 1e3, report.framework_seconds * 1e3
    return f"{said}; {number} step by step: {graph:.3g} ms a window, {model:.3g} ms in Keras"


def _cells(report: Report) -> tuple[str, ...]:
    return (
        f"{report.parameters:,}",
        _sizes(report.model_bytes, report.graph_bytes),
        str(sum(report.nodes.values())),
        f"{report.max_difference:.1e}",
        _time(report.framework_seconds),
        _time(report.onnx_seconds),
    )


def _sizes(model: int, graph: int) -> str:
    """Both sizes in one unit that keeps them short."""
    unit, name = (1 << 20, "MiB") if model >= _LARGE else (1 << 10, "KiB")
    return f"{model / unit:,.0f} → {graph / unit:,.0f} {name}"


def _time(seconds: float) -> str:
    """A time of three or four digits."""
    if seconds < 1e-3:  # noqa: PLR2004 - a millisecond
        return f"{seconds * 1e6:,.0f} µs"
    return f"{seconds * 1e3:,.1f} ms" if seconds < 1.0 else f"{seconds:,.2f} s"
