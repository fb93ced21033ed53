from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from core.reports.page.chart import MOST_POINTS
from core.reports.page.html_page import html
from core.reports.page.markup import Markup, element
from tests.core.reports.page.reports import AT, estimate, looks, report

WORDS = ["B better", "A better", "no difference larger than 0.02", "not yet", "invalid"]
EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\"' & ]]> --> \x00\x1b\u202e </title></style></main>"
H, S = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/2000/svg}"
PLACE = {"pair": "EUR/USD", "timeframe": "1h", "candles": 3} | dict.fromkeys(
    ("A", "B", "difference"), estimate(0.5, 0.1)
)
PLACES = {"exploratory": True, "metric": "win_rate", "total": 2, "places": [PLACE, PLACE]}


def parsed(found: dict[str, Any]) -> ET.Element:
    """The document, which is also well-formed XML."""
    return ET.fromstring(html(found, AT).partition("\n")[2])  # noqa: S314 - our own page


def text(node: ET.Element) -> str:
    return "".join(node.itertext())


def evil() -> dict[str, Any]:
    """A report in which every text of users, and every text that might hold one, is an attack."""
    found = report(
        setting={"name": EVIL, "description": EVIL, "status": "stopped", "stop_reason": EVIL},
        owner=EVIL,
        notes=[{"at": AT, "text": EVIL}],
        label_rule={EVIL: EVIL},
        a={"warnings": {EVIL: {"predictions": 9, "share": 0.9}}},
        breakdown=PLACES | {"places": [PLACE | {"pair": EVIL}] * 2},
        history=[look | {"word": EVIL} for look in looks(5)],
    )
    for name in ("variant_a", "variant_b"):
        found[name] = EVIL
    found["variants"]["A"]["model_version"] = EVIL
    found["verdict"]["sentence"] = EVIL
    return found


@pytest.mark.parametrize("word", WORDS)
def test_each_verdict_makes_a_document_with_its_numbers(word: str) -> None:
    root = parsed(report(word, history=list(looks(9)), breakdown=PLACES))
    assert root.get("lang") == "en"
    (verdict,) = root.iterfind(f".//{H}section[@aria-labelledby='verdict']/{H}h2")
    assert text(verdict).lower() == word.lower()
    values = [text(node) for node in root.iterfind(f".//{H}dd[@class='value']")]
    assert values == ["50.0 %", "50.0 %", "+1.2 percentage points"]


def test_the_document_is_accessible() -> None:
    root = parsed(report(history=list(looks(9)), breakdown=PLACES, notes=["n"]))
    assert text(next(root.iter(f"{H}title")))
    assert len(list(root.iter(f"{H}h1"))) == 1
    assert len(list(root.iter(f"{H}h2"))) >= 7
    for table in root.iter(f"{H}table"):
        heads = list(table.iterfind(f"{H}thead/{H}tr/{H}th"))
        assert all(head.get("scope") == "col" and text(head) for head in heads)
        for row in table.iterfind(f"{H}tbody/{H}tr"):
            assert row[0].get("scope") == "row"
            assert len(row) == len(heads)
    (drawing,) = root.iter(f"{S}svg")
    named = [node for node in drawing if node.get("id") in (drawing.get("aria-labelledby") or "").split()]
    assert [node.tag for node in named] == [f"{S}title", f"{S}desc"]
    assert all(text(node) for node in named)
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    names = {node.get("name"): node.get("content") for node in root.iter(f"{H}meta")}
    assert names["viewport"] == "width=device-width, initial-scale=1"
    style = text(next(root.iter(f"{H}style")))
    assert all(word in style for word in ("prefers-color-scheme: dark", "@media print", "overflow-x: auto"))


def test_the_document_has_no_script_no_link_and_no_outside_resource() -> None:
    page = html(report(history=list(looks(9)), breakdown=PLACES), AT)
    root = parsed(report(history=list(looks(9)), breakdown=PLACES))
    allowed = (
        "html head meta title style body main header p h1 h2 section dl div dt dd ul li figure figcaption table thead"
        " tbody tr th td footer"
    )
    assert {node.tag for node in root.iter()} <= {
        *(f"{H}{name}" for name in allowed.split()),
        *(f"{S}{name}" for name in ("svg", "title", "desc", "line", "text", "polygon", "polyline", "circle")),
    }
    known = (
        "lang charset name content class dir id aria-labelledby aria-label tabindex role scope viewBox x y x1 x2 y1 y2"
        " dy cx cy r points"
    )
    assert {name for node in root.iter() for name in node.attrib} <= set(known.split())
    assert not any(word in page for word in ("url(", "@import", "href", "src=", "javascript"))


class Tags(HTMLParser):
    """Collects the tags and attributes that a browser would find."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def test_texts_of_users_are_never_markup() -> None:
    page = html(evil(), AT)
    tags = Tags()
    tags.feed(page)
    assert not {tag for tag, _ in tags.found} & {"script", "img"}
    assert not {name for _, names in tags.found for name in names if name.startswith("on")}
    assert page.count("</title></head>") + page.count("</style></head>") == 1
    root = ET.fromstring(page.partition("\n")[2])  # noqa: S314 - our own page
    shown = text(root)
    assert shown.count("<script>alert('x')</script>") >= 10
    assert "\x1b" not in page
    assert not any(node.tag.endswith("script") for node in root.iter())


def test_only_elements_are_markup() -> None:
    assert element("p", "<b>", Markup("<i/>"), title='"<') == '<p title="&quot;&lt;">&lt;b&gt;<i/></p>'


def test_a_long_history_is_drawn_with_few_points() -> None:
    at = "2025-10-{:02}T{:02}:{:02}:00Z"
    history = [
        {
            "at": at.format(n // 96 + 1, n // 4 % 24, n % 4 * 15),
            **estimate(0.01, 0.05),
            "word": "not yet",
            "valid": True,
        }
        for n in range(1_000)
    ]
    root = parsed(report(history=history))
    (line,) = root.iter(f"{S}polyline")
    assert MOST_POINTS / 2 < len((line.get("points") or "").split()) <= MOST_POINTS


def test_everything_is_drawn_within_the_frame() -> None:
    """The first intervals are fifty times as wide as the last, and are cut off."""
    root = parsed(report(history=list(looks(19))))
    polygons = list(root.iter(f"{S}polygon"))
    assert [polygon.get("class") for polygon in polygons] == ["band early", "band", "band early"][:2]
    for node in [*polygons, *root.iter(f"{S}polyline")]:
        for point in (node.get("points") or "").split():
            x, y = map(float, point.split(","))
            assert 52 <= x <= 708
            assert 12 <= y <= 228


def test_looks_without_an_interval_are_drawn_as_a_line() -> None:
    history = [look | {"interval": None} for look in looks(4)]
    root = parsed(report(history=history, difference=estimate(0.01)))
    (line,) = root.iter(f"{S}polyline")
    assert len((line.get("points") or "").split()) == 5
