from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import budget, report
from benchmarks.budget import Line
from benchmarks.machine import ROOT

TEXT = (
    "before\n<!-- whole.closed: body, p50 -->\nold\n<!-- end -->\nbetween\n<!-- peers -->\nkept\n<!-- end -->\nafter\n"
)
CLOSED = [{"body": "features", "p50": 0.24321, "p99": 1.0}, {"body": "120 candles", "p50": 1234.5}]


def test_a_table_with_a_result_is_replaced_and_one_without_stays() -> None:
    text, missing = report.filled(TEXT, {"whole": {"closed": CLOSED}})
    assert missing == ["peers"]
    assert text == (
        "before\n<!-- whole.closed: body, p50 -->\n\n"
        "| body | p50 |\n| --- | --- |\n| features | 0.243 |\n| 120 candles | 1,234 |\n\n"
        "<!-- end -->\nbetween\n<!-- peers -->\nkept\n<!-- end -->\nafter\n"
    )


def test_filling_twice_changes_nothing() -> None:
    results = {"whole": {"closed": CLOSED}}
    once, _ = report.filled(TEXT, results)
    assert report.filled(once, results)[0] == once


def test_without_columns_all_are_shown_and_missing_cells_are_empty() -> None:
    assert report.table(CLOSED, ()).splitlines() == [
        "| body | p50 | p99 |",
        "| --- | --- | --- |",
        "| features | 0.243 | 1 |",
        "| 120 candles | 1,234 |  |",
    ]


def test_a_column_can_have_a_heading_of_its_own() -> None:
    shown = report.table([{"p99.9": 1.5, "cpu_us": 2.0}], ("p99.9 as p99.9", "cpu_us"))
    assert shown.splitlines() == ["| p99.9 | cpu us |", "| --- | --- |", "| 1.5 | 2 |"]


def test_each_entry_of_a_nested_mapping_is_a_row_except_the_machine() -> None:
    found = report.rows({"machine": {"cpu": "x"}, "items": 1024, "features": {"alone": {"p99": 0.5}, "ratio": 2.0}})
    assert found == [{"": "features", "alone.p99": 0.5, "ratio": 2.0}]


def test_each_entry_of_a_flat_mapping_is_a_row() -> None:
    assert report.rows({"cpu": "x", "load": [0.1, 0.2]}) == [
        {"": "cpu", "value": "x"},
        {"": "load", "value": [0.1, 0.2]},
    ]


def test_the_file_of_pytest_benchmark_becomes_a_list_for_each_function() -> None:
    each = [
        {"name": "test_run[stage1-8]", "params": {"stage": "stage1", "windows": 8}, "stats": {"median": 160e-6}},
        {"name": "test_decision", "params": None, "stats": {"median": 1e-6}},
    ]
    found = report.bare({"machine_info": {"cpu": "x"}, "benchmarks": each})
    assert found["run"] == [
        {"stage": "stage1", "windows": 8, "median_us": pytest.approx(160), "us_a_window": pytest.approx(20)}
    ]
    assert found["decision"] == [{"median_us": pytest.approx(1)}]


def test_each_line_of_the_budget_gets_its_figure_from_its_result_file() -> None:
    lines = [
        Line(key="slow", what="p50", most=1.5, noise=0.1),
        Line(key="peer", what="against it", least=3.5, noise=0.1, result="peers.hardest.it.one.32.throughput"),
        Line(key="other", what="against another", least=3.5, noise=0.1, result="peers.hardest.another.one"),
    ]
    results: dict[str, Any] = {
        "check": {"found": {"slow": [2.0, 1.4]}},
        "peers": {"hardest": {"it": {"one": {"32": {"throughput": 3.0}}}}},
    }
    found = report.against_budget(lines, results)
    assert [(row["found"], row["verdict"]) for row in found] == [
        ([2.0, 1.4], "holds"),
        ([3.0], "CROSSED"),
        ([], "not measured"),
    ]
    assert report.promises(found) == [
        {"verdict": "holds", "limits": 1},
        {"verdict": "CROSSED", "limits": 1},
        {"verdict": "not measured", "limits": 1},
    ]


def test_a_line_without_a_result_keeps_the_figure_that_stands_on_the_page() -> None:
    page = (
        "<!-- budget: what, limit, noise, found, verdict -->\n\n| what | limit | noise | found | verdict |\n"
        "| --- | --- | --- | --- | --- |\n| p99 | ≤ 3 | 10% | 1.5 | holds |\n| p50 | ≤ 1 | 10% | 1.2, 1.3 | CROSSED |\n"
        "| size | ≤ 9 | 10% |  | not measured |\n\n<!-- end -->\n"
    )
    lines = [
        Line(key="p99", what="p99", most=1.0, noise=0.1, result="peers.p99"),
        Line(key="p50", what="p50", most=1.0, noise=0.1),
        Line(key="size", what="size", most=9.0, noise=0.1, result="other.size"),
    ]
    found = report.against_budget(lines, {"check": {"found": {"p50": [0.5]}}}, report.shown(page)["budget"])
    assert [(row["limit"], row["found"], row["verdict"]) for row in found] == [
        ("≤ 1", [1.5], "CROSSED"),  # judged by today's limit
        ("≤ 1", [0.5], "holds"),
        ("≤ 9", [], "not measured"),
    ]


@pytest.mark.parametrize("name", ["check", "start"])
def test_one_measurement_alone_leaves_the_budget_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.json").write_text('{"found": {}}')
    assert ({"budget", "promises"} <= report.read(tmp_path).keys()) == (name == "check")


def test_the_headline_is_the_server_without_an_experiment_at_1_and_32_connections() -> None:
    shown: dict[str, Any] = {"server": "1 worker", "experiment": "none", "body": "features", "connections": 32}
    others: list[dict[str, Any]] = [
        {"server": "echo"},
        {"experiment": "A/B"},
        {"body": "70 candles"},
        {"connections": 8},
    ]
    assert report.headline([shown, *(shown | other for other in others)]) == [shown]


def test_pages_are_short_and_each_table_is_on_one_page() -> None:
    names = [match[2] for page in report.PAGES for match in report.MARKED.finditer(page.read_text())]
    assert {"headline", "promises", "budget", "whole.closed", "peers.rows"} <= set(names)
    assert len(names) == len(set(names))
    for page in report.PAGES:
        assert len(page.read_text().splitlines()) < 200, page.name


def test_the_headings_on_the_pages_are_those_of_the_markers() -> None:
    for page in report.PAGES:
        for match in report.MARKED.finditer(page.read_text()):
            if match[3]:
                assert match[0].splitlines()[2] == report.table([], match[3].split(", ")).splitlines()[0], match[2]


def test_the_page_has_the_lines_of_the_budget() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    shown = re.search(r"<!-- budget: .*?-->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert shown is not None
    found = [line.split(" | ")[:3] for line in shown[1].strip().splitlines()[2:]]
    assert found == [[f"| {line.what}", line.limit, f"{line.noise:.0%}"] for line in budget.read()]
