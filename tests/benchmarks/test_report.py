from __future__ import annotations

from typing import Any

import pytest

from benchmarks import report
from benchmarks.budget import Line

TEXT = (
    "before\n<!-- whole.closed: body, p50 -->\nold\n<!-- end -->\nbetween\n<!-- peers -->\nkept\n<!-- end -->\nafter\n"
)
CLOSED = [{"body": "features", "p50": 0.24321, "p99": 1.0}, {"body": "120 candles", "p50": 1234.5}]


def test_a_table_is_made_anew_and_one_without_a_result_stays() -> None:
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


def test_without_columns_all_are_shown_and_what_a_row_lacks_is_empty() -> None:
    assert report.table(CLOSED, ()).splitlines() == [
        "| body | p50 | p99 |",
        "| --- | --- | --- |",
        "| features | 0.243 | 1 |",
        "| 120 candles | 1,234 |  |",
    ]


def test_a_mapping_of_mappings_is_a_row_each_without_the_machine() -> None:
    found = report.rows({"machine": {"cpu": "x"}, "items": 1024, "features": {"alone": {"p99": 0.5}, "ratio": 2.0}})
    assert found == [{"": "features", "alone.p99": 0.5, "ratio": 2.0}]


def test_a_mapping_of_values_is_a_row_each() -> None:
    assert report.rows({"cpu": "x", "load": [0.1, 0.2]}) == [
        {"": "cpu", "value": "x"},
        {"": "load", "value": [0.1, 0.2]},
    ]


def test_pytest_benchmarks_file_becomes_a_list_for_each_function() -> None:
    each = [
        {"name": "test_run[stage1-8]", "params": {"stage": "stage1", "windows": 8}, "stats": {"median": 160e-6}},
        {"name": "test_decision", "params": None, "stats": {"median": 1e-6}},
    ]
    found = report.bare({"machine_info": {"cpu": "x"}, "benchmarks": each})
    assert found["run"] == [
        {"stage": "stage1", "windows": 8, "median_us": pytest.approx(160), "us_a_window": pytest.approx(20)}
    ]
    assert found["decision"] == [{"median_us": pytest.approx(1)}]


def test_the_budget_is_shown_with_what_was_found_wherever_it_stands() -> None:
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
