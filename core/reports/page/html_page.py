"""The page as one HTML document without scripts and outside resources. It is well-formed XML too."""

from __future__ import annotations

from collections.abc import Iterable

from core.reports.page.chart import chart
from core.reports.page.markup import Markup, element
from core.reports.page.quantity import NOT_VALID, Report
from core.reports.page.style import STYLE
from core.reports.page.view import Course, Figure, Grid, Page, page

# What a browser may do with the page: show it with its own styles, and nothing else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def html(report: Report, at: str) -> str:
    """The document of a report, as its JSON has it. at: the time of the report, ISO 8601."""
    shown = page(report, at)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("title", f"{shown.word}: {shown.question} {shown.name}"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        # The style has no character that HTML or XML would read differently, so it is not escaped.
        element("style", Markup(STYLE)),
    )
    body = element("body", _main(shown))
    return f"<!DOCTYPE html>\n{element('html', head, body, xmlns='http://www.w3.org/1999/xhtml', lang='en')}\n"


def _main(shown: Page) -> Markup:
    return element(
        "main",
        element(
            "header",
            element("p", shown.name, class_="name", dir="auto"),
            element("h1", shown.question),
            element("p", " · ".join(shown.setting), class_="setting", dir="auto"),
            *([element("p", shown.description, class_="description", dir="auto")] if shown.description else []),
        ),
        element(
            "section",
            element("h2", shown.word, id="verdict"),
            element("p", shown.sentence),
            class_=f"verdict {shown.kind}",
            aria_labelledby="verdict",
        ),
        element("dl", *map(_figure, shown.figures), class_="figures"),
        _section("What limits it", _list(shown.limits)),
        _section("What to do next", _list(shown.steps)),
        *([] if shown.course is None else [_course(shown.course)]),
        _grid(shown.variants),
        *([] if shown.breakdown is None else [_grid(shown.breakdown)]),
        _section("Details", _terms(shown.facts)),
        *([_section("Notes", _terms(shown.notes))] if shown.notes else []),
        element(
            "footer",
            element(
                "p",
                f"Report of {shown.at}. Look as often as you like: of 100 experiments with equally good versions, at"
                " most 5 are ever called different.",
            ),
        ),
    )


def _figure(figure: Figure) -> Markup:
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


def _section(title: str, *children: str) -> Markup:
    return element("section", element("h2", title), *children)


def _list(sentences: Iterable[str]) -> Markup:
    return element("ul", *(element("li", sentence) for sentence in sentences))


def _terms(pairs: Iterable[tuple[str, str]]) -> Markup:
    found = (element("div", element("dt", term), element("dd", text, dir="auto")) for term, text in pairs)
    return element("dl", *found, class_="terms")


def _course(course: Course) -> Markup:
    legend = (
        f"In {course.unit}. Band: the interval, lighter where it is {NOT_VALID}, and cut off where it is wide."
        " Dashed: the smallest difference of interest."
    )
    return _section(course.title, element("figure", chart(course), element("figcaption", f"{course.summary} {legend}")))


def _grid(grid: Grid) -> Markup:
    head = element("tr", *(element("th", title, scope="col") for title in grid.columns))
    rows = (
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:]))
        for row in grid.rows
    )
    table = element("table", element("thead", head), element("tbody", *rows), aria_label=grid.title)
    return _section(
        grid.title,
        element("p", grid.remark),
        # It can be scrolled by the keyboard where it is wider than the screen.
        element("div", table, class_="wide", tabindex="0", role="region", aria_label=grid.title),
    )
