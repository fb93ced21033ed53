from __future__ import annotations

import pytest

from core.experiments.candle_table import BesideTotals
from core.reports.beside import explained
from core.statistics.verdict import Verdict
from tests.core.statistics.tables import experiment, tally

NOT_YET = Verdict("not yet", "A has 0 candles with results")


def sentence(beside: BesideTotals, of_b: dict[str, int], status: str = "active") -> str:
    found = explained(NOT_YET, experiment(status=status), {"A": tally(), "B": tally(**of_b)}, beside)
    assert found.word == NOT_YET.word
    return found.sentence


@pytest.mark.parametrize(
    ("beside", "of_b", "expected"),
    [
        (BesideTotals(1_234, 0), {}, "1,234 requests named no user_id; send `user_id`"),
        (BesideTotals(0, 1), {"failures": 4}, "1 request named a version; leave out `version`"),
        (
            BesideTotals(1, 20),
            {},
            "1 request named no user_id, 20 requests named a version; send `user_id` and leave out `version`",
        ),
        (
            BesideTotals(),
            {"refused": 3},
            "3 requests were refused by the variant's version alone; send what both versions need",
        ),
    ],
)
def test_the_reasons_are_given_with_what_to_change(beside: BesideTotals, of_b: dict[str, int], expected: str) -> None:
    assert sentence(beside, of_b) == f"no prediction belongs to the experiment: {expected}"


@pytest.mark.parametrize("counted", ["predictions", "fallbacks", "unrecorded"])
def test_one_prediction_of_either_variant_is_enough(counted: str) -> None:
    assert sentence(BesideTotals(9, 9), {counted: 1}) == NOT_YET.sentence


def test_a_draft_needs_no_reason_and_a_stopped_experiment_has_one() -> None:
    assert sentence(BesideTotals(9, 9), {}, "draft") == NOT_YET.sentence
    assert sentence(BesideTotals(9, 9), {}, "stopped") != NOT_YET.sentence


def test_without_any_request_there_is_no_reason() -> None:
    assert sentence(BesideTotals(), {"failures": 3}) == NOT_YET.sentence
