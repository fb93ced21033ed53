"""The page about a replay, as one HTML document with its pictures, and as Markdown without them."""

from __future__ import annotations

from core.replay import pictures
from core.replay.view import ReplayPage, replay_page
from core.replay.weeks import Json
from core.reports.page import markdown_page, parts
from core.reports.page.markup import Markup, element

_FOOTER = "Made by `reversal replay`. The verdict is the experiments' own; the figures of trades decide nothing."


def html(report: Json) -> str:
    """The document of a replay's report."""
    shown = replay_page(report)
    drawn = (
        ("The account over time", pictures.equity(report), "One position at a time and pair, all pairs together."),
        ("Reliability", pictures.reliability(report), "Bars: intervals. True probabilities lie on the dashed line."),
        ("By hour of day", pictures.by_hour(report), "After costs, all signals. Bars: intervals."),
    )
    main = element(
        "main",
        element(
            "header",
            element("h1", shown.question),
            element("p", " · ".join(shown.setting), class_="setting", dir="auto"),
        ),
        parts.verdict(shown.word, shown.sentence, shown.kind),
        parts.figures(shown.figures),
        parts.section("What limits it", parts.listed(shown.limits)),
        *map(parts.table, shown.grids),
        *(_picture(*each) for each in drawn),
        *map(parts.table, shown.parts),
        parts.section("Details", parts.terms(shown.facts)),
        element("footer", element("p", _FOOTER)),
    )
    return parts.document(f"{shown.word}: {shown.question}", main)


def _picture(title: str, drawing: Markup, caption: str) -> Markup:
    return parts.section(title, element("figure", drawing, element("figcaption", caption)))


def markdown(report: Json) -> str:
    """The document as Markdown."""
    shown = replay_page(report)
    escaped = markdown_page.escaped
    found = [
        f"# {escaped(shown.question)}",
        escaped(" · ".join(shown.setting)),
        f"## {escaped(shown.word)}",
        escaped(shown.sentence),
        *_numbers(shown),
        *markdown_page.section("What limits it", markdown_page.listed(shown.limits)),
    ]
    for grid in (*shown.grids, *shown.parts):
        found += markdown_page.section(grid.title, escaped(grid.remark), markdown_page.grid_table(grid))
    facts = markdown_page.listed(f"{term}: {text}" for term, text in shown.facts)
    return "\n\n".join([*found, *markdown_page.section("Details", facts)]) + "\n"


def _numbers(shown: ReplayPage) -> list[str]:
    if not shown.figures:
        return []
    rows = map(markdown_page.figure_row, shown.figures)
    return [markdown_page.table(("metric", "estimate", "interval", "candle times"), rows)]
