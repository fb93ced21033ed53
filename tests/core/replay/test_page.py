from __future__ import annotations

import copy
import re
from typing import Any
from xml.dom import minidom

import pytest

from core.bundles.repository import Repository
from core.inference.detector import Detector
from core.replay import page, view
from core.replay.choices import Choices
from core.replay.replaying import replay
from tests.core.replay.markets import market
from tests.market import ONNX


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    detectors = {version: Detector(Repository(ONNX).read(version)) for version in ("v3.0", "v3.1")}
    markets = [market(900, pair, seed=seed) for seed, pair in enumerate(("EUR/USD", "USD/JPY"))]
    return replay(markets, detectors, Choices(draws=50)).report


def texts(of: Any, tag: str) -> list[str]:  # noqa: ANN401 - a document or an element
    return [str(each.firstChild.data) for each in of.getElementsByTagName(tag)]


def test_the_page_answers_the_question_first(report: dict[str, Any]) -> None:
    text = page.html(report)
    document = minidom.parseString(text.partition("\n")[2])  # noqa: S318 - our own page
    (heading,) = texts(document, "h1")
    assert heading == "Is v3.1 better than v3.0?"
    assert texts(document, "h2") == [
        "Not yet", "What limits it", "Stage 1, and trades after costs", "The account over time", "Reliability",
        "By hour of day", "By pair", "By year", "By pair and year", "Details",
    ]  # fmt: skip
    assert not re.search(r"<script|src=|href=|url\(", text)


def test_the_pictures_show_every_version(report: dict[str, Any]) -> None:
    document = minidom.parseString(page.html(report).partition("\n")[2])  # noqa: S318 - our own page
    drawings = document.getElementsByTagName("svg")
    assert len(drawings) == 3
    for drawing in drawings:
        assert {"v3.0", "v3.1"} <= set(texts(drawing, "text"))
        for name in ("x", "y", "cx", "cy", "x1", "x2", "y1", "y2"):
            for each in drawing.getElementsByTagName("*"):
                value = each.getAttribute(name)
                assert not value or 0 <= float(value) <= 720
    account = drawings[0].getElementsByTagName("polyline")
    points = [len(line.getAttribute("points").split()) for line in account]
    assert points == [len(report["equity"][version]["at"]) for version in ("v3.0", "v3.1")]
    dots = [len(drawing.getElementsByTagName("circle")) for drawing in drawings]
    assert dots[0] == 0
    assert dots[1] == sum(len(bins) for bins in report["reliability"].values())
    assert dots[2] == sum(each["trades"] > 0 for hours in report["by_hour"].values() for each in hours)


def test_markdown_has_the_same_numbers(report: dict[str, Any]) -> None:
    text = page.markdown(report)
    assert text.startswith("# Is v3.1 better than v3.0?\n")
    for each in view.results(report).rows:
        assert f"| {each[1].replace('_', '')}" in text
    assert "NaN" not in text + page.html(report)


def test_what_limits_it_is_named(report: dict[str, Any]) -> None:
    said = list(view.limits(report))
    assert any("OUT_OF_RANGE" in text for text in said) == any(
        (each["out_of_range"] or 0) >= view.MUCH_OUTSIDE for each in report["answers"].values()
    )
    assert "The versions have no label rule in common, so the default one judges them." in said
    assert not any("apart" in text for text in said)
    of_versions = report | {"label_rule_from": "versions"}
    assert not any("in common" in text for text in view.limits(of_versions))


def test_the_sentence_names_the_versions(report: dict[str, Any]) -> None:
    word, sentence = view.verdict(report)
    assert word == "not yet"
    assert "v3.0 has results at" in sentence
    decided = copy.deepcopy(report)
    decided["comparisons"][0]["verdict"] = {
        "word": "B better",
        "sentence": "B is v3.1: the win rate of B minus that of A",
    }
    assert view.verdict(decided) == ("v3.1 better", "The win rate of v3.1 minus that of v3.0.")
    assert (view.replay_page(decided).kind, view.replay_page(decided).word) == ("better", "v3.1 better")


def test_a_single_version_and_several_have_pages_too(report: dict[str, Any]) -> None:
    one = copy.deepcopy(report) | {"versions": ["v3.0"], "comparisons": [], "figure_differences": {}}
    for name in ("figures", "answers", "equity", "reliability", "by_hour"):
        one[name] = {"v3.0": one[name]["v3.0"]}
    for part in (*one["by_pair"], *one["by_year"]):
        part["figure_differences"] = {}
    assert "What would v3.0 have done?" in page.html(one)
    assert "after costs" in page.markdown(one)
    three = copy.deepcopy(report)
    three["comparisons"].append(copy.deepcopy(three["comparisons"][0]))
    assert "Each has its own error rate" in page.html(three)


def test_markup_in_names_is_text(report: dict[str, Any]) -> None:
    shown = page.html(copy.deepcopy(report) | {"digests": {"v3.0": "<script>"}})
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
