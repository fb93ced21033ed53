"""The page as one HTML document without scripts and outside resources. It is well-formed XML too."""

from __future__ import annotations

from core.reports.page.chart import chart
from core.reports.page.markup import Markup, element
from core.reports.page.parts import document, figures, listed, section, table, terms, verdict
from core.reports.page.quantity import NOT_VALID, Report
from core.reports.page.view import Course, Page, page

# What a browser may do with the page: show it with its own styles, and nothing else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def html(report: Report, at: str) -> str:
    """The document of a report, as its JSON has it. at: the time of the report, ISO 8601."""
    shown = page(report, at)
    return document(f"{shown.word}: {shown.question} {shown.name}", _main(shown))


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
        verdict(shown.word, shown.sentence, shown.kind),
        figures(shown.figures),
        section("What limits it", listed(shown.limits)),
        section("What to do next", listed(shown.steps)),
        *([] if shown.course is None else [_course(shown.course)]),
        table(shown.variants),
        *([] if shown.breakdown is None else [table(shown.breakdown)]),
        section("Details", terms(shown.facts)),
        *([section("Notes", terms(shown.notes))] if shown.notes else []),
        element(
            "footer",
            element(
                "p",
                f"Report of {shown.at}. Look as often as you like: of 100 experiments with equally good versions, at"
                " most 5 are ever called different.",
            ),
        ),
    )


def _course(course: Course) -> Markup:
    legend = (
        f"In {course.unit}. Band: the interval, lighter where it is {NOT_VALID}, and cut off where it is wide."
        " Dashed: the smallest difference of interest."
    )
    return section(course.title, element("figure", chart(course), element("figcaption", f"{course.summary} {legend}")))
