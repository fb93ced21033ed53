"""The parts of pages for people: HTML without scripts and outside resources. A page is well-formed XML too."""

from __future__ import annotations

from collections.abc import Iterable

from core.reports.page.markup import Markup, element
from core.reports.page.quantity import NOT_VALID
from core.reports.page.style import STYLE
from core.reports.page.view import Figure, Grid, Kind


def document(title: str, main: Markup) -> str:
    """A whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("title", title),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        # The style has no character that HTML or XML would read differently, so it is not escaped.
        element("style", Markup(STYLE)),
    )
    whole = element("html", head, element("body", main), xmlns="http://www.w3.org/1999/xhtml", lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def verdict(word: str, sentence: str, kind: Kind) -> Markup:
    """The answer, which is read first."""
    return element(
        "section",
        element("h2", word, id="verdict"),
        element("p", sentence),
        class_=f"verdict {kind}",
        aria_labelledby="verdict",
    )


def figures(of: Iterable[Figure]) -> Markup:
    """The numbers that matter, side by side."""
    return element("dl", *map(figure_box, of), class_="figures")


def figure_box(figure: Figure) -> Markup:
    """One of the numbers that matter, with its interval."""
    found = figure.number
    interval = "no interval yet" if found.interval is None else f"interval {found.interval}"
    if not found.valid:
        interval += f", {NOT_VALID}"
    candles = f"from {found.candles:,} candle time{'' if found.candles == 1 else 's'}"
    return element(
        "div",
        element("dt", figure.label),
        element("dd", found.value, class_="value"),
        element("dd", interval),
        element("dd", candles, class_="candles"),
    )


def section(title: str, *children: str) -> Markup:
    """A part of the page with a heading."""
    return element("section", element("h2", title), *children)


def listed(sentences: Iterable[str]) -> Markup:
    """Sentences as a list."""
    return element("ul", *(element("li", sentence) for sentence in sentences))


def terms(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Terms with their texts."""
    found = (element("div", element("dt", term), element("dd", text, dir="auto")) for term, text in pairs)
    return element("dl", *found, class_="terms")


def table(grid: Grid) -> Markup:
    """A table with its heading."""
    head = element("tr", *(element("th", title, scope="col") for title in grid.columns))
    rows = (
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:]))
        for row in grid.rows
    )
    cells = element("table", element("thead", head), element("tbody", *rows), aria_label=grid.title)
    return section(
        grid.title,
        element("p", grid.remark),
        # It can be scrolled by the keyboard where it is wider than the screen.
        element("div", cells, class_="wide", tabindex="0", role="region", aria_label=grid.title),
    )
