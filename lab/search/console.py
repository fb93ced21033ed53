"""What is shown while the search runs: the trial, the best so far, the time left, and a line for each trial."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from lab.search.studies import Ended


class Shown:
    """Lines on standard error, under them a bar of the minutes if that is a terminal."""

    def __init__(self, console: Console, minutes: float) -> None:
        columns = (BarColumn(20), TextColumn("{task.description}", markup=False))
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self.console, self.seconds, self.began = console, 60.0 * minutes, time.monotonic()
        self.best: tuple[float, str] | None = None
        self.task: TaskID = self.progress.add_task("", total=self.seconds)

    def start(self, what: str, about: str) -> None:
        """A trial begins."""
        used = time.monotonic() - self.began
        best = "" if self.best is None else f", best {self.best[0]:.4f} ({self.best[1]})"
        left = max(self.seconds - used, 0.0) / 60.0
        self.progress.update(self.task, completed=used, description=f"{left:.0f} min left{best}, now {what}: {about}")

    def end(self, ended: Ended) -> None:
        """A trial has ended."""
        if ended.best is not None and (self.best is None or ended.best > self.best[0]):
            self.best = (ended.best, ended.what.split()[0])
        value = "pruned" if ended.value is None else f"{ended.value:.4f}"
        minutes = (time.monotonic() - self.began) / 60.0
        line = f"{minutes:5.1f} min  {ended.what:14} {value:>7}  {ended.seconds:5.0f} s  {ended.about}"
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def shown(minutes: float) -> Iterator[Shown]:
    """Show until the block ends."""
    found = Shown(Console(stderr=True), minutes)
    with found.progress:
        yield found
