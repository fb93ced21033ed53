from __future__ import annotations

from typing import Any

import pytest

from core.reports.page.view import page
from tests.core.reports.page.reports import AT, BEGIN, DAY, estimate, looks, report


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("B better", "better"),
        ("A better", "better"),
        ("no difference larger than 0.02", "same"),
        ("not yet", "waiting"),
        ("invalid", "invalid"),
    ],
)
def test_each_verdict_has_its_kind_and_its_sentence(word: str, kind: str) -> None:
    found = page(report(word), AT)
    assert (found.kind, found.word.lower()) == (kind, word.lower())
    assert found.sentence == "The reason; more of it."
    assert found.steps


def test_the_question_names_both_versions_metric_mode_and_begin() -> None:
    found = page(report(owner="Ada"), AT)
    assert ("v3.1" in found.question, "v3.0" in found.question) == (True, True)
    assert found.setting == ("win rate", "split, 50 % of the users get A", "since 10 October 2025", "owner: Ada")
    stopped = {"status": "stopped", "stopped_at": BEGIN + 3 * DAY, "stop_reason": "a guardrail"}
    assert "from 10 October 2025 to 12 October 2025" in page(report(setting=stopped), AT).setting
    assert "stopped: a guardrail" in page(report(setting=stopped), AT).setting
    assert "not active yet" in page(report(setting={"status": "draft", "activated_at": None}), AT).setting


def test_the_three_numbers_are_rounded_to_what_their_intervals_support() -> None:
    a, b, difference = page(report(a={"win_rate": estimate(0.5213841, 0.034, source="reported")}), AT).figures
    assert (a.number.value, a.number.interval, a.number.candles) == ("52.1 %", "48.7 to 55.5", 1_000)
    assert (b.number.value, b.number.interval) == ("50.0 %", "46.6 to 53.4")
    assert (difference.number.value, difference.number.interval) == (
        "+1.2 percentage points",
        "\N{MINUS SIGN}2.2 to +4.6",
    )


def test_pips_are_not_percentages() -> None:
    figures = page(report(setting={"metric": "mean_pnl", "minimum_effect": 0.5}), AT).figures
    assert [figure.number.value for figure in figures] == ["0.500 pips", "0.500 pips", "+0.012 pips"]


def test_an_unknown_number_and_one_without_an_interval_are_shown_as_such() -> None:
    found = page(report(difference=estimate(None, candles=0), a={"win_rate": estimate(0.5)}), AT)
    assert (found.figures[2].number.value, found.figures[2].number.interval) == ("unknown", None)
    assert (found.figures[0].number.value, found.figures[0].number.interval) == ("50 %", None)


def test_an_interval_that_is_not_yet_valid_says_so_in_every_place() -> None:
    early = estimate(0.5, 0.2, valid=False)
    place = {"pair": "EUR/USD", "timeframe": "1h", "candles": 3, "A": early, "B": early, "difference": early}
    places = {"exploratory": True, "metric": "win_rate", "total": 2, "places": [place, place]}
    fields = {"win_rate": early, "hold_rate": early}
    found = page(report(a=fields, difference={"valid": False}, breakdown=places, history=list(looks(4))), AT)
    assert [figure.number.valid for figure in found.figures] == [False, True, False]
    assert any("not yet valid" in limit for limit in found.limits)
    rows = {row[0]: row for row in found.variants.rows}
    assert ["not yet valid" in cell for cell in rows["Win rate"][1:]] == [True, False]
    assert found.breakdown is not None
    assert ["not yet valid" in cell for cell in found.breakdown.rows[0]] == [False, False, True, True, True]
    assert found.course is not None
    assert [point.valid for point in found.course.points] == [False, False, True, True, False]
    assert "not yet valid" in found.course.table.rows[0][1]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"a": {"outcomes_joined": 900}}, "100 of 1,000 trades of A"),
        ({"b": {"win_rate": estimate(0.5, 0.1, source="labels"), "labelled_candles": 990}}, "10 of 1,000 candles of B"),
        ({"a": {"fallbacks": 3}}, "3 requests of A were"),
        ({"b": {"failures": 1}}, "1 request of B was"),
        ({"b": {"refused": 1_500}}, "1,500 requests of B were"),
        ({"a": {"unrecorded": 7}}, "7 requests of A were"),
        ({"a": {"warnings": {"SPACING": {"predictions": 400, "share": 0.2}}}}, "SPACING"),
        ({"a": {"imported": {"count": 9, "signals": {}, "avg_confidence": 0.5}}}, "9 predictions of A"),
        ({"beside": {"without_user": 40, "named_version": 0}}, "40 requests named no user"),
        ({"beside": {"without_user": 0, "named_version": 1}}, "1 request named a version"),
        ({"sample_ratio": {"users": {"A": 12, "B": 9}, "users_in_both": 0, "mismatch": False}}, "A has 12 users, B 9"),
        ({"sample_ratio": {"users": {"A": 99, "B": 10}, "users_in_both": 0, "mismatch": True}}, "A has 99 users, B 10"),
        ({"sample_ratio": {"users": {"A": 99, "B": 99}, "users_in_both": 2, "mismatch": False}}, "to 2 users"),
        ({"setting": {"mode": "shadow"}, "sample_ratio": None}, "trades of A only"),
        (
            {
                "setting": {"mode": "crossover"},
                "sample_ratio": {"users": {"A": 12, "B": 9}, "users_in_both": 0, "mismatch": False},
            },
            "A has 12 blocks of users, B 9",
        ),
        (
            {"reporting": {"A": estimate(0.9, 0.01), "B": estimate(0.8, 0.01), "differs": True}},
            "90.0 % (89.0 to 91.0) of A's trades",
        ),
        ({}, "A at 1,000 candle times"),
    ],
)
def test_what_limits_the_numbers_is_said(changes: dict[str, Any], word: str) -> None:
    assert any(word in limit for limit in page(report(**changes), AT).limits)


def test_without_limits_there_is_one_sentence_that_says_so() -> None:
    rare = {"warnings": {"SPACING": {"predictions": 2, "share": 0.001}}}
    (only,) = page(report("B better", a=rare), AT).limits
    assert "Nothing" in only


@pytest.mark.parametrize(
    ("word", "setting", "expected"),
    [
        ("B better", {}, "Make v3.1 the active version"),
        ("A better", {"status": "stopped"}, "Make v3.0 the active version"),
        ("no difference larger than 0.02", {}, "Keep either version"),
        ("invalid", {}, "Find the mistake"),
        ("not yet", {"status": "draft", "activated_at": None}, "Activate"),
        ("not yet", {"status": "stopped"}, "late results"),
        ("not yet", {}, "about 12 days more (1,300 further candles)"),
    ],
)
def test_the_next_step_follows_from_verdict_and_status(word: str, setting: dict[str, Any], expected: str) -> None:
    (step,) = page(report(word, setting=setting), AT).steps
    assert expected in step
    assert ("Stop the experiment" in step) == (word != "not yet" and "status" not in setting)


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        (12.34, "12 days"),
        (130.0, "130 days"),
        (2.0, "2.0 days"),
        (1.5, "36 hours"),
        (0.05, "72 minutes"),
        (0.0, "1 minute more"),
        (123_456.0, "10,000 days or more"),
        (None, "cannot be estimated"),
    ],
)
def test_the_days_left_have_two_digits(days: float | None, shown: str) -> None:
    verdict = {"word": "not yet", "sentence": "s", "more_candles": 10.0, "days_left": days}
    assert shown in page(report(verdict=verdict), AT).steps[0]


def test_a_verdict_without_a_forecast_has_a_step_too() -> None:
    assert page(report(verdict={"word": "not yet", "sentence": "s"}), AT).steps


@pytest.mark.parametrize(
    ("changes", "advised"),
    [
        ({"a": {"outcomes_joined": 900}}, True),
        ({"a": {"outcomes_joined": 990}}, False),
        ({"setting": {"mode": "shadow"}, "sample_ratio": None}, True),
        ({"a": {"outcomes_joined": 900}, "setting": {"status": "draft"}}, False),
    ],
)
def test_results_that_are_missing_are_asked_for(changes: dict[str, Any], *, advised: bool) -> None:
    assert any("evaluate" in step for step in page(report(**changes), AT).steps) == advised


def test_numbers_that_decide_nothing_are_not_shown() -> None:
    found = page(report(a={"sharpe": estimate(0.98765, 0.1)}, pairs={"mcnemar": {"exact_p": 0.98765}}), AT)
    assert "0.98" not in repr(found)


def test_the_course_ends_with_the_present_difference() -> None:
    course = page(report(history=list(looks(30))), AT).course
    assert course is not None
    assert len(course.points) == 31
    assert course.points[-1].estimate == pytest.approx(1.23)
    assert course.effect == pytest.approx(2.0)
    assert len(course.table.rows) == 8
    assert course.table.rows[-1][0].startswith("20 October 2025, 12:34")


@pytest.mark.parametrize("history", [[], [{**estimate(None), "at": AT, "word": "not yet", "valid": True}]])
def test_one_look_has_no_course(history: list[dict[str, Any]]) -> None:
    assert page(report(history=history), AT).course is None


def test_a_single_place_needs_no_breakdown_and_more_than_fifty_are_counted() -> None:
    one = {"pair": "EUR/USD", "timeframe": "1h", "candles": 3} | dict.fromkeys(("A", "B", "difference"), estimate(0.5))

    def of(count: int) -> dict[str, Any]:
        return {"exploratory": True, "metric": "win_rate", "total": count, "places": [one] * min(count, 50)}

    assert page(report(breakdown=of(1)), AT).breakdown is None
    found = page(report(breakdown=of(70)), AT).breakdown
    assert found is not None
    assert ("70" in found.remark, len(found.rows)) == (True, 50)


def test_label_rule_and_notes_are_shown_where_the_report_has_them() -> None:
    rule = {"horizon": 10, "min_profit_pips": 6.2, "history": [{"horizon": 5}]}
    notes = [{"at": "2025-10-12T08:00:00Z", "text": "the broker changed"}, "without a time"]
    found = page(report(label_rule=rule, notes=notes), AT)
    assert ("Label rule", "horizon 10, min_profit_pips 6.2") in found.facts
    assert found.notes == (("12 October 2025, 08:00 UTC", "the broker changed"), ("", "without a time"))
    assert page(report(label_rule="horizon 10"), AT).facts != page(report(), AT).facts
