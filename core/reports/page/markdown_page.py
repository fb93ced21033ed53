"""The page as Markdown (CommonMark with GitHub's tables), for tickets and chats."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from core.reports.page.quantity import NOT_VALID, Report
from core.reports.page.view import Figure, Grid, page

# Characters that begin markup, a link, a table cell, a formula or a mention. Those of HTML become entities.
_SPECIAL = re.compile(r"[\\`*_{}\[\]#|~$@!]")
# Addresses that become links by themselves.
_ADDRESS = re.compile(r"(www)\.|(\w):(?=//)", re.IGNORECASE)
# What makes a list or a heading, but only at the beginning of a line.
_BEGINNING = re.compile(r"^(?:[-+=](?=[-=\s]|$)|\d+(?=[.)](?:\s|$)))")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029\ud800-\udfff]+")


def markdown(report: Report, at: str) -> str:
    """The document of a report, as its JSON has it. at: the time of the report, ISO 8601."""
    shown = page(report, at)
    parts = [
        f"# {escaped(shown.question)}",
        escaped(shown.name),
        escaped(" · ".join(shown.setting)),
        *([escaped(shown.description)] if shown.description else []),
        f"## {escaped(shown.word)}",
        escaped(shown.sentence),
        table(("metric", "estimate", "interval", "candle times"), map(figure_row, shown.figures)),
        *section("What limits it", listed(shown.limits)),
        *section("What to do next", listed(shown.steps)),
    ]
    if shown.course is not None:
        parts += section(shown.course.title, escaped(shown.course.summary), grid_table(shown.course.table))
    for grid in (shown.variants, shown.breakdown):
        if grid is not None:
            parts += section(grid.title, escaped(grid.remark), grid_table(grid))
    parts += section("Details", listed(f"{term}: {text}" for term, text in shown.facts))
    if shown.notes:
        parts += section("Notes", listed(f"{time}: {text}" if time else text for time, text in shown.notes))
    return "\n\n".join([*parts, f"Report of {escaped(shown.at)}."]) + "\n"


def escaped(text: str) -> str:
    """The text on one line, in which nothing is markup."""
    line = _CONTROL.sub(" ", text).strip()
    line = escape(_SPECIAL.sub(r"\\\g<0>", line), quote=False)
    line = _ADDRESS.sub(lambda found: f"{found[1]}\\." if found[1] else f"{found[2]}\\:", line)
    return _BEGINNING.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", line)


def section(title: str, *parts: str) -> list[str]:
    """The lines of a part with a heading; empty parts are left out."""
    return [f"## {escaped(title)}", *(part for part in parts if part)]


def listed(sentences: Iterable[str]) -> str:
    """Sentences as a list."""
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)


def figure_row(figure: Figure) -> tuple[str, ...]:
    """A number that matters, as a row."""
    found = figure.number
    interval = found.interval or "none yet"
    return figure.label, found.value, interval if found.valid else f"{interval}, {NOT_VALID}", f"{found.candles:,}"


def grid_table(grid: Grid) -> str:
    """A table of the page."""
    return table(grid.columns, grid.rows)


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table."""
    head = list(columns)
    lines = [head, ["---"] * len(head)]
    written = [_row(map(escaped, head)), _row(lines[1]), *(_row(map(escaped, row)) for row in rows)]
    return "\n".join(written)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
