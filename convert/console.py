"""Output of the command: a progress bar during the work, and a table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from convert.bundle import ConvertedBundle
from convert.stage import STEPS, Report


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
    """Print the table, notes on each stage, and the commands that load the result."""
    console = Console()
    if not console.is_terminal:
        console.width = 140  # a pipe has no width, and at 80 characters the table would be cut off
    table = Table(title=Text(f"published in {output}"))
    table.add_column("version")
    table.add_column("stage")
    for heading in ("parameters", "size Keras → ONNX", "nodes", "max difference", "model.predict", "ONNX Runtime"):
        table.add_column(heading, justify="right")
    for bundle in bundles:
        for stage, report in bundle.reports.items():
            table.add_row(bundle.manifest.version, stage, *_cells(report))
    console.print(table)
    for bundle in bundles:
        for stage, report in bundle.reports.items():
            nodes = ", ".join(f"{count} {operator}" for operator, count in sorted(report.nodes.items()))
            notes = "".join(f"; {note}" for note in [_way(report), *report.notes])
            line = f"{bundle.manifest.version} {stage}: compared with {report.framework}; nodes: {nodes}{notes}"
            console.print(line, highlight=False, markup=False)
    console.print("\nTimes are medians for one window; in Keras for one batch if the model fixes the batch size.")
    first = f"A server that starts with {output} activates the first version that loads of {', '.join(order)}."
    console.print(first, highlight=False, markup=False, soft_wrap=True)
    console.print("On a running server, load the result, then switch to it:")
    for bundle in bundles:
        url = f"http://127.0.0.1:8000/reversal/models/{bundle.manifest.version}"
        for action in ("load", "switch"):
            console.print(f"curl -X POST {url}/{action}", highlight=False, soft_wrap=True)


def _way(report: Report) -> str:
    """The way to the graph, the reason, and what its loops cost."""
    if report.way == "layers":
        return "built by the table of layers"
    said = f"built by tf2onnx, because {report.reason}"
    if not report.loops:
        return said
    number = "1 Loop, which runs" if report.loops == 1 else f"{report.loops} Loops, which run"
    graph, model = report.onnx_seconds * 1e3, report.framework_seconds * 1e3
    return f"{said}; {number} step by step: {graph:.3g} ms a window, {model:.3g} ms in Keras"


def _cells(report: Report) -> tuple[str, ...]:
    return (
        f"{report.parameters:,}",
        f"{report.model_bytes / 1024:,.0f} → {report.graph_bytes / 1024:,.0f} KiB",
        str(sum(report.nodes.values())),
        f"{report.max_difference:.1e}",
        f"{report.framework_seconds * 1e3:,.1f} ms",
        f"{report.onnx_seconds * 1e6:,.0f} µs",
    )
